from __future__ import annotations

import re

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from converters.offsets import Located, Unlocated, locate, stands_in
from converters.report import Problem
from tests.converters.strategies import texts

CLUBS = "😀 see annotation. ok"


def utf16(text: str, offset: int) -> int:
    return len(text[:offset].encode("utf-16-le", "surrogatepass")) // 2


@pytest.mark.parametrize(
    ("text", "start", "end", "words", "place"),
    [
        (CLUBS, 7, 17, "annotation", (6, 16)),
        ("👍🏽👍🏽 Ana", 9, 12, "Ana", (5, 8)),
        ("He has neuropathy today", 9, 19, "neuropathy", (7, 17)),
        ("Hi\r\nyes\r\nAna came", 7, 10, "Ana", (9, 12)),
        ("😀\r\nyes\r\nAna came, Ana", 7, 10, "Ana", (8, 11)),
        ("seen by Ana", 8, 12, "Ana", (8, 11)),
        ("seen by Ana", 8, 12, None, (8, 11)),
        ("seen by Ana", 8, 13, "", (8, 11)),
        ("Ananas for Ana", 3, 6, "Ana", (11, 14)),
        ("😀 Rome or Rome", 3, 7, "Rome", (2, 6)),
        ("see Rome now", 5, 9, "Rome", (4, 8)),
        ("Ana b$ c", 0, 2, "b$", (4, 6)),
        ("see Ana\r\nLopez", 2, 11, "Ana\\n\\nLopez", (4, 14)),
        ("in  New\nYork today", 0, 8, "New York", (4, 12)),
        ("吴重阳先生", 3, 6, "吴重阳", (0, 3)),
        ("Ana came", "0", "3", "Ana", (0, 3)),
        ("Ana came", None, None, "Ana", (0, 3)),
        ("Ana came", 3, 0, "Ana", (0, 3)),
        ("Ana came", 0, 999, "Ana", (0, 3)),
        ("Ana came", -1, 2, "Ana", (0, 3)),
    ],
)
def test_offsets_of_other_words_are_corrected_where_there_is_no_doubt(
    text: str, start: object, end: object, words: str | None, place: tuple[int, int]
) -> None:
    located = locate(text, start, end, words)
    assert isinstance(located, Located)
    assert (located.start, located.end) == place
    assert located.correction


@pytest.mark.parametrize(
    ("text", "start", "end", "words", "problem", "says"),
    [
        ("Rome, then Rome", 3, 7, "Rome", Problem.WRONG_OFFSETS, "stand 2 times"),
        ("then Roman Rom, Rom", 3, 6, "Rom", Problem.WRONG_OFFSETS, "stand 2 times"),
        ("Ana came", 0, 3, "Eva", Problem.WRONG_OFFSETS, "do not stand"),
        ("aaaa", 1, 9, "aa", Problem.WRONG_OFFSETS, "do not stand"),
        ("Pan away; go", 9, 12, "ana", Problem.WRONG_OFFSETS, "do not stand"),
        ("The party was fun", 30, 33, "art", Problem.WRONG_OFFSETS, "do not stand"),
        ("We sat at noon", 0, 2, "tat", Problem.WRONG_OFFSETS, "do not stand"),
        ("gas. Ana said so", 0, 3, "s.A", Problem.WRONG_OFFSETS, "do not stand"),
        ("See the Annual report", 4, 7, "Ann", Problem.WRONG_OFFSETS, "do not stand"),
        ("Ana Lopez", 0, 3, "Ana Lopez", Problem.WRONG_OFFSETS, "stand elsewhere"),
        ("Ana Lopez", 0, 9, "Ana", Problem.WRONG_OFFSETS, "stand elsewhere"),
        ("", 0, 3, "Ana", Problem.WRONG_OFFSETS, "do not stand"),
        ("😀😀 Ana", 5, 8, None, Problem.OUTSIDE_TEXT, "6 characters"),
        ("a\r\nAna", 4, 7, None, Problem.OUTSIDE_TEXT, "6 characters"),
        ("Ana came", 0, 99, None, Problem.OUTSIDE_TEXT, "8 characters"),
        ("Ana came", 9, 10, None, Problem.OUTSIDE_TEXT, "8 characters"),
        ("Ana came", -1, 2, None, Problem.OUTSIDE_TEXT, "-1 to 2"),
        ("Ana came", 3, 1, None, Problem.BAD_OFFSETS, "after"),
        ("Ana came", "0", 3, None, Problem.BAD_OFFSETS, "not integers"),
        ("Ana came", True, 3, 7, Problem.BAD_OFFSETS, "not integers"),
        ("Ana came", 0.5, 3, None, Problem.BAD_OFFSETS, "not integers"),
        ("Ana came", float("inf"), 3, None, Problem.BAD_OFFSETS, "not integers"),
    ],
)
def test_place_that_is_not_certain_is_unknown(
    text: str, start: object, end: object, words: object, problem: Problem, says: str
) -> None:
    located = locate(text, start, end, words)
    assert isinstance(located, Unlocated)
    assert located.problem == problem
    assert says in located.detail


