from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.inference.suggest import suggest
from converters.document import Span


@pytest.mark.parametrize(
    ("text", "marked", "expected"),
    [
        ("thai food, THAI soup or thailand", (0, 4), ["THAI"]),
        ("late  night bar; a Late night bar", (0, 15), ["Late night bar"]),
        ("late night, late", (0, 10), []),
        ("la la la la", (0, 5), ["la la"]),
        ("sushi🍣 and sushi", (0, 5), ["sushi"]),
        ("unhappy unusual UN", (0, 2), ["un"]),
        ("ban an", (1, 3), ["an"]),
        ("寿司と寿司", (0, 2), ["寿司"]),
        ("thai", (0, 4), []),
        ("   ", (0, 2), []),
        ("", (0, 0), []),
    ],
)
def test_same_words_are_found_elsewhere(text: str, marked: tuple[int, int], expected: list[str]) -> None:
    spans = suggest(text, [Span(*marked, "X")], [])
    assert [text[span.start : span.end] for span in spans] == expected
    assert {span.label for span in spans} <= {"X"}


@pytest.mark.parametrize(
    ("marked", "rest", "expected"),
    [
        ("US", "us, Us, US and the US-based", ["US", "US"]),
        ("IT", "it is It and IT", ["IT"]),
        ("WHO", "who says that the WHO", ["WHO"]),
        ("COVID-19", "covid-19 or COVID-19", ["COVID-19"]),
        ("BOSTON", "Boston, BOSTON, boston", ["BOSTON"]),
        ("NEW YORK", "New York, NEW YORK", ["NEW YORK"]),
        ("U.S.", "u.s. and U.S.", ["U.S."]),
        ("PCs", "pcs and PCs", ["PCs"]),
        ("5G", "5g of salt, 5G", ["5G"]),
        ("C", "a c is no C", ["C"]),
        ("ÖBB", "öbb und ÖBB", ["ÖBB"]),
        ("it", "It and IT", ["It"]),
        ("us", "the US and Us", ["Us"]),
        ("Us", "the US, us", ["us"]),
        ("c", "C or c", ["c"]),
        ("Boston", "BOSTON, boston", ["BOSTON", "boston"]),
        ("thai", "THAI, Thai", ["THAI", "Thai"]),
        ("new york", "NEW YORK, New York, NEW york", ["NEW YORK", "New York"]),
        ("US Open", "us open, US open, US OPEN, Us Open", ["US open", "US OPEN"]),
        ("Vitamin C", "vitamin c, VITAMIN C", ["vitamin c", "VITAMIN C"]),
        ("A Tale", "a tale, A TALE", ["a tale", "A TALE"]),
        ("iPhone", "IPHONE, iphone", ["IPHONE", "iphone"]),
        ("straße", "STRASSE, Straße", ["STRASSE", "Straße"]),
        ("12", "12 of 120", ["12"]),
        ("人名", "人名 and 人", ["人名"]),
    ],
)
def test_words_in_capitals_match_only_themselves(marked: str, rest: str, expected: list[str]) -> None:
    text = f"{marked} : {rest}"
    spans = suggest(text, [Span(0, len(marked), "X")], [])
    assert [text[span.start : span.end] for span in spans] == expected


def test_words_of_a_marked_region_win_over_predicted_regions() -> None:
    text = "pizza in rome, pizza in oslo"
    predicted = [Span(0, 13, "Dish", 0.9), Span(15, 20, "Dish", 0.8), Span(24, 28, "Location", 0.7)]
    spans = suggest(text, [Span(0, 5, "Cuisine")], predicted)
    assert spans == (Span(15, 20, "Cuisine"), Span(24, 28, "Location", 0.7))


@given(
    st.text("ab 🍣é\n", max_size=30),
    st.lists(st.tuples(st.integers(0, 30), st.integers(0, 30)), max_size=4),
    st.lists(st.tuples(st.integers(0, 30), st.integers(0, 30)), max_size=4),
)
def test_suggestions_overlap_neither_each_other_nor_marked_regions(
    text: str, marked: list[tuple[int, int]], predicted: list[tuple[int, int]]
) -> None:
    def inside(places: list[tuple[int, int]]) -> list[Span]:
        return [Span(start, min(end, len(text)), "X") for start, end in places if start < min(end, len(text))]

    spans = suggest(text, inside(marked), inside(predicted))
    assert all(first.end <= second.start for first, second in pairwise(spans))
    for span in spans:
        assert all(span.end <= region.start or region.end <= span.start for region in inside(marked))
        assert not text[span.start].isspace() or span in inside(predicted)
