from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from converters import (
    OUTSIDE,
    TOKENIZERS,
    Loss,
    Span,
    Tokenizer,
    Word,
    is_legal,
    repair,
    spans_to_tags,
    split_tag,
    starts,
    tag_set,
    tags_to_spans,
    transitions,
    whitespace_words,
    words,
)
from tests.converters.strategies import any_spans, clean_spans, texts

TAGS = tag_set(["X", "Y"])


def test_tag_set_follows_the_order_of_the_labels() -> None:
    assert tag_set(["Y", "X"]) == ["O", "B-Y", "I-Y", "B-X", "I-X"]
    assert tag_set([]) == ["O"]


@pytest.mark.parametrize(
    ("tag", "parts"),
    [("O", ("O", "")), ("B-X", ("B", "X")), ("I-A-B", ("I", "A-B")), ("B-", ("B", "")), ("I-O", ("I", "O"))],
)
def test_tag_is_split_at_the_first_dash(tag: str, parts: tuple[str, str]) -> None:
    assert split_tag(tag) == parts


@pytest.mark.parametrize("tag", ["", "X", "S-X", "E-X", "B", "I", "-X", "b-X", "OX"])
def test_what_is_no_bio_tag_is_refused_by_name(tag: str) -> None:
    with pytest.raises(ValueError, match="is not a BIO tag"):
        split_tag(tag)
    assert not is_legal([tag])


def test_inside_follows_only_its_own_type() -> None:
    legal = transitions(TAGS)
    followed = {after: [before for i, before in enumerate(TAGS) if legal[i][j]] for j, after in enumerate(TAGS)}
    assert followed == {
        "O": TAGS,
        "B-X": TAGS,
        "I-X": ["B-X", "I-X"],
        "B-Y": TAGS,
        "I-Y": ["B-Y", "I-Y"],
    }


def test_only_inside_may_not_start() -> None:
    assert dict(zip(TAGS, starts(TAGS), strict=True)) == {
        "O": True,
        "B-X": True,
        "I-X": False,
        "B-Y": True,
        "I-Y": False,
    }


@pytest.mark.parametrize(
    ("tags", "repaired", "count"),
    [
        ([], [], 0),
        (["O", "B-X", "I-X", "O"], ["O", "B-X", "I-X", "O"], 0),
        (["I-X"], ["B-X"], 1),
        (["I-X", "I-X"], ["B-X", "I-X"], 1),
        (["O", "I-X", "I-X"], ["O", "B-X", "I-X"], 1),
        (["B-X", "I-Y"], ["B-X", "B-Y"], 1),
        (["B-X", "I-Y", "I-X"], ["B-X", "B-Y", "B-X"], 2),
        (["B-X", "O", "I-X"], ["B-X", "O", "B-X"], 1),
        (["B-A-B", "I-A-B", "I-A"], ["B-A-B", "I-A-B", "B-A"], 1),
    ],
)
def test_inside_that_continues_nothing_begins_an_entity(tags: list[str], repaired: list[str], count: int) -> None:
    assert repair(tags) == (repaired, count)
    assert is_legal(tags) == (count == 0)


@given(st.lists(st.sampled_from(TAGS)))
@settings(deadline=None, max_examples=200)
def test_repaired_tags_are_legal_by_the_transition_table(tags: list[str]) -> None:
    repaired, count = repair(tags)
    at = [TAGS.index(tag) for tag in repaired]
    legal = transitions(TAGS)
    assert not at or starts(TAGS)[at[0]]
    assert all(legal[i][j] for i, j in pairwise(at))
    assert is_legal(repaired)
    assert repair(repaired) == (repaired, 0)
    assert count == sum(before != after for before, after in zip(tags, repaired, strict=True))


def tagged(text: str, *spans: tuple[int, int, str]) -> list[tuple[str, str]]:
    """Words and tags of a text whose spans all find a place."""
    result = spans_to_tags(text, [Span(*span) for span in spans])
    assert result.losses == ()
    return list(zip([word.text for word in result.words], result.tags, strict=True))


