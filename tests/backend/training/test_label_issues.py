from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from backend.inference.decode import Floats
from backend.training.label_issues import IssueCandidate, rank
from converters.bio import spans_to_tags, tag_set
from converters.document import Document, Span
from tests.samples import LABELS, marked

TAGS = tag_set(LABELS)


def emissions(document: Document, seen: Document, sure: float = 0.9) -> Floats:
    """What a model says of the words of a document that is ``sure`` of the spans of another with the same text."""
    words = spans_to_tags(document.text, document.spans).words
    scores = np.full((len(words), len(TAGS)), (1 - sure) / (len(TAGS) - 1), dtype=np.float32)
    for number, word in enumerate(words):
        over = [span for span in seen.spans if span.start < word.end and span.end > word.start]
        tag = f"{'B' if over[0].start >= word.start else 'I'}-{over[0].label}" if over else "O"
        scores[number, TAGS.index(tag)] = sure
    return np.log(scores)


def candidates(given: str, seen: str, sure: float = 0.9) -> list[IssueCandidate]:
    document = marked(given)
    return rank([document], [emissions(document, marked(seen), sure)], labels=LABELS)


def shown(found: Sequence[IssueCandidate]) -> list[tuple[str, str, str | None, str]]:
    return [(each.kind, each.text, each.given.label if each.given else None, each.view) for each in found]


@pytest.mark.parametrize(
    ("given", "seen", "expected"),
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
    given: str, seen: str, expected: tuple[str, str, str | None, str]
) -> None:
    assert shown(candidates(given, seen)) == [expected]


def test_agreement_raises_no_doubt() -> None:
    assert candidates("good [pad thai|Dish] [in Boston|Location]", "good [pad thai|Dish] [in Boston|Location]") == []
    assert candidates("nothing here", "nothing here") == []
    assert candidates("", "") == []
    assert rank([], [], labels=LABELS) == []


@pytest.mark.parametrize(
    ("given", "seen", "words"),
    [
        ("[pad thai|Cuisine]", "[pad thai|Dish]", [0.1 / 6, 0.1 / 6]),
        ("some thai food", "some [thai|Cuisine] food", [0.1 / 6]),
        ("[pad|Dish] thai here", "[pad thai|Dish] here", [0.9, 0.1 / 6]),
    ],
)
def test_score_is_what_the_given_tags_lack_in_probability(given: str, seen: str, words: list[float]) -> None:
    [candidate] = candidates(given, seen, sure=0.9)
    assert candidate.score == pytest.approx(1 - np.exp(np.mean(np.log(words))))


def test_boundary_counts_in_so_far_as_words_are_in_dispute() -> None:
    [one_of_two] = candidates("good [pad|Dish] thai here", "good [pad thai|Dish] here")
    [whole] = candidates("some thai food", "some [thai|Cuisine] food")
    assert one_of_two.score < whole.score
    words = "one two three four five six seven eight"
    assert candidates(f"[{words}|Dish] nine", f"[{words} nine|Dish]") == []


def test_surest_comes_first_and_what_is_probably_right_not_at_all() -> None:
    given = [marked(f"[{word}|Dish] please", id=word) for word in ("one", "two", "three")]
    seen = [marked(f"[{word}|Cuisine] please") for word in ("one", "two", "three")]
    scores = [
        emissions(*pair, sure) for pair, sure in zip(zip(given, seen, strict=True), (0.7, 0.95, 0.3), strict=True)
    ]
    scores[2][0, TAGS.index("B-Dish")] = np.log(0.6)
    found = rank(given, scores, labels=LABELS)
    assert [candidate.document for candidate in found] == ["two", "one"]


def test_offsets_are_those_of_the_text() -> None:
    [candidate] = candidates("🍣 Crêpes and [thai|Dish]", "🍣 Crêpes and [thai|Cuisine]")
    assert (candidate.start, candidate.end, candidate.given) == (13, 17, Span(13, 17, "Dish"))
    [found] = candidate.found
    assert (found.start, found.end, found.label) == (13, 17, "Cuisine")
    assert found.score == pytest.approx(0.9 + 0.1 / 6)
    [missing] = candidates("🍣 thai", "🍣 [thai|Cuisine]")
    assert (missing.start, missing.end, missing.given) == (2, 6, None)


def test_region_found_over_two_given_ones_is_a_doubt_about_each_alone() -> None:
    first, second = candidates("[thai|Cuisine] [food|Cuisine]", "[thai food|Dish]")
    assert {first.text, second.text} == {"thai", "food"}
    assert first.score == pytest.approx(second.score)


def test_adjacent_regions_of_one_label_taken_for_one() -> None:
    found = candidates("[pad|Dish] [thai|Dish]", "[pad thai|Dish]")
    assert shown(found) == [("wrong boundaries", "thai", "Dish", "“pad thai” instead of “thai”")]


def test_words_the_model_cannot_see_raise_no_doubt() -> None:
    document = marked("[\u200b|Dish] thai")
    scores = emissions(document, marked("\u200b thai"))
    words = spans_to_tags(document.text, document.spans).words
    assert words
    scores[:] = -np.inf
    scores[:, TAGS.index("O")] = 0.0
    assert rank([document], [scores], labels=LABELS) == []
