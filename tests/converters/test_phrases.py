from __future__ import annotations

import pytest

from converters.document import Span
from converters.phrases import MAX_CHARACTERS, Phrase, PhraseFinder, count_phrases, phrase_key
from converters.tagged import TaggedDocument, tag_document
from converters.words import words
from tests.samples import marked, tagged


def counted(*texts: str, given: tuple[Phrase, ...] = ()) -> list[tuple[str, str, int, int]]:
    """The phrases of texts with regions marked inline."""
    return [tuple(phrase) for phrase in count_phrases([tagged(text) for text in texts], given)]  # type: ignore[misc]


def places(text: str, *phrases: Phrase, labels: tuple[str, ...] | None = None) -> list[str]:
    """The words that the longest matches cover."""
    text_words = words(text)
    matches = PhraseFinder(phrases).longest(phrase_key(text_words), labels)
    return [text[text_words[match.first].start : text_words[match.end - 1].end] for match in matches]


@pytest.mark.parametrize(
    ("texts", "phrases"),
    [
        ([], []),
        (["no region here"], []),
        (["good [pad thai|Dish]"], [("pad thai", "Dish", 1, 1)]),
        (["[sushi|Dish]", "sushi"], [("sushi", "Dish", 1, 2)]),
        (["[sushi|Dish]", "sushi", "sushi bar"], []),
        (["[Thai|Cuisine] food", "[thai|Cuisine]", "THAI"], [("Thai", "Cuisine", 2, 2)]),
        (["[US|Location]", "call us", "let us go"], [("US", "Location", 1, 1)]),
        (["[a|Dish]", "[a|Dish]", "[a|Cuisine]"], [("a", "Dish", 2, 3)]),
        (["[thai|Cuisine]", "[pad thai|Dish]"], [("pad thai", "Dish", 1, 1), ("thai", "Cuisine", 1, 2)]),
        (["[pad  thai|Dish] pad\nthai"], [("pad thai", "Dish", 1, 2)]),
        (["[ram|Dish]en"], []),
        (["[b|Dish]", "[a|Dish]", "[b|Dish]"], [("b", "Dish", 2, 2), ("a", "Dish", 1, 1)]),
    ],
)
def test_phrases_are_marked_in_at_least_half_of_their_occurrences(
    texts: list[str], phrases: list[tuple[str, str, int, int]]
) -> None:
    assert counted(*texts) == phrases


@pytest.mark.parametrize(
    ("texts", "phrases"),
    [
        ([], [("sushi", "Dish", 1, 1)]),
        (["sushi"], [("sushi", "Dish", 1, 2)]),
        (["sushi and sushi"], []),
        (["[Sushi|Dish]"], [("sushi", "Dish", 2, 2)]),
        (["[sushi|Cuisine]", "[sushi|Cuisine]"], [("sushi", "Cuisine", 2, 3)]),
    ],
)
def test_given_phrase_counts_as_marked_once_more(texts: list[str], phrases: list[tuple[str, str, int, int]]) -> None:
    assert counted(*texts, given=(Phrase("sushi", "Dish"),)) == phrases


def test_place_whose_tags_are_not_known_is_no_occurrence() -> None:
    document = marked("[sushi|Dish] sushi sushi")
    unknown = tag_document(document.__class__("1", document.text, document.spans, (Span(6, 17, ""),)))
    assert count_phrases([unknown]) == [Phrase("sushi", "Dish", 1, 1)]


def test_text_that_does_not_offer_the_label_has_no_occurrence() -> None:
    elsewhere = TaggedDocument("2", "sushi sushi", tuple(words("sushi sushi")), ("O", "O"), (), labels=("Place",))
    assert count_phrases([tagged("[sushi|Dish]"), elsewhere]) == [Phrase("sushi", "Dish", 1, 1)]


@pytest.mark.parametrize("text", ["x" * (MAX_CHARACTERS + 1), "pad \x00 thai", "pad \ud83c thai"])
def test_region_that_is_too_long_or_cannot_be_stored_is_no_phrase(text: str) -> None:
    assert counted(f"[{text}|Dish]") == []


@pytest.mark.parametrize(
    ("text", "phrases", "found"),
    [
        ("", ["sushi"], []),
        ("sushi", [], []),
        ("Sushi, SUSHI and sushis", ["sushi"], ["Sushi"]),
        ("pad thai or pad see ew", ["pad", "pad thai", "pad see ew"], ["pad thai", "pad see ew"]),
        ("pad see or pad", ["pad see ew", "pad"], ["pad", "pad"]),
        ("a b c d", ["a b", "b c d"], ["a b"]),
        ("in the US or with us", ["US"], ["US"]),
        ("我想吃泰国菜", ["泰国菜"], ["泰国菜"]),
        ("🍣 great  pad\nthai!", ["pad thai"], ["pad\nthai"]),
    ],
)
def test_longest_phrase_at_each_place_is_found(text: str, phrases: list[str], found: list[str]) -> None:
    assert places(text, *(Phrase(phrase, "Dish") for phrase in phrases)) == found


def test_shorter_phrase_is_found_where_the_label_of_the_longer_one_is_not_possible() -> None:
    phrases = Phrase("thai food", "Cuisine"), Phrase("thai", "Dish")
    assert places("thai food", *phrases, labels=("Dish",)) == ["thai"]


def test_every_place_of_every_phrase_is_an_occurrence() -> None:
    finder = PhraseFinder([Phrase("pad thai", "Dish"), Phrase("thai", "Cuisine")])
    matches = finder.all(phrase_key(words("pad thai thai")))
    assert [(match.first, match.end) for match in matches] == [(0, 2), (1, 2), (2, 3)]
