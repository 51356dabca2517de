from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from converters import Span, agree
from tests.converters.strategies import any_spans, clean_spans, texts

TEXT = "New York City rocks"
#       0   4    9    14


def span(start: int, end: int, label: str = "X") -> Span:
    return Span(start, end, label)


@pytest.mark.parametrize(
    ("votes", "spans", "disputed"),
    [
        ([[span(0, 8)], [span(0, 8)]], [span(0, 8)], 0),
        ([[span(0, 8)], []], [], 2),
        ([[span(0, 8)], [span(0, 8)], []], [span(0, 8)], 2),
        ([[span(0, 8)], [span(0, 8)], [span(0, 13)]], [span(0, 8)], 1),
        ([[span(0, 13)], [span(0, 13)], [span(4, 8)]], [span(0, 13)], 3),
        ([[span(0, 8)], [span(0, 8, "Y")]], [], 2),
        ([[span(0, 8)], [span(0, 8, "Y")], [span(0, 8)]], [span(0, 8)], 2),
        # Two one-word spans against one of two words: the second word is a beginning for one, not for the other.
        ([[span(0, 3), span(4, 8)], [span(0, 8)]], [span(0, 3)], 1),
        # No majority for any beginning: the words that two agree go on begin a span.
        ([[span(0, 8)], [span(0, 8, "Y")], []], [], 2),
        ([[span(0, 13)], [span(4, 13)], [span(9, 13)]], [span(9, 13)], 3),
        # A boundary inside a word cuts it for everyone.
        ([[span(0, 2)], [span(0, 2)], [span(0, 3)]], [span(0, 2)], 1),
        ([[span(0, 8)], [span(0, 8)], [span(0, 8)], []], [span(0, 8)], 2),
        ([[span(0, 8)], [span(0, 8)], [], []], [], 2),
        ([[], []], [], 0),
        ([], [], 0),
    ],
)
def test_a_word_is_what_more_than_half_say(votes: list[list[Span]], spans: list[Span], disputed: int) -> None:
    agreement = agree(TEXT, votes)
    assert list(agreement.spans) == spans
    assert agreement.disputed == disputed


def test_spans_without_a_vote_are_losses() -> None:
    agreement = agree(TEXT, [[span(0, 8), span(4, 8)], [span(3, 4)]])
    assert [loss.span for loss in agreement.losses] == [span(4, 8), span(3, 4)]


@given(st.data(), texts, st.integers(1, 4))
def test_people_who_agree_are_taken_as_they_are(data: st.DataObject, text: str, people: int) -> None:
    spans = data.draw(clean_spans(text))
    agreement = agree(text, [spans] * people)
    assert (list(agreement.spans), agreement.disputed, agreement.losses) == (spans, 0, ())


@given(st.data(), texts)
def test_any_votes_give_spans_without_overlaps_in_any_order_of_people(data: st.DataObject, text: str) -> None:
    votes = data.draw(st.lists(any_spans(text), max_size=4))
    agreement = agree(text, votes)
    ends = [0, *(span.end for span in agreement.spans)]
    assert all(end <= span.start for end, span in zip(ends, agreement.spans, strict=False))
    assert agree(text, votes[::-1]).spans == agreement.spans
    assert 0 <= agreement.disputed <= agreement.words
