from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from backend.inference.decode import Floats
from backend.training.label_issues import IssueCandidate, find_label_issues
from converters.bio import tag_set
from converters.document import Span
from converters.tagged import TaggedDocument, tag_document
from tests.samples import LABELS, marked, tagged

TAGS = tag_set(LABELS)


def emissions(document: TaggedDocument, predicted: TaggedDocument, probability: float = 0.9) -> Floats:
    """Scores of a document's words by a model that predicts the spans of another document with the same text."""
    scores = np.full((len(document.words), len(TAGS)), (1 - probability) / (len(TAGS) - 1), dtype=np.float32)
    for number, word in enumerate(document.words):
        over = [span for span in predicted.spans if span.start < word.end and span.end > word.start]
        tag = f"{'B' if over[0].start >= word.start else 'I'}-{over[0].label}" if over else "O"
        scores[number, TAGS.index(tag)] = probability
    return np.log(scores)


def candidates(given: str, predicted: str, probability: float = 0.9) -> list[IssueCandidate]:
    document = tagged(given)
    return find_label_issues([document], [emissions(document, tagged(predicted), probability)], labels=LABELS)


def shown(issues: Sequence[IssueCandidate]) -> list[tuple[str, str, str | None, str]]:
    return [(issue.kind, issue.text, issue.given.label if issue.given else None, issue.view) for issue in issues]


@pytest.mark.parametrize(
    ("given", "predicted", "expected"),
    [
        (
            "good [pad thai|Cuisine] here",
            "good [pad thai|Dish] here",
            ("wrong label", "pad thai", "Cuisine", "Dish 0.92"),
        ),
        (
            "good [pad|Dish] thai here",
            "good [pad thai|Dish] here",
            ("wrong boundaries", "pad", "Dish", "“pad thai” instead of “pad”"),
        ),
        (
            "good [pad thai here|Dish]",
            "good [pad thai|Dish] here",
            ("wrong boundaries", "pad thai here", "Dish", "“pad thai” instead of “pad thai here”"),
        ),
        (
            "[thai ramen|Dish]",
            "[thai|Dish] [ramen|Dish]",
            ("wrong boundaries", "thai ramen", "Dish", "“thai” and “ramen” instead of “thai ramen”"),
        ),
        (
            "[thai ramen|Dish]",
            "[thai|Cuisine] [ramen|Dish]",
            ("wrong boundaries", "thai ramen", "Dish", "Cuisine 0.92 “thai”, Dish 0.92 “ramen”"),
        ),
        (
            "a [thai|Dish] place",
            "a [thai place|Cuisine]",
            ("wrong label", "thai", "Dish", "Cuisine 0.92 “thai place”"),
        ),
        ("a [nice|Dish] place", "a nice place", ("should not be marked", "nice", "Dish", "not an entity 0.90")),
        ("some thai food", "some [thai|Cuisine] food", ("missing", "thai", None, "Cuisine 0.92")),
    ],
)
def test_each_kind_of_mistake_is_named_in_the_models_words(
    given: str, predicted: str, expected: tuple[str, str, str | None, str]
) -> None:
    assert shown(candidates(given, predicted)) == [expected]


def test_agreement_is_no_issue() -> None:
    assert candidates("good [pad thai|Dish] [in Boston|Location]", "good [pad thai|Dish] [in Boston|Location]") == []
    assert candidates("nothing here", "nothing here") == []
    assert candidates("", "") == []
    assert find_label_issues([], [], labels=LABELS) == []


@pytest.mark.parametrize(
    ("given", "predicted", "words"),
    [
        ("[pad thai|Cuisine]", "[pad thai|Dish]", [0.1 / 6, 0.1 / 6]),
        ("some thai food", "some [thai|Cuisine] food", [0.1 / 6]),
        ("[pad|Dish] thai here", "[pad thai|Dish] here", [0.9, 0.1 / 6]),
    ],
)
def test_score_is_one_minus_the_probability_of_the_given_tags(given: str, predicted: str, words: list[float]) -> None:
    [candidate] = candidates(given, predicted, probability=0.9)
    assert candidate.score == pytest.approx(1 - np.exp(np.mean(np.log(words))))


def test_boundary_counts_by_the_share_of_disputed_words() -> None:
    [one_of_two] = candidates("good [pad|Dish] thai here", "good [pad thai|Dish] here")
    [whole] = candidates("some thai food", "some [thai|Cuisine] food")
    assert one_of_two.score < whole.score
    words = "one two three four five six seven eight"
    assert candidates(f"[{words}|Dish] nine", f"[{words} nine|Dish]") == []


def test_highest_score_comes_first_and_probably_right_labels_are_left_out() -> None:
    given = [tagged(f"[{word}|Dish] please", id=word) for word in ("one", "two", "three")]
    predicted = [tagged(f"[{word}|Cuisine] please") for word in ("one", "two", "three")]
    scores = list(map(emissions, given, predicted, (0.7, 0.95, 0.3)))
    scores[2][0, TAGS.index("B-Dish")] = np.log(0.6)
    issues = find_label_issues(given, scores, labels=LABELS)
    assert [issue.document for issue in issues] == ["two", "one"]


def test_offsets_are_those_of_the_text() -> None:
    [candidate] = candidates("🍣 Crêpes and [thai|Dish]", "🍣 Crêpes and [thai|Cuisine]")
    assert (candidate.start, candidate.end, candidate.given) == (13, 17, Span(13, 17, "Dish"))
    [predicted] = candidate.predicted
    assert (predicted.start, predicted.end, predicted.label) == (13, 17, "Cuisine")
    assert predicted.score == pytest.approx(0.9 + 0.1 / 6)
    [missing] = candidates("🍣 thai", "🍣 [thai|Cuisine]")
    assert (missing.start, missing.end, missing.given) == (2, 6, None)


def test_region_predicted_over_two_given_ones_is_an_issue_of_each_alone() -> None:
    first, second = candidates("[thai|Cuisine] [food|Cuisine]", "[thai food|Dish]")
    assert {first.text, second.text} == {"thai", "food"}
    assert first.score == pytest.approx(second.score)


def test_adjacent_regions_of_one_label_taken_for_one() -> None:
    issues = candidates("[pad|Dish] [thai|Dish]", "[pad thai|Dish]")
    assert shown(issues) == [("wrong boundaries", "thai", "Dish", "“pad thai” instead of “thai”")]


def test_words_without_word_pieces_are_no_issue() -> None:
    document = tagged("[\u200b|Dish] thai")
    scores = emissions(document, tagged("\u200b thai"))
    assert document.words
    scores[:] = -np.inf
    scores[:, TAGS.index("O")] = 0.0
    assert find_label_issues([document], [scores], labels=LABELS) == []


@pytest.mark.parametrize(
    ("given", "unreadable", "predicted"),
    [
        ("good thai food", Span(5, 9, "Kitchen"), "good [thai|Cuisine] food"),
        ("good thai food", Span(5, 9, "Kitchen"), "[good thai food|Dish]"),
        ("good [thai|Dish] food", Span(10, 14, ""), "good [thai food|Dish]"),
    ],
    ids=["on it", "around it", "a region reaches into it"],
)
def test_model_is_not_believed_about_words_of_an_unreadable_region(
    given: str, unreadable: Span, predicted: str
) -> None:
    sample = marked(given)
    document = tag_document(replace(sample, unreadable=(unreadable,)))
    assert find_label_issues([document], [emissions(document, tagged(predicted))], labels=LABELS) == []
