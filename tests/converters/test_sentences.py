from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from converters import Span, spans_to_tags, split_sentences
from converters.sentences import split_lines
from tests.converters.strategies import any_spans, texts


def sentences(text: str, *spans: Span, language: str = "en") -> list[str]:
    words, tags, _ = spans_to_tags(text, spans)
    cuts = split_sentences(words, tags, text, language=language)
    return [text[words[cut[0]].start : words[cut[-1]].end] for cut in cuts]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", []),
        (" \n\n ", []),
        ("cheap sushi near me", ["cheap sushi near me"]),
        ("Great pizza! Come again.", ["Great pizza!", "Come again."]),
        ("Dr. Smith paid $3.50 at 3 p.m. in Rome. Ok", ["Dr. Smith paid $3.50 at 3 p.m. in Rome.", "Ok"]),
        ("Met J.\u00a0K. Rowling. Left", ["Met J.\u00a0K. Rowling.", "Left"]),
        ("one\ntwo", ["one\ntwo"]),
        ("one\n\ntwo\r\n \r\n\nthree\u2029four", ["one", "two", "three", "four"]),
        ("日本語です。次の文！はい", ["日本語です。", "次の文！", "はい"]),
        ("नमस्ते दुनिया। यह दूसरा", ["नमस्ते दुनिया।", "यह दूसरा"]),
        ("كيف حالك؟ أنا بخير.", ["كيف حالك؟", "أنا بخير."]),
        ("x\ud800. Yes. No", ["x\ud800.", "Yes.", "No"]),
        ("a: b; c (d)", ["a: b; c (d)"]),
    ],
)
def test_text_is_cut_where_a_reader_would(text: str, expected: list[str]) -> None:
    assert sentences(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", []),
        ("\n", []),
        ("U.S. wins . Yes", ["U.S. wins . Yes"]),
        ('He said :\n" No .\n"\nU.S.\nbeat Japan', ["He said :", '" No .', '"', "U.S.", "beat Japan"]),
        ("a\r\n\n b\u2028c", ["a", "b\u2028c"]),
    ],
)
def test_lines_of_a_text_from_conll_are_its_sentences(text: str, expected: list[str]) -> None:
    words, tags, _ = spans_to_tags(text, [])
    cuts = split_lines(words, tags, text)
    assert [text[words[cut[0]].start : words[cut[-1]].end] for cut in cuts] == expected


def test_entity_that_goes_on_in_the_next_line_keeps_both_in_one_sentence() -> None:
    words, tags, _ = spans_to_tags("New\nYork\nwins", [Span(0, 8, "X")])
    assert split_lines(words, tags, "New\nYork\nwins") == [range(0, 2), range(2, 3)]


def test_no_sentence_ends_inside_a_span() -> None:
    assert sentences("I saw Wow! Cafe. Nice\n\nplace", Span(6, 15, "X"), Span(17, 28, "Y")) == [
        "I saw Wow! Cafe.",
        "Nice\n\nplace",
    ]


def test_touching_spans_may_be_parted() -> None:
    assert sentences("Go. Come.", Span(0, 3, "X"), Span(4, 9, "X")) == ["Go.", "Come."]


def test_rules_are_those_of_the_language() -> None:
    assert sentences("Am 3. Mai kam er. Gut", language="de") == ["Am 3. Mai kam er.", "Gut"]
    assert sentences("One. Two", language="xx") == ["One.", "Two"]


def test_long_paragraph_is_cut_throughout() -> None:
    # In one go this would take the library minutes.
    assert sentences("日。" * 100_000) == ["日。"] * 100_000
    assert sentences("Nice place. " * 1_000) == ["Nice place."] * 1_000


@given(st.data(), texts)
@settings(deadline=None, max_examples=300)
def test_every_word_is_in_exactly_one_sentence(data: st.DataObject, text: str) -> None:
    words, tags, _ = spans_to_tags(text, data.draw(any_spans(text)))
    cuts = split_sentences(words, tags, text)
    assert [at for cut in cuts for at in cut] == list(range(len(words)))
    assert all(cut and not tags[cut[0]].startswith("I-") for cut in cuts)