def test_text_without_spans_is_all_outside() -> None:
    assert tagged("cheap sushi") == [("cheap", "O"), ("sushi", "O")]
    assert tagged("") == []


def test_words_of_one_span_are_one_entity() -> None:
    assert tagged("a four star place", (2, 11, "Rating")) == [
        ("a", "O"),
        ("four", "B-Rating"),
        ("star", "I-Rating"),
        ("place", "O"),
    ]


def test_whitespace_at_the_edges_of_a_span_is_trimmed() -> None:
    assert tagged("at \n sushi \u3000bar", (2, 12, "Dish")) == [
        ("at", "O"),
        ("sushi", "B-Dish"),
        ("bar", "O"),
    ]


def test_boundary_inside_a_word_splits_the_word() -> None:
    assert tagged("downtown", (4, 8, "X")) == [("down", "O"), ("town", "B-X")]
    assert tagged("unbelievable", (2, 9, "X")) == [("un", "O"), ("believa", "B-X"), ("ble", "O")]


def test_second_span_inside_one_word_is_kept() -> None:
    assert tagged("tokyo-style5star", (0, 5, "A"), (11, 12, "B"), (12, 16, "B")) == [
        ("tokyo", "B-A"),
        ("-", "O"),
        ("style", "O"),
        ("5", "B-B"),
        ("star", "B-B"),
    ]


def test_touching_spans_of_one_type_stay_two() -> None:
    assert tagged("sushi pizza", (0, 5, "Dish"), (6, 11, "Dish")) == [
        ("sushi", "B-Dish"),
        ("pizza", "B-Dish"),
    ]
    assert tagged("🍣🍕", (1, 2, "Dish"), (0, 1, "Dish")) == [("🍣", "B-Dish"), ("🍕", "B-Dish")]


def test_space_inside_a_word_is_dropped_where_the_word_is_split() -> None:
    assert tagged("1\u202f000", (0, 1, "X")) == [("1", "B-X"), ("000", "O")]


@pytest.mark.parametrize(
    ("given_spans", "kept", "lost"),
    [
        ([(0, 5, "A"), (0, 10, "B")], [(0, 10, "B")], [(0, 5, "A")]),
        ([(0, 10, "B"), (3, 5, "A")], [(0, 10, "B")], [(3, 5, "A")]),
        ([(2, 6, "A"), (0, 4, "B")], [(0, 4, "B")], [(2, 6, "A")]),
        ([(0, 4, "A"), (0, 4, "B")], [(0, 4, "A")], [(0, 4, "B")]),
        ([(0, 4, "A"), (0, 4, "A")], [(0, 4, "A")], [(0, 4, "A")]),
    ],
    ids=["outer", "outer given first", "earlier", "given first", "twice the same"],
)
def test_of_overlapping_spans_one_wins_and_both_are_named(
    given_spans: list[tuple[int, int, str]],
    kept: list[tuple[int, int, str]],
    lost: list[tuple[int, int, str]],
) -> None:
    result = spans_to_tags("abcdefghijklmnop", [Span(*span) for span in given_spans])
    assert tags_to_spans(result.words, result.tags) == [Span(*span) for span in kept]
    assert [(loss.span, loss.kept) for loss in result.losses] == [(Span(*lost[0]), Span(*kept[0]))]
    assert "overlaps" in result.losses[0].reason


def test_span_that_lost_takes_no_place_from_a_third() -> None:
    result = spans_to_tags("abcdefghijkl", [Span(0, 5, "A"), Span(4, 8, "B"), Span(7, 10, "C")])
    assert tags_to_spans(result.words, result.tags) == [Span(0, 5, "A"), Span(7, 10, "C")]
    assert [(loss.span, loss.kept) for loss in result.losses] == [(Span(4, 8, "B"), Span(0, 5, "A"))]


