from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any, get_args

import pytest

from backend.conversion import Conversion, Use
from backend.evaluation.evaluate import Metrics, score
from backend.evaluation.gate import (
    GateDecision,
    Rule,
    decide,
    decide_against_phrases,
    decide_on_regions,
    with_regions,
)
from backend.evaluation.verdict import describe, explain
from backend.store.models import Decision


def metrics(*correct: int, of: int = 4, times: int = 1) -> Metrics:
    """Of a version that finds ``correct`` of the ``of`` entities of each document, and nothing else."""
    gold = [["B-Dish"] * of for _ in correct] * times
    predicted = [["B-Dish"] * number + ["O"] * (of - number) for number in correct] * times
    return score(gold, predicted)


def decision_on(candidate: Metrics | None, current: Metrics | None, *, tolerance: float = 0.005) -> GateDecision:
    return decide(
        candidate,
        current,
        labels=("Dish",),
        current_labels=("Dish",),
        tolerance=tolerance,
        current_name="ner-v1" if current else None,
    )


def row(**columns: Any) -> Decision:
    """A decision as the store returns it."""
    return Decision(**{"promote": True, "new_labels": [], **columns})


@pytest.mark.parametrize(
    ("candidate", "current", "promote", "rule", "sentence"),
    [
        (
            None,
            None,
            True,
            "no_held_out_entities",
            "nothing could be compared, because no task is held out yet (30 held-out tasks are needed)",
        ),
        (
            metrics(0, of=0),
            metrics(0, of=0),
            True,
            "no_held_out_entities",
            "nothing could be compared, because no held-out task has regions (30 held-out tasks are needed)",
        ),
        (
            metrics(1, times=4),
            None,
            True,
            "no_current_version",
            "there is no current version to compare with; F1 unknown: only 4 held-out tasks, 26 more are needed",
        ),
        (
            metrics(4, times=40),
            None,
            True,
            "no_current_version",
            "there is no current version to compare with; F1 1.000 on 40 held-out tasks",
        ),
        (
            metrics(3, times=40),
            metrics(2, times=40),
            True,
            "bootstrap",
            "F1 0.857 against 0.667 of ner-v1 on the same 40 held-out tasks "
            "(better in 100 % of random selections of these tasks)",
        ),
        (
            metrics(3, times=40),
            metrics(3, times=40),
            True,
            "bootstrap",
            "F1 0.857 against 0.857 of ner-v1 on the same 40 held-out tasks "
            "(as good in all random selections of these tasks)",
        ),
        (
            metrics(2, times=40),
            metrics(3, times=40),
            False,
            "bootstrap",
            "F1 0.667 against 0.857 of ner-v1 on the same 40 held-out tasks "
            "(F1 lower by more than 0.005 in 100 % of random selections of these tasks)",
        ),
        (
            metrics(3, times=12),
            metrics(2, times=12),
            True,
            "few_documents",
            "only 12 held-out tasks (30 are needed), too few to compare it closely with ner-v1; it is not much worse",
        ),
        (
            metrics(0, 1),
            metrics(4, 4),
            True,
            "too_few_documents",
            "only 2 held-out tasks (30 are needed), too few to compare it with ner-v1",
        ),
        (
            metrics(1, times=12),
            metrics(3, times=12),
            False,
            "few_documents",
            "much worse than ner-v1 on the same 12 held-out tasks: F1 lower by more than 0.1 in 100 % of random "
            "selections of these tasks; 30 are needed to measure small differences",
        ),
    ],
)
def test_decision_has_its_rule_and_is_explained_in_a_sentence(
    candidate: Metrics | None, current: Metrics | None, promote: bool, rule: Rule, sentence: str
) -> None:
    decision = decision_on(candidate, current)
    assert (decision.promote, decision.rule) == (promote, rule)
    assert explain(decision) == f"{'promoted' if promote else 'rejected'}: {sentence}"


def test_decision_holds_the_figures_it_rests_on() -> None:
    decision = decision_on(metrics(2, times=40), metrics(3, times=40))
    assert decision.f1 == pytest.approx(2 / 3)
    assert decision.current_f1 == pytest.approx(6 / 7)
    assert decision == GateDecision(
        promote=False,
        rule="bootstrap",
        documents=40,
        f1=decision.f1,
        current_f1=decision.current_f1,
        compared_with="ner-v1",
        tolerance=0.005,
        share_worse=1.0,
        share_better=0.0,
        new_labels=(),
    )


@pytest.mark.parametrize(("documents", "tolerance"), [(2, 0.005), (12, 0.1), (40, 0.005)])
def test_few_documents_have_the_figures_too(documents: int, tolerance: float) -> None:
    decision = decision_on(metrics(3, times=documents), metrics(2, times=documents))
    assert (decision.documents, decision.tolerance, decision.share_better) == (documents, tolerance, 1.0)
    assert decision.f1 == pytest.approx(6 / 7)
    assert decision.current_f1 == pytest.approx(2 / 3)


