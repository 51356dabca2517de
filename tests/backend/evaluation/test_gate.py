from __future__ import annotations

import pytest

from backend.evaluation.evaluate import Metrics, score
from backend.evaluation.gate import Verdict, judge


def found(*right: int, of: int = 4, times: int = 1) -> Metrics:
    """A version that finds so many of the ``of`` entities of each document, and nothing else."""
    gold = [["B-Dish"] * of for _ in right] * times
    predicted = [["B-Dish"] * number + ["O"] * (of - number) for number in right] * times
    return score(gold, predicted)


def verdict(candidate: Metrics | None, current: Metrics | None, *, tolerance: float = 0.005) -> Verdict:
    return judge(candidate, current, labels=("Dish",), current_labels=("Dish",), tolerance=tolerance)


@pytest.mark.parametrize(
    ("candidate", "current", "promote", "words"),
    [
        (None, None, True, "promoted: no held-out entities yet, so nothing speaks against it"),
        (found(0, of=0), found(0, of=0), True, "promoted: no held-out entities yet, so nothing speaks against it"),
        (
            found(1, times=4),
            None,
            True,
            "promoted: F1 0.400 (measured on only 4 held-out tasks: too few to say more), with no version to compare",
        ),
        (
            found(4, times=40),
            None,
            True,
            "promoted: F1 1.000 (95 %: 0.912 to 1.000) on 40 held-out tasks, with no version to compare",
        ),
        (
            found(3, times=40),
            found(2, times=40),
            True,
            "promoted: F1 0.857 against 0.667 on the same 40 held-out tasks (better in 100 % of resamples)",
        ),
        (
            found(3, times=40),
            found(3, times=40),
            True,
            "promoted: F1 0.857 against 0.857 on the same 40 held-out tasks (as good in all resamples)",
        ),
        (
            found(2, times=40),
            found(3, times=40),
            False,
            "rejected: F1 0.667 against 0.857 on the same 40 held-out tasks, "
            "worse by more than 0.005 in 100 % of resamples",
        ),
        (
            found(3, times=12),
            found(2, times=12),
            True,
            "promoted: F1 0.857 against 0.667 on the same 12 held-out tasks, "
            "too few to say more than that it is not plainly broken",
        ),
        (
            found(0, 1),
            found(4, 4),
            True,
            "promoted: F1 0.222 against 1.000 on the same 2 held-out tasks, too few to speak against it",
        ),
        (
            found(1, times=12),
            found(3, times=12),
            False,
            "rejected: F1 0.400 against 0.857 on the same 12 held-out tasks, too few to tell small differences, "
            "but worse by more than 0.1 in 100 % of resamples",
        ),
    ],
)
def test_verdict_is_a_sentence(candidate: Metrics | None, current: Metrics | None, promote: bool, words: str) -> None:
    assert verdict(candidate, current) == Verdict(promote, words)


@pytest.mark.parametrize(
    ("worse", "better", "promote"),
    [(0, 0, True), (1, 0, True), (3, 3, True), (3, 0, False), (6, 4, True), (12, 4, False)],
)
def test_loss_that_a_few_documents_decide_is_chance(worse: int, better: int, promote: bool) -> None:
    same = 60 - worse - better
    candidate = found(*[2] * worse, *[4] * better, *[3] * same)
    current = found(*[4] * worse, *[2] * better, *[3] * same)
    said = verdict(candidate, current)
    assert said.promote is promote
    assert ("90 % would reject it" in said.reason) is (promote and worse > better)


@pytest.mark.parametrize(("tolerance", "promote"), [(0.0, False), (0.19, False), (0.2, True), (1.0, True)])
def test_tolerance_is_what_may_be_lost(tolerance: float, promote: bool) -> None:
    assert verdict(found(2, times=40), found(3, times=40), tolerance=tolerance).promote is promote


@pytest.mark.parametrize(
    ("documents", "candidate", "promote"),
    [(1, 0, True), (2, 0, True), (3, 0, False), (29, 9, True), (29, 7, False), (30, 9, False)],
)
def test_few_documents_reject_only_what_is_plainly_broken(documents: int, candidate: int, promote: bool) -> None:
    said = verdict(found(candidate, of=10, times=documents), found(10, of=10, times=documents))
    assert said.promote is promote


def test_versions_are_compared_document_by_document() -> None:
    """Scores that vary as much from document to document say more where they vary together."""
    current = found(*[4, 0] * 20)
    assert not verdict(found(*[3, 0] * 20), current).promote
    shuffled = verdict(found(*[0, 3] * 20), current)
    assert shuffled.promote
    assert "F1 0.545 against 0.667" in shuffled.reason


@pytest.mark.parametrize(
    ("documents", "tasks"), [(40, "40 held-out tasks"), (12, "12 held-out tasks (too few to say more)")]
)
def test_new_labels_are_promoted_with_the_figures_of_the_others(documents: int, tasks: str) -> None:
    gold = [["B-Dish", "B-Drink"]] * documents
    candidate, current = score(gold, [["O", "B-Drink"]] * documents), score(gold, [["B-Dish", "O"]] * documents)
    said = judge(candidate, current, labels=("Dish", "Drink"), current_labels=("Dish",), tolerance=0.0)
    words = f"it knows new labels (Drink); F1 0.000 against 1.000 on the same {tasks} for the others"
    assert said == Verdict(True, f"promoted: {words}")


def test_many_new_labels_are_not_all_named() -> None:
    both = found(1)
    said = judge(both, both, labels=("Dish", "A", "B", "C", "D", "E"), current_labels=("Dish",), tolerance=0.0)
    assert "new labels (A, B, C and 2 more)" in said.reason


@pytest.mark.parametrize("known", [("Food",), ("Food", "Place")])
def test_version_with_nothing_to_compare_but_new_labels_is_promoted(known: tuple[str, ...]) -> None:
    said = judge(found(1), found(4), labels=("Dish", "Place"), current_labels=known, tolerance=0.0)
    new = "Dish" if "Place" in known else "Dish, Place"
    assert said == Verdict(True, f"promoted: it knows new labels ({new}), and no held-out entity has another")


def test_predictions_of_a_removed_label_count_neither_way() -> None:
    gold = [["B-Dish", "O"]] * 40
    current = score(gold, [["B-Dish", "B-Drink"]] * 40)
    candidate = score(gold, [["B-Dish", "O"]] * 38 + [["O", "O"]] * 2)
    said = judge(candidate, current, labels=("Dish",), current_labels=("Dish", "Drink"), tolerance=0.0)
    assert "F1 0.974 against 1.000" in said.reason
