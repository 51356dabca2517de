"""The promotion gate: decides whether a new version replaces the current one.

A version that learnt from too few of the regions people drew is rejected; others are compared on held-out tasks.
`backend.evaluation.verdict` has the decisions as sentences.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Literal

import numpy as np

from backend.conversion import Conversion, lost_share
from backend.evaluation.bootstrap import Floats, Ints, resampled_sums
from backend.evaluation.evaluate import Metrics
from backend.scores import are_too_few
from backend.store.models import Decision
from backend.store.phrases import PHRASES

REJECTING_SHARE = 0.9
"""Share of the resamples in which a candidate must be worse to be rejected; ``docs/training.md`` gives the reasons."""

FEW_DOCUMENTS_LOSS = 0.1
"""Loss of F1 that rejects a candidate on fewer than `MIN_DOCUMENTS` held-out documents."""

FEW_DOCUMENTS_SHARE = 0.95
"""Share of the resamples in which that loss must occur there."""

COMPARABLE_DOCUMENTS = 3
"""On fewer held-out documents no candidate is rejected: resamples of one or two documents hardly differ."""

MIN_HELD_OUT_SHARE = 0.5
"""Share of the regions drawn in held-out tasks that must be used, so that these tasks measure a candidate."""

_NAMED_LABELS = 3
"""Labels without use that a decision names, the most frequent ones."""

Rule = Literal[
    "forgotten_labels",
    "lost_regions",
    "lost_held_out_regions",
    "no_held_out_entities",
    "no_current_version",
    "only_new_labels_held_out",
    "new_labels",
    "too_few_documents",
    "few_documents",
    "bootstrap",
]
"""Which rule of the gate decided:

- ``forgotten_labels``: regions carry a label that the current version has and the candidate lacks; rejected.
- ``lost_regions``: more regions could not be used than ``max_lost_regions`` allows; rejected.
- ``lost_held_out_regions``: none, or less than `MIN_HELD_OUT_SHARE`, of the held-out regions were used; rejected.
- ``no_held_out_entities``: no held-out document has a region; promoted.
- ``no_current_version``: no version serves, or its files cannot be opened; promoted. Where none serves, a candidate is
  compared with the phrases if `MIN_DOCUMENTS` are held out.
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
    version, or is `PHRASES`. ``share_worse`` is the share of resamples in which the candidate is worse by more than
    ``tolerance``, ``share_better`` that in which it is better. ``new_labels`` are those that the current version lacks.
    The others say how many of the regions in the project and in held-out tasks were used, and why not all, as in
    `Decision`; ``None`` where this is not known.
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
    regions: int | None = None
    regions_used: int | None = None
    held_out_regions: int | None = None
    held_out_regions_used: int | None = None
    max_lost_regions: float | None = None
    forgotten_labels: Mapping[str, int] = field(default_factory=dict)
    losses: tuple[str, ...] = ()

    def to_row(self) -> Decision:
        """The same as a row of the database."""
        return Decision(**asdict(self) | {"new_labels": list(self.new_labels), "losses": list(self.losses)})


def decide_on_regions(
    conversion: Conversion,
    *,
    labels: Collection[str],
    current_labels: Collection[str],
    max_lost_regions: float,
    current_name: str | None = None,
    current_decision: Decision | None = None,
) -> GateDecision | None:
    """Reject a candidate that learnt from too few of the project's regions; ``None`` where `decide` may compare it.

    It is rejected if regions carry labels that the current version has and the candidate lacks, if a larger share than
    ``max_lost_regions`` could not be used, and if less than `MIN_HELD_OUT_SHARE` of the held-out regions could. A share
    is accepted that is not larger than the one of ``current_decision``: a person promoted that version in spite of it.
    """
    held_out = conversion.held_out
    unknown = conversion.unknown_labels.items()
    forgotten = {label: regions for label, regions in unknown if label in current_labels and label not in labels}
    accepted, accepted_held_out = _accepted_shares(current_decision)
    rule: Rule
    if forgotten:
        rule = "forgotten_labels"
    elif conversion.total.lost_share > max(max_lost_regions, accepted):
        rule = "lost_regions"
    elif held_out.lost_share > max(1 - MIN_HELD_OUT_SHARE, accepted_held_out):
        rule = "lost_held_out_regions"
    else:
        return None
    decision = GateDecision(promote=False, rule=rule, documents=held_out.tasks_used, compared_with=current_name)
    decision = replace(decision, forgotten_labels=forgotten)
    return with_regions(decision, conversion, max_lost_regions=max_lost_regions)


def with_regions(decision: GateDecision, conversion: Conversion, *, max_lost_regions: float) -> GateDecision:
    """The decision with the numbers of regions that were used, and why others were not."""
    return replace(
        decision,
        regions=conversion.total.regions,
        regions_used=conversion.total.regions_used,
        held_out_regions=conversion.held_out.regions,
        held_out_regions_used=conversion.held_out.regions_used,
        max_lost_regions=max_lost_regions,
        losses=tuple(conversion.loss_sentences(named_labels=_NAMED_LABELS)),
    )


def _accepted_shares(decision: Decision | None) -> tuple[float, float]:
    """The shares of lost regions, of all and of held-out ones, with which the current version was promoted."""
    if decision is None:
        return 0.0, 0.0
    held_out = lost_share(decision.held_out_regions, decision.held_out_regions_used)
    return lost_share(decision.regions, decision.regions_used), held_out


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


def decide_against_phrases(candidate: Metrics | None, phrases: Metrics | None, *, tolerance: float) -> GateDecision:
    """The decision on a project's first version: it serves unless phrases alone are very likely better.

    Both are measured on the same held-out documents; on fewer than `MIN_DOCUMENTS` nothing is compared.
    """
    if candidate is None or phrases is None or not candidate.support or are_too_few(candidate.documents):
        return decide(candidate, None, labels=(), current_labels=(), tolerance=tolerance)
    totals, phrase_totals = (metrics.counts.totals(metrics.counts.labels) for metrics in (candidate, phrases))
    return _compare(totals, phrase_totals, tolerance, PHRASES, ())


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