@pytest.mark.parametrize(
    ("worse", "better", "promote"),
    [(0, 0, True), (1, 0, True), (3, 3, True), (3, 0, False), (6, 4, True), (12, 4, False)],
)
def test_loss_that_a_few_documents_decide_is_chance(worse: int, better: int, promote: bool) -> None:
    same = 60 - worse - better
    candidate = metrics(*[2] * worse, *[4] * better, *[3] * same)
    current = metrics(*[4] * worse, *[2] * better, *[3] * same)
    decision = decision_on(candidate, current)
    assert decision.promote is promote
    assert ("90 % would reject it" in explain(decision)) is (promote and worse > better)


@pytest.mark.parametrize(("tolerance", "promote"), [(0.0, False), (0.19, False), (0.2, True), (1.0, True)])
def test_tolerance_is_what_may_be_lost(tolerance: float, promote: bool) -> None:
    assert decision_on(metrics(2, times=40), metrics(3, times=40), tolerance=tolerance).promote is promote


@pytest.mark.parametrize(
    ("documents", "candidate", "promote"),
    [(1, 0, True), (2, 0, True), (3, 0, False), (29, 9, True), (29, 7, False), (30, 9, False)],
)
def test_few_documents_reject_only_what_is_much_worse(documents: int, candidate: int, promote: bool) -> None:
    decision = decision_on(metrics(candidate, of=10, times=documents), metrics(10, of=10, times=documents))
    assert decision.promote is promote


def test_versions_are_compared_document_by_document() -> None:
    """Scores that vary as much from document to document are compared more exactly where they vary together."""
    current = metrics(*[4, 0] * 20)
    assert not decision_on(metrics(*[3, 0] * 20), current).promote
    shuffled = decision_on(metrics(*[0, 3] * 20), current)
    assert shuffled.promote
    assert shuffled.f1 == pytest.approx(6 / 11)
    assert shuffled.current_f1 == pytest.approx(2 / 3)


@pytest.mark.parametrize(
    ("documents", "sentence"),
    [
        (40, "F1 0.000 against 1.000 of ner-v1 on the same 40 held-out tasks for the other labels"),
        (12, "only 12 held-out tasks (30 are needed), too few to compare the other labels"),
    ],
)
def test_new_labels_are_promoted_with_the_figures_of_the_others(documents: int, sentence: str) -> None:
    gold = [["B-Dish", "B-Drink"]] * documents
    candidate, current = score(gold, [["O", "B-Drink"]] * documents), score(gold, [["B-Dish", "O"]] * documents)
    decision = decide(
        candidate,
        current,
        labels=("Dish", "Drink"),
        current_labels=("Dish",),
        tolerance=0.0,
        current_name="ner-v1",
    )
    assert (decision.promote, decision.rule, decision.new_labels) == (True, "new_labels", ("Drink",))
    assert (decision.f1, decision.current_f1) == (0.0, 1.0)
    assert explain(decision) == f"promoted: it has labels that ner-v1 lacks (Drink); {sentence}"


@pytest.mark.parametrize(
    ("candidate", "phrases", "promote", "rule"),
    [
        (metrics(1, times=40), metrics(3, times=40), False, "bootstrap"),
        (metrics(3, times=40), metrics(1, times=40), True, "bootstrap"),
        (metrics(1, times=29), metrics(3, times=29), True, "no_current_version"),
        (metrics(0, of=0, times=40), metrics(0, of=0, times=40), True, "no_held_out_entities"),
        (None, None, True, "no_held_out_entities"),
        (metrics(1, times=40), None, True, "no_current_version"),
    ],
)
def test_first_version_is_compared_with_phrases_on_enough_documents(
    candidate: Metrics | None, phrases: Metrics | None, promote: bool, rule: Rule
) -> None:
    decision = decide_against_phrases(candidate, phrases, tolerance=0.005)
    assert (decision.promote, decision.rule) == (promote, rule)


def test_version_that_phrases_beat_is_rejected_in_a_sentence() -> None:
    decision = decide_against_phrases(metrics(1, times=40), metrics(3, times=40), tolerance=0.005)
    assert explain(decision) == (
        "rejected: F1 0.400 against 0.857 of the phrases marked so far on the same 40 held-out tasks "
        "(F1 lower by more than 0.005 in 100 % of random selections of these tasks)"
    )


def test_labels_that_only_phrases_predict_count_against_them() -> None:
    gold = [["B-Dish", "O"]] * 40
    candidate, phrases = score(gold, gold), score(gold, [["B-Dish", "B-Place"]] * 40)
    decision = decide_against_phrases(candidate, phrases, tolerance=0.005)
    assert decision.f1 == 1.0
    assert decision.current_f1 == pytest.approx(2 / 3)


