from __future__ import annotations

from itertools import product

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from converters import TOKENIZERS, Word, whitespace_words, words
from tests.converters.strategies import texts


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", []),
        (" \t\r\n\u3000\u00a0", []),
        ("cheap sushi near me", ["cheap", "sushi", "near", "me"]),
        ("Joe's isn't", ["Joe's", "isn't"]),
        ("4-star, $3.50!", ["4", "-", "star", ",", "$", "3.50", "!"]),
        ("1,000.5 at 10:30am", ["1,000.5", "at", "10", ":", "30am"]),
        ("a_b e.g. U.S.A.", ["a_b", "e.g", ".", "U.S.A", "."]),
        ("Naïveville Zoe\u0308 a\u0301", ["Naïveville", "Zoe\u0308", "a\u0301"]),
        ("日本語カタカナ", ["日", "本", "語", "カタカナ"]),
        ("한국어 텍스트", ["한국어", "텍스트"]),
        ("🍣🍕 great", ["🍣", "🍕", "great"]),
        ("👨\u200d👩\u200d👧👍🏽", ["👨\u200d👩\u200d👧", "👍🏽"]),
        ("🇩🇪🇫🇷🇮", ["🇩🇪", "🇫🇷", "🇮"]),
        ("a\x1cb\x85c\u2028d", ["a", "b", "c", "d"]),
        ("a\x00b\u200bc", ["a", "\x00", "b", "\u200b", "c"]),
        ("x\ud800y \udc00", ["x", "\ud800", "y", "\udc00"]),
        ("\ufeffword", ["\ufeffword"]),
        ("Joe’s ‘apple’ l’amour", ["Joe’s", "‘", "apple", "’", "l’amour"]),
        ("say 'apple' ’twas O'Neil's", ["say", "'", "apple", "'", "’", "twas", "O'Neil's"]),
        ("https://www.example.com/a?b=1", ["https", ":", "/", "/", "www.example.com", "/", "a", "?", "b", "=", "1"]),
        ("me@x.org AT&T C++ 50%", ["me", "@", "x.org", "AT", "&", "T", "C", "+", "+", "50", "%"]),
        ("☺️ 1️⃣", ["☺️", "1️⃣"]),
        ("السَّلامُ عليكم، كيف؟", ["السَّلامُ", "عليكم", "،", "كيف", "؟"]),
        ("नमस्ते दुनिया। क्षत्रिय", ["नमस्ते", "दुनिया", "।", "क्षत्रिय"]),
        ("安い寿司、3.50円", ["安", "い", "寿", "司", "、", "3.50", "円"]),
    ],
)
def test_text_is_split_at_unicode_word_boundaries(text: str, expected: list[str]) -> None:
    assert [word.text for word in words(text)] == expected


def test_offsets_count_code_points() -> None:
    assert words("🍣🍕 great") == [Word("🍣", 0, 1), Word("🍕", 1, 2), Word("great", 3, 8)]


def test_carriage_return_and_newline_count_as_two_characters() -> None:
    assert words("a\r\nb") == [Word("a", 0, 1), Word("b", 3, 4)]


def test_mark_on_a_space_is_a_word_without_the_space() -> None:
    assert words("a  \u0301b") == [Word("a", 0, 1), Word("\u0301", 3, 4), Word("b", 4, 5)]


def test_narrow_no_break_space_joins_digits_but_does_not_end_a_word() -> None:
    assert words("1\u202f000\u202f ") == [Word("1\u202f000", 0, 5)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", []),
        (" \x1c\u3000", []),
        ("a  b,", [Word("a", 0, 1), Word("b,", 3, 5)]),
        ("a\u00a0a", [Word("a", 0, 1), Word("a", 2, 3)]),
    ],
)
def test_whitespace_words_keep_their_punctuation(text: str, expected: list[Word]) -> None:
    assert whitespace_words(text) == expected


def test_tokenizers_go_by_name() -> None:
    assert dict(TOKENIZERS) == {"unicode": words, "whitespace": whitespace_words}


ASCII = "aB1_.':;,- \x00\n"


@pytest.mark.parametrize("length", [1, 2, 3, 4])
def test_ascii_is_split_by_the_same_rules(length: int) -> None:
    made = ["".join(chars) for chars in product(ASCII, repeat=length)]
    # The mark in front makes the text one for the full rules; it joins nothing across the newline.
    assert all([word.text for word in words("é\n" + text)][1:] == [word.text for word in words(text)] for text in made)


@given(texts, st.text(alphabet=ASCII, max_size=60), texts)
@settings(deadline=None, max_examples=200)
def test_words_do_not_depend_on_where_the_full_rules_begin(before: str, ascii_text: str, after: str) -> None:
    text = f"{before} {ascii_text} {after}"
    assert words(text) == [word for word in words(text + " " + "é") if word.start < len(text)]


@given(texts)
@example("a\u202f")
@example("\u3000\u0301 \u200d")
@settings(deadline=None, max_examples=300)
def test_every_visible_character_is_in_exactly_one_word(text: str) -> None:
    result = words(text)
    assert all(text[word.start : word.end] == word.text == word.text.strip() != "" for word in result)
    rest, at = "", 0
    for word in result:
        assert word.start >= at
        rest, at = rest + text[at : word.start], word.end
    assert not (rest + text[at:]).strip()


def test_whitespace_is_what_python_strips() -> None:
    plane = [chr(code) for code in range(0x10000)]
    assert [char for char in plane if bool(words(char)) is char.isspace()] == []


@pytest.mark.parametrize("pairs", [31, 32, 33, 64, 65, 200])
@pytest.mark.parametrize(("before", "after"), [("", ""), ("a", "a"), ("", "\u0301"), ("", "🇩"), (" ", " ")])
def test_long_runs_of_flags_keep_their_pairs(pairs: int, before: str, after: str) -> None:
    flags = [word.text for word in words(before + "🇩🇪" * pairs + after) if "🇪" in word.text]
    assert flags == ["🇩🇪"] * (pairs - 1) + ["🇩🇪" + after.replace("🇩", "").strip("a ")]


@pytest.mark.parametrize(
    "unit",
    [
        *("a", "👨\u200d", "\u0301", "a.", "1,"),
        *(pytest.param(unit, marks=pytest.mark.slow) for unit in ("日", "🇩", "\ud800", " \u0301")),
    ],
)
def test_a_million_characters_without_a_plain_space_are_read(unit: str) -> None:
    # A quadratic search would take most of an hour for the flags, far beyond the timeout of a test.
    text = unit * (1_000_000 // len(unit))
    result = words(text)
    assert sum(len(word.text) for word in result) == len(text.replace(" ", ""))
