"""What the gate's benchmark draws is what it says. No figure of the gate is judged here."""

from __future__ import annotations

import numpy as np
import pytest

from backend.evaluation import gate
from bench.gate import LOSSES, HeldOut, chain, rejections


@pytest.mark.parametrize("loss", LOSSES)
def test_drawn_versions_have_the_quality_asked_for(loss: float) -> None:
    version = HeldOut(50_000, np.random.default_rng(1)).version(-loss)
    assert version.f1 == pytest.approx(0.8 - loss, abs=0.01)


def test_equally_good_versions_differ_in_a_tenth_of_the_entities() -> None:
    held_out = HeldOut(50_000, np.random.default_rng(1))
    first, second = (held_out.version(0.0).counts.correct for _ in range(2))
    assert 0.04 < np.abs(first - second).sum() / first.sum() < 0.12


def test_tables_are_shares_and_leave_the_gate_as_it_was() -> None:
    before = gate.REJECTING_SHARE
    random = np.random.default_rng(1)
    rejected = rejections(80, 4, random)["rejected"]
    assert rejected["0.3"] == 1.0
    assert set(rejected) == {f"{loss:g}" for loss in LOSSES}
    assert 0.0 < chain(0.5, 1, random)["rejected"] < 1.0
    assert before == gate.REJECTING_SHARE