def test_many_new_labels_are_not_all_named() -> None:
    both = metrics(1)
    decision = decide(both, both, labels=("Dish", "A", "B", "C", "D", "E"), current_labels=("Dish",), tolerance=0.0)
    assert decision.new_labels == ("A", "B", "C", "D", "E")
    assert "labels that the current version lacks (A, B, C and 2 more)" in explain(decision)


@pytest.mark.parametrize("current_labels", [("Food",), ("Food", "Place")])
def test_version_with_nothing_to_compare_but_new_labels_is_promoted(current_labels: tuple[str, ...]) -> None:
    decision = decide(metrics(1), metrics(4), labels=("Dish", "Place"), current_labels=current_labels, tolerance=0.0)
    new_labels = ("Dish",) if "Place" in current_labels else ("Dish", "Place")
    assert (decision.promote, decision.rule, decision.new_labels) == (True, "only_new_labels_held_out", new_labels)
    assert explain(decision) == (
        f"promoted: it has labels that the current version lacks ({', '.join(new_labels)}), "
        "and no held-out region has another label"
    )


def test_predictions_of_a_removed_label_count_neither_way() -> None:
    gold = [["B-Dish", "O"]] * 40
    current = score(gold, [["B-Dish", "B-Drink"]] * 40)
    candidate = score(gold, [["B-Dish", "O"]] * 38 + [["O", "O"]] * 2)
    decision = decide(candidate, current, labels=("Dish",), current_labels=("Dish", "Drink"), tolerance=0.0)
    assert decision.f1 == pytest.approx(76 / 78)
    assert decision.current_f1 == 1.0


@pytest.mark.parametrize("rule", get_args(Rule))
def test_every_rule_is_explained(rule: Rule) -> None:
    decision = GateDecision(
        promote=True, rule=rule, documents=40, f1=0.5, current_f1=0.4, tolerance=0.1, share_worse=0.0, share_better=1.0
    )
    assert len(explain(decision)) > len("promoted: ")


@pytest.mark.parametrize("promote", [True, False])
def test_rule_of_another_release_is_explained_by_its_outcome(promote: bool) -> None:
    assert explain(row(promote=promote, rule="not yet invented")) == ("promoted" if promote else "rejected")


def test_sentence_of_an_earlier_release_is_kept() -> None:
    assert explain(row(rule="", note="promoted: better in 100 % of resamples")) == (
        "promoted: better in 100 % of resamples"
    )


DECISION = decision_on(metrics(1, times=12), metrics(3, times=12))
NOVEMBER_21 = 1795219200.0
HOUR = 3600.0


def promotion(actor: str, promoted_at: float) -> Any:
    return SimpleNamespace(actor=actor, promoted_at=promoted_at)


@pytest.mark.parametrize(
    ("decision", "promotions", "sentence"),
    [
        (None, [], ""),
        (DECISION, [], explain(DECISION)),
        (replace(DECISION, promote=True), [promotion("gate", 0.0)], explain(replace(DECISION, promote=True))),
        (
            DECISION,
            [promotion("dashboard", NOVEMBER_21 + HOUR), promotion("command line", HOUR)],
            f"{explain(DECISION)}; promoted by hand on 2026-11-21 (dashboard)",
        ),
        (None, [promotion("command line", NOVEMBER_21)], "promoted by hand on 2026-11-21 (command line)"),
    ],
)
def test_promotions_by_people_are_added_to_the_decision(
    decision: GateDecision | None, promotions: list[Any], sentence: str
) -> None:
    version: Any = SimpleNamespace(decision=decision, promotions=promotions)
    assert describe(version) == sentence


# Regions that could not be used


def lost(
    used: int, *, held_out_used: int = 40, unknown: dict[str, int] | None = None, regions: int = 400
) -> Conversion:
    """Of a project with 400 regions, 40 of them in held-out tasks."""
    return Conversion(Use(90, 90, regions, used), Use(9, 9, 40, held_out_used), unknown_labels=unknown or {})


def accepted(used: int, held_out_used: int = 40) -> Decision:
    """The decision about the version that serves."""
    return row(regions=400, regions_used=used, held_out_regions=40, held_out_regions_used=held_out_used)


def decided_on(
    conversion: Conversion, *, current: Decision | None = None, labels: tuple[str, ...] = ("Dish",)
) -> GateDecision | None:
    return decide_on_regions(
        conversion,
        labels=labels,
        current_labels=("Dish", "Person") if current else (),
        max_lost_regions=0.1,
        current_name="ner-v1" if current else None,
        current_decision=current,
    )


