"""The promotion gate: decides from held-out tasks whether a new version replaces the current one."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

import numpy as np

from backend.evaluation.bootstrap import Floats, Ints, resampled_sums
from backend.evaluation.evaluate import Metrics
from backend.scores import MIN_DOCUMENTS, Score, are_too_few, held_out_tasks
from backend.store.models import GATE, Decision, Version

REJECTING_SHARE = 0.9
"""Share of the resamples in which a candidate must be worse to be rejected; ``docs/training.md`` gives the reasons."""

FEW_DOCUMENTS_LOSS = 0.1
"""Loss of F1 that rejects a candidate on fewer than `MIN_DOCUMENTS` held-out documents."""

FEW_DOCUMENTS_SHARE = 0.95
"""Share of the resamples in which that loss must occur there."""

COMPARABLE_DOCUMENTS = 3
"""On fewer held-out documents no candidate is rejected: resamples of one or two documents hardly differ."""

_NAMED_LABELS = 3

Rule = Literal[
    "no_held_out_entities",
    "no_current_version",
    "only_new_labels_held_out",
    "new_labels",
    "too_few_documents",
    "few_documents",
    "bootstrap",
]
"""Which rule of the gate decided:

- ``no_held_out_entities``: no held-out document has a region; promoted.
- ``no_current_version``: no version serves, or its files cannot be opened; promoted.
- ``only_new_labels_held_out``: the held-out regions all have labels that the current version lacks; promoted.
- ``new_labels``: the candidate has labels that the current version lacks; promoted.
- ``too_few_documents``: fewer than `COMPARABLE_DOCUMENTS` held-out documents; promoted.
- ``few_documents``: fewer than `MIN_DOCUMENTS`; rejected only for a loss of `FEW_DOCUMENTS_LOSS`.
- ``bootstrap``: rejected if worse by more than the tolerance in `REJECTING_SHARE` of the resamples.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class GateDecision:
    """Whether the candidate is promoted, by which rule, and the figures this rests on.

    ``f1`` (candidate) and ``current_f1`` are measured on the labels both versions have, on the same ``documents``
    held-out documents; ``None`` where there was nothing to measure or compare. ``compared_with`` names the current
    version. ``share_worse`` is the share of resamples in which the candidate is worse by more than ``tolerance``,
    ``share_better`` that in which it is better. ``new_labels`` are those that the current version lacks.
    """

    promote: bool
    rule: Rule
    documents: int
    f1: float | None = None
    current_f1: float | None = None
    compared_with: str | None = None
    tolerance: float | None = None
    share_worse: float | None = None
    share_better: float | None = None
    new_labels: tuple[str, ...] = ()


def decide(
    candidate: Metrics | None,
    current: Metrics | None,
    *,
    labels: Sequence[str],
    current_labels: Collection[str],
    tolerance: float,
    current_name: str | None = None,
) -> GateDecision:
    """Promote unless the candidate is very likely worse than the current version by more than ``tolerance`` of F1.

    Both are measured on the same held-out documents, in the same order, and compared by a paired bootstrap (Efron and
    Tibshirani, 1993): the documents are drawn again many times, and each time both F1 are computed. The candidate is
    rejected if it is worse by more than ``tolerance`` in `REJECTING_SHARE` of the resamples. On fewer than
    `MIN_DOCUMENTS` documents it is rejected only if it is worse by more than `FEW_DOCUMENTS_LOSS` in
    `FEW_DOCUMENTS_SHARE` of them.

    Only labels that both versions have (``labels`` and ``current_labels``) are compared: predictions of a removed label
    count neither for nor against the current version. A candidate with new labels is always promoted, since the current
    version can never suggest them. ``current`` is ``None`` where no version serves yet or its files cannot be opened.
    """
    if candidate is None or candidate.support == 0:
        documents = candidate.documents if candidate else 0
        return GateDecision(promote=True, rule="no_held_out_entities", documents=documents)
    if current is None:
        return GateDecision(promote=True, rule="no_current_version", documents=candidate.documents, f1=candidate.f1)
    shared = set(labels) & set(current_labels)
    new_labels = tuple(label for label in labels if label not in shared)
    totals, current_totals = candidate.counts.totals(shared), current.counts.totals(shared)
    if not totals[:, 2].any():
        return GateDecision(
            promote=True,
            rule="only_new_labels_held_out",
            documents=candidate.documents,
            compared_with=current_name,
            new_labels=new_labels,
        )
    return _compare(totals, current_totals, tolerance, current_name, new_labels)


