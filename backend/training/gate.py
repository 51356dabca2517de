"""Decides whether a new version serves."""

from __future__ import annotations

from dataclasses import dataclass

from backend.training.evaluate import Metrics


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether to promote, and why in one sentence for the project lead."""

    promote: bool
    reason: str


def judge(candidate: Metrics | None, current: Metrics | None, *, labels_grew: bool, tolerance: float) -> Verdict:
    """Promote unless the candidate is worse than the current version by more than ``tolerance`` F1.

    Both are measured on the same held-out documents. ``current`` is ``None`` where no version serves yet or it
    cannot be opened; a version that knows new labels replaces one that does not, whatever the figures.
    """
    if candidate is None:
        return Verdict(True, "promoted: no held-out documents yet, so nothing speaks against it")
    if current is None:
        return Verdict(True, f"promoted: F1 {candidate.f1:.3f}, with no version to compare")
    compared = f"F1 {candidate.f1:.3f} against {current.f1:.3f} on the same {candidate.documents} held-out documents"
    if labels_grew:
        return Verdict(True, f"promoted: it knows new labels; {compared}")
    if candidate.f1 < current.f1 - tolerance:
        return Verdict(False, f"rejected: {compared}")
    return Verdict(True, f"promoted: {compared}")