@pytest.mark.parametrize("current", [None, row(), accepted(400)], ids=["first version", "early release", "version"])
@pytest.mark.parametrize(
    ("conversion", "rule", "sentence"),
    [
        (lost(400), None, ""),
        (lost(360), None, ""),
        (lost(0, held_out_used=40, regions=0), None, ""),
        (lost(398, held_out_used=20), None, ""),
        (
            lost(359),
            "lost_regions",
            "rejected: 41 of 400 regions could not be used, a larger share than MAX_LOST_REGIONS allows (0.1): mend "
            "them, or promote this version by hand",
        ),
        (
            lost(380, held_out_used=19),
            "lost_held_out_regions",
            "rejected: only 19 of 40 regions in held-out tasks could be used, too few to measure it: mend them, or "
            "promote this version by hand",
        ),
        (lost(380, held_out_used=0), "lost_held_out_regions", "rejected: only 0 of 40 regions in held-out tasks"),
    ],
)
def test_version_that_lost_too_many_regions_is_rejected(
    conversion: Conversion, rule: str | None, sentence: str, current: Decision | None
) -> None:
    decision = decided_on(conversion, current=current)
    assert (decision.rule if decision else None) == rule
    if decision:
        assert not decision.promote
        assert explain(decision).startswith(sentence)
        figures = (decision.regions, decision.regions_used, decision.held_out_regions, decision.held_out_regions_used)
        use, held_out = conversion.total, conversion.held_out
        assert figures == (use.regions, use.regions_used, held_out.regions, held_out.regions_used)


@pytest.mark.parametrize(
    ("conversion", "current", "rule"),
    [
        (lost(300), accepted(300), None),
        (lost(310), accepted(300), None),
        (lost(299), accepted(300), "lost_regions"),
        (lost(380, held_out_used=10), accepted(380, 10), None),
        (lost(380, held_out_used=9), accepted(380, 10), "lost_held_out_regions"),
    ],
)
def test_share_that_a_person_accepted_needs_no_new_yes(
    conversion: Conversion, current: Decision, rule: str | None
) -> None:
    decision = decided_on(conversion, current=current)
    assert (decision.rule if decision else None) == rule


@pytest.mark.parametrize(
    "conversion",
    [
        lost(300, unknown={"Person": 60, "Place": 40}),
        lost(380, held_out_used=2, unknown={"Person": 60, "Place": 40}),
    ],
    ids=["in all tasks", "in held-out tasks"],
)
def test_version_that_lost_too_many_regions_says_which_and_why(conversion: Conversion) -> None:
    decision = decided_on(conversion)
    assert decision is not None
    reasons = [
        f"{number} regions carry the label {label}, which the configuration no longer has: rename it back, or map it"
        for label, number in (("Person", 60), ("Place", 40))
    ]
    assert explain(decision) == "; ".join([explain(decision, with_losses=False), *reasons])


@pytest.mark.parametrize(
    ("conversion", "compared_with", "sentences"),
    [
        (lost(360), "ner-v1", []),
        (lost(300), "ner-v1", ["100 of 400 regions are not used, as accepted with ner-v1"]),
        (lost(300), None, ["100 of 400 regions are not used, as accepted earlier"]),
        (
            lost(380, held_out_used=10),
            "ner-v1",
            ["30 of 40 regions in held-out tasks are not used, as accepted with ner-v1"],
        ),
    ],
)
def test_promoted_version_says_which_losses_were_accepted_earlier(
    conversion: Conversion, compared_with: str | None, sentences: list[str]
) -> None:
    decision = GateDecision(
        promote=True, rule="bootstrap", documents=40, f1=0.6, current_f1=0.5, share_worse=0.0, share_better=0.9,
        tolerance=0.0, compared_with=compared_with,
    )  # fmt: skip
    verdict = explain(with_regions(decision, conversion, max_lost_regions=0.1))
    assert verdict == "; ".join([explain(decision), *sentences])


@pytest.mark.parametrize("regions", [1, 30])
def test_version_that_forgot_a_label_is_rejected_however_rare_it_is(regions: int) -> None:
    decision = decided_on(lost(400 - regions, unknown={"Person": regions, "Typo": 2}), current=accepted(400))
    assert decision is not None
    assert (decision.promote, decision.rule, decision.forgotten_labels) == (
        False,
        "forgotten_labels",
        {"Person": regions},
    )
    carry = "1 region carries" if regions == 1 else "30 regions carry"
    assert explain(decision) == (
        f"rejected: {carry} the label Person, which ner-v1 knows and the configuration no longer has: rename it back, "
        f"or map it; {regions} of 400 regions could not be used"
    )


def test_label_that_only_one_text_lost_is_not_forgotten() -> None:
    assert decided_on(lost(390, unknown={"Person": 10}), current=accepted(400), labels=("Dish", "Person")) is None


def test_label_whose_regions_are_gone_may_be_forgotten() -> None:
    assert decided_on(lost(400), current=accepted(400)) is None