@pytest.mark.parametrize(
    ("text", "start", "end", "words"),
    [
        ("Ana came", 0, 3, "Ana"),
        ("Ana came", 0.0, 3.0, "Ana"),
        ("Ana came", 0, 4, "Ana"),
        ("Hi\r\nAna", 0, 7, "Hi\nAna"),
        ("Hi\r\nAna", 0, 7, "Hi Ana"),
        ("New\u00a0York", 0, 8, "New York"),
        ("Rome, then Rome", 11, 15, "Rome"),
        ("Hi Ana\nLopez came", 3, 12, "Ana\\nLopez"),
        ("Hi Ana\r\nLopez", 3, 13, "Ana\\n\\nLopez"),
        ("Ana  \n  Lopez", 0, 13, "Ana\\nLopez"),
        ("a\\nb x", 0, 4, "a\\nb"),
        ("a\\nb\nLopez", 0, 10, "a\\nb\\nLopez"),
        ("so Annabel came", 3, 10, "nnab"),
        ("Ana came", 2, 2, None),
    ],
)
def test_right_offsets_stay(text: str, start: float, end: float, words: str | None) -> None:
    assert locate(text, start, end, words) == (start, end, None)


@given(texts, st.data())
def test_region_that_the_editor_draws_is_never_changed(text: str, data: st.DataObject) -> None:
    assume(text)
    start = data.draw(st.integers(0, len(text) - 1))
    end = data.draw(st.integers(start + 1, len(text)))
    marked = text[start:end]
    stored = re.sub("[\n\r]", r"\\n", marked)  # as Label Studio's editor does
    shown = data.draw(st.sampled_from([marked, stored, marked.replace("\r\n", "\n"), " ".join(marked.split())]))
    assert locate(text, start, end, shown) == (start, end, None)
    assert locate(text, start, end, None) == (start, end, None)


@given(texts, st.data())
def test_utf16_offsets_are_corrected_to_the_same_words_or_not_at_all(text: str, data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(start, len(text)))
    words = text[start:end]
    assume(words.strip())
    located = locate(text, utf16(text, start), utf16(text, end), words)
    if isinstance(located, Located):
        assert "".join(text[located.start : located.end].split()) == "".join(words.split())
    else:
        assert located.problem == Problem.WRONG_OFFSETS


@given(texts, st.one_of(st.none(), st.integers(-3, 40)), st.one_of(st.none(), st.integers(-3, 40)), st.text(max_size=4))
def test_corrected_offsets_are_those_of_the_words(text: str, start: object, end: object, words: str) -> None:
    located = locate(text, start, end, words)
    if isinstance(located, Located):
        assert 0 <= located.start <= located.end <= len(text)
        if located.correction:
            assert not words.split() or "".join(text[located.start : located.end].split()) == "".join(words.split())


def test_words_stand_in_a_text_whitespace_aside() -> None:
    assert stands_in("in New\nYork", "New York")
    assert not stands_in("in New York", "Rome")
    assert not stands_in("in New York", "")
    assert not stands_in("in New York", None)
