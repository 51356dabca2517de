"""What became of the latest run that has ended: promoted, rejected, failed, cancelled, or too few labels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from backend.conversion import short
from backend.evaluation.verdict import explain
from backend.scores import MIN_DOCUMENTS_OF_LABEL, LabelScore, Score, label_scores, rounded, shown, shown_difference
from backend.store.models import GATE, TOO_FEW_LABELS, Decision, Run, Version
from backend.store.overview import Overview
from backend.store.phrases import PHRASES
from backend.web.dashboard.figures import comparable
from backend.web.dashboard.formatting import capitalize_first

Outcome = Literal["promoted", "rejected", "finished", "failed", "too_few_labels", "cancelled"]

_LABELS_AT_ONCE = 5
"""Labels that are listed, those whose F1 fell most."""

_RARE_LABELS_AT_ONCE = 3
"""Labels that are named because their F1 is unknown."""

_BY_SCORE = ("bootstrap", "few_documents", "new_labels")
"""The rules that compare scores."""


@dataclass(frozen=True, slots=True)
class LowerLabel:
    """A label whose F1 is lower than in the version that the run's version was compared with, as both are shown."""

    label: str
    before: str
    after: str
    difference: str


@dataclass(frozen=True, slots=True)
class LastRun:
    """What became of ``run``.

    ``sentences`` say why, and which version serves now. ``lower`` are the labels whose F1 fell most if its ``version``
    was rejected in favour of ``compared_with``; ``lower_unknown`` says why they cannot be told, and of which labels.
    """

    run: Run
    outcome: Outcome
    title: str
    sentences: tuple[str, ...] = ()
    version: str | None = None
    compared_with: str | None = None
    lower: tuple[LowerLabel, ...] = ()
    lower_unknown: str = ""

    @property
    def failed(self) -> bool:
        return self.outcome == "failed"


def last_run(overview: Overview, versions: Sequence[Version]) -> LastRun | None:
    """The latest run that has ended, whatever became of it; ``None`` before the first has."""
    run = overview.last
    if run is None:
        return None
    which = "The run before" if overview.running else "The last run"
    version = next((version for version in versions if version.name == run.version), None)
    if run.state == "cancelled":
        return LastRun(run, "cancelled", f"{which} was cancelled")
    if run.state == "failed":
        sentences = (capitalize_first(run.error or "No reason was recorded."),)
        if run.error_kind == TOO_FEW_LABELS:
            return LastRun(run, "too_few_labels", f"{which} made no version: there are too few labels", sentences)
        return LastRun(run, "failed", f"{which} failed", sentences)
    decision = version.decision if version else None
    if version is None or decision is None:
        return LastRun(run, "finished", f"{which} made {run.version}" if run.version else f"{which} has finished")
    return _decided(run, which, version, decision, overview.current, versions)


def _decided(
    run: Run, which: str, version: Version, decision: Decision, current: Version | None, versions: Sequence[Version]
) -> LastRun:
    outcome: Outcome = "promoted" if decision.promote else "rejected"
    before = next((row for row in versions if row.name == decision.compared_with), None)
    reason = _reason(decision)
    lower, unknown = ((), "") if decision.promote or before is None else _lower_labels(version, before, decision)
    return LastRun(
        run,
        outcome,
        f"{which}: {version.name} was {outcome}",
        tuple(
            filter(None, (f"{capitalize_first(reason)}." if reason else "", _serving_now(version, decision, current)))
        ),
        version.name,
        before.name if before else None,
        lower,
        unknown,
    )


def _reason(decision: Decision) -> str:
    """Why the gate decided so, without a full stop; the lost regions are listed beside it."""
    if decision.rule == "forgotten_labels":
        labels = ", ".join(short(label) for label in decision.forgotten_labels or {})
        return f"the version cannot predict {labels} any more, which {decision.compared_with} can"
    sentence = explain(decision, with_losses=False)
    for outcome in ("promoted", "rejected"):
        sentence = sentence.removeprefix(outcome).removeprefix(": ")
    return sentence


def _serving_now(version: Version, decision: Decision, current: Version | None) -> str:
    if current is None:
        by_phrases = decision.compared_with == PHRASES
        return "Phrases are suggested until a version is better." if by_phrases else "No version serves."
    promotion = max(current.promotions, key=lambda row: row.id, default=None)
    by_hand = promotion is not None and promotion.actor != GATE
    if current.name == version.name:
        return "" if decision.promote else f"A person has promoted {version.name} since: it serves now."
    if not decision.promote:
        return f"{current.name} keeps serving."
    return f"{current.name} serves now{', promoted by a person' if by_hand else ''}."


def _lower_labels(version: Version, before: Version, decision: Decision) -> tuple[tuple[LowerLabel, ...], str]:
    """The labels whose F1 fell most, and why that cannot be told."""
    by_score = decision.rule in _BY_SCORE
    if not comparable(version, before):
        unknown = f"{version.name} and {before.name} were not scored on the same held-out tasks"
        return (), f"Which labels lost cannot be told: {unknown}." if by_score else ""
    for row in (version, before):
        if (score := Score.from_metrics(row.metrics)).unknown:
            return (), f"Which labels lost cannot be told: {score.unknown}." if by_score else ""
    after, former = label_scores(version.metrics), label_scores(before.metrics)
    falls = []
    for label in after.keys() & former.keys():
        new, old = after[label].f1, former[label].f1
        if new is not None and old is not None and rounded(new) < rounded(old):
            falls.append((rounded(new) - rounded(old), label, old, new))
    lower = tuple(
        LowerLabel(label, shown(old), shown(new), shown_difference(old, new))
        for _, label, old, new in sorted(falls)[:_LABELS_AT_ONCE]
    )
    none = f"No label with {MIN_DOCUMENTS_OF_LABEL} held-out tasks or more has a lower F1."
    sentences = [none if by_score and not lower else "", _too_rare(former, after) if by_score or lower else ""]
    return lower, " ".join(filter(None, sentences))


def _too_rare(before: Mapping[str, LabelScore], after: Mapping[str, LabelScore]) -> str:
    """Names the labels that both versions have and whose F1 is unknown, those with the most held-out regions first."""
    rare = [label for label in after.keys() & before.keys() if after[label].f1 is None or before[label].f1 is None]
    if not rare:
        return ""
    rare.sort(key=lambda label: (-after[label].regions, label))
    names = [short(label) for label in rare[:_RARE_LABELS_AT_ONCE]]
    if more := len(rare) - len(names):
        names.append(f"{more} more")
    return f"Not known for {' and '.join(filter(None, (', '.join(names[:-1]), names[-1])))}: too few held-out tasks."
