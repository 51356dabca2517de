"""Decides whether a new version serves."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np

from backend.evaluation.bootstrap import Floats, Ints, resampled_sums
from backend.evaluation.evaluate import Metrics
from backend.scores import MIN_DOCUMENTS, f1_in_words, tasks

REJECTING_SHARE = 0.9
"""Share of the resamples in which a candidate must be worse to be rejected; ``docs/training.md`` says why so many."""

PLAIN_LOSS = 0.1
"""F1 by which it must be worse where the held-out documents are fewer than `MIN_DOCUMENTS`."""

PLAIN_SHARE = 0.95
"""Share of the resamples in which it must be so there."""

PLAIN_DOCUMENTS = 3
"""On fewer, nothing is rejected: one document drawn again is always the same one."""

_NAMED = 3


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether to promote, and why in one sentence for the project lead."""

    promote: bool
    reason: str


def judge(
    candidate: Metrics | None,
    current: Metrics | None,
    *,
    labels: Sequence[str],
    current_labels: Collection[str],
    tolerance: float,
) -> Verdict:
    """Promote unless the candidate is very likely worse than the current version by more than ``tolerance`` of F1.

    Both are measured on the same held-out documents, in the same order, and compared by a paired bootstrap (Efron and
    Tibshirani, 1993): the documents are drawn again many times, and each time both F1 are computed. The candidate is
    rejected where it is so much worse in `REJECTING_SHARE` of the resamples. On fewer than `MIN_DOCUMENTS` documents
    only what is plainly broken is: worse by more than `PLAIN_LOSS` in `PLAIN_SHARE` of them.

    Only labels that both know (``labels`` and ``current_labels``) are compared: what the current version finds of a
    label that was removed is in nobody's annotations and counts neither way. A candidate that knows new labels is
    promoted whatever the figures, since the current version can never suggest these. ``current`` is ``None`` where no
    version serves yet or it cannot be opened.
    """
    if candidate is None or candidate.support == 0:
        return Verdict(True, "promoted: no held-out entities yet, so nothing speaks against it")
    if current is None:
        return Verdict(True, f"promoted: {f1_in_words(candidate.to_dict())}, with no version to compare")
    shared = set(labels) & set(current_labels)
    new = [label for label in labels if label not in shared]
    ours, theirs = candidate.counts.totals(shared), current.counts.totals(shared)
    if not ours[:, 2].any():
        return Verdict(True, f"promoted: it knows new labels ({_names(new)}), and no held-out entity has another")
    compared = _Comparison(ours, theirs)
    if new:
        few = " (too few to say more)" if compared.documents < MIN_DOCUMENTS else ""
        words = f"{compared.in_words()}{few} for the others"
        return Verdict(True, f"promoted: it knows new labels ({_names(new)}); {words}")
    if compared.documents < MIN_DOCUMENTS:
        return _of_few(compared, tolerance)
    return _of_many(compared, tolerance)


class _Comparison:
    """F1 of two versions on the same documents; each side is right, predicted and gold entities of each document."""

    def __init__(self, candidate: Ints, current: Ints) -> None:
        self.documents = len(candidate)
        self.f1, self.current_f1 = (float(_f1(each.sum(axis=0))) for each in (candidate, current))
        ours, theirs = np.hsplit(resampled_sums(np.hstack([candidate, current])), 2)
        self._differences = _f1(ours) - _f1(theirs)

    def better(self) -> float:
        """Share of the resamples in which the candidate is better."""
        return float(np.mean(self._differences > 0))

    def worse(self, by: float) -> float:
        """Share of the resamples in which the candidate is worse by more than ``by``."""
        return float(np.mean(self._differences < -by))

    def in_words(self) -> str:
        return f"F1 {self.f1:.3f} against {self.current_f1:.3f} on the same {tasks(self.documents)}"


def _of_many(compared: _Comparison, tolerance: float) -> Verdict:
    worse, better = compared.worse(tolerance), compared.better()
    lost = f"worse by more than {tolerance:g} in {_percent(worse)} of resamples"
    if worse >= REJECTING_SHARE:
        return Verdict(False, f"rejected: {compared.in_words()}, {lost}")
    if compared.f1 < compared.current_f1:
        why = f"{lost}, {_percent(REJECTING_SHARE)} would reject it"
    elif better:
        why = f"better in {_percent(better)} of resamples"
    else:
        why = "as good in all resamples"
    return Verdict(True, f"promoted: {compared.in_words()} ({why})")


def _of_few(compared: _Comparison, tolerance: float) -> Verdict:
    if compared.documents < PLAIN_DOCUMENTS:
        return Verdict(True, f"promoted: {compared.in_words()}, too few to speak against it")
    loss = max(PLAIN_LOSS, tolerance)
    worse = compared.worse(loss)
    if worse >= PLAIN_SHARE:
        why = f"too few to tell small differences, but worse by more than {loss:g} in {_percent(worse)} of resamples"
        return Verdict(False, f"rejected: {compared.in_words()}, {why}")
    why = "too few to say more than that it is not plainly broken"
    return Verdict(True, f"promoted: {compared.in_words()}, {why}")


def _f1(sums: Ints | Floats) -> Floats:
    """Of right, predicted and gold entities in the last dimension; 1.0 where there are none to be wrong about."""
    right, predicted, gold = np.moveaxis(sums, -1, 0)
    entities = predicted + gold
    return np.where(entities > 0, 2 * right / np.maximum(entities, 1), 1.0)


def _percent(share: float) -> str:
    """Rounded down: what is just short of a threshold does not read as if it had reached it."""
    return f"{int(100 * share + 1e-9)} %"


def _names(labels: Sequence[str]) -> str:
    rest = len(labels) - _NAMED
    return ", ".join(labels[:_NAMED]) + (f" and {rest} more" if rest > 0 else "")
