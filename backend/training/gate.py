"""Decides whether a new version serves."""

from __future__ import annotations

import math
from dataclasses import dataclass

from backend.training.evaluate import Metrics


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether to promote, and why in one sentence for the project lead."""

    promote: bool
    reason: str


def judge(candidate: Metrics | None, current: Metrics | None, *, labels_grew: bool, tolerance: float) -> Verdict:
    """Promote unless the candidate's F1 is lower by more than ``tolerance`` plus one standard error.

    Both are measured on the same held-out documents. The standard error, √(F1·(1 − F1) / entities), keeps a small
    test side from rejecting by chance. ``current`` is ``None`` where no version serves yet or it cannot be opened; a
    version that knows new labels replaces one that does not, whatever the figures.
    """
    if candidate is None or candidate.support == 0:
        return Verdict(True, "promoted: no held-out entities yet, so nothing speaks against it")
    if current is None:
        return Verdict(True, f"promoted: F1 {candidate.f1:.3f}, with no version to compare")
    compared = f"F1 {candidate.f1:.3f} against {current.f1:.3f} on the same {candidate.documents} held-out documents"
    if labels_grew:
        return Verdict(True, f"promoted: it knows new labels; {compared}")
    error = math.sqrt(current.f1 * (1 - current.f1) / max(current.support, 1))
    if candidate.f1 < current.f1 - tolerance - error:
        return Verdict(False, f"rejected: {compared}")
    return Verdict(True, f"promoted: {compared}")
