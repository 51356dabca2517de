from __future__ import annotations

import pytest

from backend.training.evaluate import Metrics
from backend.training.gate import judge


def metrics(f1: float, support: int = 400) -> Metrics:
    return Metrics(documents=50, precision=f1, recall=f1, f1=f1, support=support, per_label={})


@pytest.mark.parametrize(
    ("candidate", "current", "grew", "promote", "words"),
    [
        (None, None, False, True, "no held-out entities"),
        (None, metrics(0.9), False, True, "no held-out entities"),
        (metrics(0.0, support=0), metrics(0.9), False, True, "no held-out entities"),
        (metrics(0.1), None, False, True, "F1 0.100, with no version to compare"),
        (metrics(0.8), metrics(0.7), False, True, "F1 0.800 against 0.700 on the same 50 held-out documents"),
        (metrics(0.7), metrics(0.7), False, True, "F1 0.700 against 0.700"),
        # √(0.8 × 0.2 ÷ 400) = 0.02 of noise beside the tolerance of 0.02
        (metrics(0.77), metrics(0.8), False, True, "F1 0.770 against 0.800"),
        (metrics(0.761), metrics(0.8), False, True, "promoted"),
        (metrics(0.759), metrics(0.8), False, False, "F1 0.759 against 0.800"),
        (metrics(0.1), metrics(0.8), False, False, "rejected"),
        (metrics(0.1), metrics(0.8), True, True, "it knows new labels; F1 0.100 against 0.800"),
        # a small held-out side is noisier
        (metrics(0.6, support=4), metrics(0.8, support=4), False, True, "promoted"),
        (metrics(0.5, support=4), metrics(0.8, support=4), False, False, "rejected"),
        # nothing to be wrong about, and everything right
        (metrics(0.97), metrics(1.0), False, False, "rejected"),
        (metrics(0.98), metrics(1.0), False, True, "promoted"),
        (metrics(0.5), metrics(0.0, support=0), False, True, "promoted"),
    ],
)
def test_candidate_serves_unless_it_is_clearly_worse(
    candidate: Metrics | None, current: Metrics | None, grew: bool, promote: bool, words: str
) -> None:
    verdict = judge(candidate, current, labels_grew=grew, tolerance=0.02)
    assert verdict.promote is promote
    assert words in verdict.reason
    assert verdict.reason.startswith("promoted: " if promote else "rejected: ")


@pytest.mark.parametrize(("tolerance", "promote"), [(0.0, False), (0.1, False), (0.2, True), (1.0, True)])
def test_tolerance_is_what_may_be_lost(tolerance: float, promote: bool) -> None:
    verdict = judge(metrics(0.6), metrics(0.8), labels_grew=False, tolerance=tolerance)
    assert verdict.promote is promote
