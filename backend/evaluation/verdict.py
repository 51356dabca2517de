"""The gate's decisions as sentences."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

from backend.conversion import lost_share, unknown_label_sentence
from backend.evaluation.gate import MIN_HELD_OUT_SHARE, REJECTING_SHARE, GateDecision
from backend.scores import MIN_DOCUMENTS, Score, are_too_few, held_out_tasks, shown
from backend.store.models import GATE, Decision, Version
from backend.store.phrases import PHRASES

_NAMED_LABELS = 3

_SELECTIONS = "random selections of these tasks"
"""What sentences call the bootstrap's resamples."""

_LOST = ("forgotten_labels", "lost_regions", "lost_held_out_regions")
"""The rules that reject a version for the regions that it could not use."""


def describe(version: Version) -> str:
    """What the gate decided about a version, and when a person last promoted it; empty if neither happened."""
    parts = [explain(version.decision)] if version.decision else []
    by_people = [promotion for promotion in version.promotions if promotion.actor != GATE]
    if by_people:
        last = max(by_people, key=lambda promotion: promotion.promoted_at or 0.0)
        on = f" on {datetime.fromtimestamp(last.promoted_at, UTC).date().isoformat()}" if last.promoted_at else ""
        parts.append(f"promoted by hand{on} ({last.actor})")
    return "; ".join(parts)


def explain(decision: GateDecision | Decision, *, with_losses: bool = True) -> str:
    """One sentence for the project lead, without a full stop, beginning with ``promoted:`` or ``rejected:``.

    F1 is not given on fewer than `MIN_DOCUMENTS` held-out documents: there it is unknown. A version that is rejected
    for its lost regions names the reasons of these, unless ``with_losses`` is false.
    """
    if isinstance(decision, Decision) and decision.note:
        return decision.note
    outcome = "promoted" if decision.promote else "rejected"
    reason = _reason(decision)
    sentence = f"{outcome}: {reason}" if reason else outcome
    if decision.rule in _LOST:
        losses = (decision.losses or ()) if with_losses and decision.rule != "forgotten_labels" else ()
        return "; ".join([sentence, *losses])
    return "; ".join([sentence, *_accepted(decision)])


def _reason(decision: GateDecision | Decision) -> str:
    current = _compared(decision)
    documents = decision.documents or 0
    new_labels = f"it has labels that {current} lacks ({_names(decision.new_labels)})"
    match decision.rule:
        case rule if rule in _LOST:
            return _lost(decision, current)
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
            needed = f"{MIN_DOCUMENTS} are needed to measure small differences"
            return f"much worse than {current} on the same {held_out_tasks(documents)}: {_worse(decision)}; {needed}"
        case "bootstrap":
            return f"{_figures(decision, current)} ({_share(decision)})"
    return ""


def _compared(decision: GateDecision | Decision) -> str:
    if decision.compared_with == PHRASES:
        return "the phrases marked so far"
    return decision.compared_with or "the current version"


def _lost(decision: GateDecision | Decision, current: str) -> str:
    """The reason of the rules that judge how many regions were used."""
    of_all = f"{_not_used(decision.regions, decision.regions_used)} regions could not be used"
    by_hand = "mend them, or promote this version by hand"
    match decision.rule:
        case "forgotten_labels":
            labels = sorted((decision.forgotten_labels or {}).items(), key=lambda row: -row[1])
            sentences = [
                unknown_label_sentence(label, count, also_known_to=current) for label, count in labels[:_NAMED_LABELS]
            ]
            more = [f"and {len(labels) - _NAMED_LABELS} more labels"] if len(labels) > _NAMED_LABELS else []
            return "; ".join([*sentences, *more, of_all])
        case "lost_regions":
            allowed = f"a larger share than MAX_LOST_REGIONS allows ({decision.max_lost_regions or 0:g})"
            return f"{of_all}, {allowed}: {by_hand}"
    held_out = f"{decision.held_out_regions or 0:,} regions in held-out tasks"
    return f"only {decision.held_out_regions_used or 0:,} of {held_out} could be used, too few to measure it: {by_hand}"


def _accepted(decision: GateDecision | Decision) -> Iterator[str]:
    """What was lost beyond the limits: a person has promoted an earlier version that had lost as much."""
    earlier = f"as accepted with {decision.compared_with}" if decision.compared_with else "as accepted earlier"
    of_all = decision.regions, decision.regions_used
    if decision.max_lost_regions is not None and lost_share(*of_all) > decision.max_lost_regions:
        yield f"{_not_used(*of_all)} regions are not used, {earlier}"
    held_out = decision.held_out_regions, decision.held_out_regions_used
    if lost_share(*held_out) > 1 - MIN_HELD_OUT_SHARE:
        yield f"{_not_used(*held_out)} regions in held-out tasks are not used, {earlier}"


def _not_used(regions: int | None, used: int | None) -> str:
    return f"{(regions or 0) - (used or 0):,} of {regions or 0:,}"


def _share(decision: GateDecision | Decision) -> str:
    if not decision.promote:
        return _worse(decision)
    if (decision.f1 or 0.0) < (decision.current_f1 or 0.0):
        return f"{_worse(decision)}, {_percent(REJECTING_SHARE)} would reject it"
    if decision.share_better:
        return f"better in {_percent(decision.share_better)} of {_SELECTIONS}"
    return f"as good in all {_SELECTIONS}"


def _figures(decision: GateDecision | Decision, current: str) -> str:
    on = f"on the same {held_out_tasks(decision.documents or 0)}"
    return f"F1 {shown(decision.f1)} against {shown(decision.current_f1)} of {current} {on}"


def _worse(decision: GateDecision | Decision) -> str:
    share = _percent(decision.share_worse or 0.0)
    return f"F1 lower by more than {decision.tolerance:g} in {share} of {_SELECTIONS}"


def _too_few(documents: int) -> str:
    return f"only {held_out_tasks(documents)} ({MIN_DOCUMENTS} are needed), too few"


def _percent(share: float) -> str:
    """Rounded down, so that a share just below a threshold does not read as if it had reached it."""
    return f"{int(100 * share + 1e-9)} %"


def _names(labels: Sequence[str]) -> str:
    rest = len(labels) - _NAMED_LABELS
    return ", ".join(labels[:_NAMED_LABELS]) + (f" and {rest} more" if rest > 0 else "")