def _compare(
    candidate: Ints, current: Ints, tolerance: float, current_name: str | None, new_labels: tuple[str, ...]
) -> GateDecision:
    """Apply the rules that compare; rows are documents, columns correct, predicted and gold entities."""
    rule = _rule(len(candidate), new_labels)
    if rule == "few_documents":
        tolerance = max(FEW_DOCUMENTS_LOSS, tolerance)
    resamples, current_resamples = np.hsplit(resampled_sums(np.hstack([candidate, current])), 2)
    differences = _f1(resamples) - _f1(current_resamples)
    share_worse = float(np.mean(differences < -tolerance))
    rejecting_share = {"few_documents": FEW_DOCUMENTS_SHARE, "bootstrap": REJECTING_SHARE}.get(rule)
    return GateDecision(
        promote=rejecting_share is None or share_worse < rejecting_share,
        rule=rule,
        documents=len(candidate),
        f1=float(_f1(candidate.sum(axis=0))),
        current_f1=float(_f1(current.sum(axis=0))),
        compared_with=current_name,
        tolerance=tolerance,
        share_worse=share_worse,
        share_better=float(np.mean(differences > 0)),
        new_labels=new_labels,
    )


def _rule(documents: int, new_labels: Sequence[str]) -> Rule:
    if new_labels:
        return "new_labels"
    if documents < COMPARABLE_DOCUMENTS:
        return "too_few_documents"
    return "few_documents" if are_too_few(documents) else "bootstrap"


def _f1(sums: Ints | Floats) -> Floats:
    """Of correct, predicted and gold entities in the last dimension; 1.0 where there are neither of the last two."""
    correct, predicted, gold = np.moveaxis(sums, -1, 0)
    entities = predicted + gold
    return np.where(entities > 0, 2 * correct / np.maximum(entities, 1), 1.0)


def describe(version: Version) -> str:
    """What the gate decided about a version, and when a person last promoted it; empty if neither happened."""
    parts = [explain(version.decision)] if version.decision else []
    by_people = [promotion for promotion in version.promotions if promotion.actor != GATE]
    if by_people:
        last = max(by_people, key=lambda promotion: promotion.promoted_at or 0.0)
        on = f" on {datetime.fromtimestamp(last.promoted_at, UTC).date().isoformat()}" if last.promoted_at else ""
        parts.append(f"promoted by hand{on} ({last.actor})")
    return "; ".join(parts)


def explain(decision: GateDecision | Decision) -> str:
    """One sentence for the project lead, without a full stop, beginning with ``promoted:`` or ``rejected:``.

    F1 is not given on fewer than `MIN_DOCUMENTS` held-out documents: there it is unknown.
    """
    if isinstance(decision, Decision) and decision.note:
        return decision.note
    outcome = "promoted" if decision.promote else "rejected"
    reason = _reason(decision)
    return f"{outcome}: {reason}" if reason else outcome


def _reason(decision: GateDecision | Decision) -> str:
    current = decision.compared_with or "the current version"
    documents = decision.documents or 0
    new_labels = f"it has labels that {current} lacks ({_names(decision.new_labels)})"
    match decision.rule:
        case "no_held_out_entities":
            without = "no held-out task has regions" if documents else "no task is held out yet"
            return f"nothing could be compared, because {without} ({MIN_DOCUMENTS} held-out tasks are needed)"
        case "no_current_version":
            score = Score.from_metrics({"f1": decision.f1, "documents": documents})
            return f"there is no current version to compare with; {score.sentence}"
        case "only_new_labels_held_out":
            return f"{new_labels}, and no held-out region has another label"
        case "new_labels" if are_too_few(documents):
            return f"{new_labels}; {_too_few(documents)} to compare the other labels"
        case "new_labels":
            return f"{new_labels}; {_figures(decision, current)} for the other labels"
        case "too_few_documents":
            return f"{_too_few(documents)} to compare it with {current}"
        case "few_documents" if decision.promote:
            return f"{_too_few(documents)} to compare it closely with {current}; it is not much worse"
        case "few_documents":
            return f"much worse than {current}: {_worse(decision)}; {_too_few(documents)} to measure small differences"
        case "bootstrap":
            return f"{_figures(decision, current)} ({_resamples(decision)})"
    return ""


def _resamples(decision: GateDecision | Decision) -> str:
    if not decision.promote:
        return _worse(decision)
    if (decision.f1 or 0.0) < (decision.current_f1 or 0.0):
        return f"{_worse(decision)}, {_percent(REJECTING_SHARE)} would reject it"
    if decision.share_better:
        return f"better in {_percent(decision.share_better)} of resamples"
    return "as good in all resamples"


def _figures(decision: GateDecision | Decision, current: str) -> str:
    on = f"on the same {held_out_tasks(decision.documents or 0)}"
    return f"F1 {decision.f1:.3f} against {decision.current_f1:.3f} of {current} {on}"


def _worse(decision: GateDecision | Decision) -> str:
    return f"F1 lower by more than {decision.tolerance:g} in {_percent(decision.share_worse or 0.0)} of resamples"


def _too_few(documents: int) -> str:
    return f"only {held_out_tasks(documents)} ({MIN_DOCUMENTS} are needed), too few"


def _percent(share: float) -> str:
    """Rounded down, so that a share just below a threshold does not read as if it had reached it."""
    return f"{int(100 * share + 1e-9)} %"


def _names(labels: Sequence[str]) -> str:
    rest = len(labels) - _NAMED_LABELS
    return ", ".join(labels[:_NAMED_LABELS]) + (f" and {rest} more" if rest > 0 else "")