def test_losses_name_the_spans_as_given() -> None:
    loser, winner = Span(1, 7, "B", 0.5), Span(0, 8, "A")
    assert spans_to_tags("  abcd  ", [loser, winner]).losses[0].span == winner
    assert spans_to_tags("  abcd  ", [loser, winner]).losses[0].kept == loser


@pytest.mark.parametrize(
    ("span", "reason"),
    [
        (Span(2, 2, "X"), "empty"),
        (Span(1, 3, "X"), "only whitespace"),
        (Span(-1, 2, "X"), "outside the text"),
        (Span(0, 99, "X"), "outside the text"),
        (Span(3, 1, "X"), "outside the text"),
    ],
)
def test_span_without_a_word_is_a_loss_with_a_reason(span: Span, reason: str) -> None:
    result = spans_to_tags("a  b", [span, Span(3, 4, "Y")])
    assert result.losses == (Loss(span, reason, None),)
    assert result.tags == ("O", "B-Y")


def test_any_tokenizer_may_be_used() -> None:
    text, spans = "in-house, at Joe's.", [Span(3, 8, "A"), Span(13, 18, "B")]
    result = spans_to_tags(text, spans, tokenizer=whitespace_words)
    assert [word.text for word in result.words] == ["in-", "house", ",", "at", "Joe's", "."]
    assert tags_to_spans(result.words, result.tags) == spans


def test_span_of_which_the_tokenizer_has_no_word_is_a_loss() -> None:
    result = spans_to_tags("a b", [Span(2, 3, "X")], tokenizer=lambda text: words(text)[:1])
    assert result == ((Word("a", 0, 1),), ("O",), (Loss(Span(2, 3, "X"), "holds no word", None),))


def test_losses_come_in_the_order_of_the_spans() -> None:
    spans = [Span(1, 2, "A"), Span(0, 0, "B"), Span(0, 9, "C"), Span(3, 4, "D"), Span(0, 99, "E")]
    losses = spans_to_tags("abcdefghi", spans).losses
    assert [loss.span.label for loss in losses] == ["A", "B", "D", "E"]


def test_illegal_tags_are_read_as_conlleval_reads_them() -> None:
    spans = tags_to_spans(words("a b c d"), ["I-X", "I-X", "I-Y", "O"])
    assert spans == [Span(0, 3, "X"), Span(4, 5, "Y")]


def test_words_and_tags_must_be_as_many() -> None:
    with pytest.raises(ValueError, match="shorter"):
        tags_to_spans([Word("a", 0, 1)], [])


@given(st.data(), texts, st.sampled_from(list(TOKENIZERS.values())))
@settings(deadline=None, max_examples=600)
def test_spans_survive_the_way_to_tags_and_back(data: st.DataObject, text: str, tokenizer: Tokenizer) -> None:
    spans = data.draw(clean_spans(text))
    given_spans = data.draw(st.permutations(spans))
    result = spans_to_tags(text, given_spans, tokenizer=tokenizer)
    assert tags_to_spans(result.words, result.tags) == spans
    assert result.losses == ()
    assert is_legal(result.tags)


@given(st.data(), texts)
@settings(deadline=None, max_examples=300)
def test_any_spans_become_entities_or_losses(data: st.DataObject, text: str) -> None:
    spans = data.draw(any_spans(text))
    result = spans_to_tags(text, spans)
    entities = tags_to_spans(result.words, result.tags)
    assert len(entities) + len(result.losses) == len(spans)
    assert is_legal(result.tags)
    assert all(text[word.start : word.end] == word.text == word.text.strip() != "" for word in result.words)
    assert all(loss.span in spans and (loss.kept is None or loss.kept in spans) for loss in result.losses)


@given(texts)
@settings(deadline=None, max_examples=100)
def test_without_spans_the_words_are_those_of_the_text(text: str) -> None:
    result = spans_to_tags(text, [])
    assert list(result.words) == words(text)
    assert set(result.tags) <= {OUTSIDE}
