"""Splits texts into words, by the Unicode rules for word boundaries.

Training, inference and export use the same words, so that offsets never have to be reconstructed from word pieces.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from itertools import accumulate
from types import MappingProxyType
from typing import cast

import regex  # type: ignore[import-untyped]

from converters.document import Word

Tokenizer = Callable[[str], list[Word]]
"""Returns words in text order with the offsets that `words` promises; none is empty or has whitespace at its ends."""

# From the first visible character to the next boundary. `\s` lacks U+001C to U+001F, which `str.isspace`
# includes: both must agree, since the ends of spans are trimmed with `str.strip`. An apostrophe at the beginning of a
# word is a word of its own: `regex` joins it to a vowel ('apple'), by a rule (WB5a) that the standard does not have.
_WORD = regex.compile(
    r"(?V1ws)['’][\p{WB=Extend}\p{WB=Format}\p{WB=ZWJ}]*+(?=\w)|[^\s\x1c-\x1f].*?(?:\b|\Z)",
)

# The same boundaries for ASCII, in the four times faster `re`: letters, digits and `_` stay together (WB5, WB8 to WB10,
# WB13a, WB13b), and so do letters around one of `.:'` (WB6, WB7) and digits around one of `.,;'` (WB11, WB12).
# Whitespace is matched too, so that offsets follow from lengths, without a match object for each word.
_ASCII = re.compile(r"\s+|\w+(?:[.:',;](?:(?<=[A-Za-z][.:'])(?=[A-Za-z])|(?<=[0-9][.',;])(?=[0-9]))\w+)*|\S", re.ASCII)

# A range that needs the full rules ends at a space before so much ASCII that switching back saves time.
_NOT_ASCII = re.compile(r"[^\x00-\x7f]")
_ASCII_AGAIN = re.compile(r"[ \n](?=[\x00-\x7f]{40})")

# Every boundary test inside a run of flag letters counts back to the start of the run, which takes quadratic time.
# After an even number of letters there is a boundary anyway (WB15, WB16), so long runs are cut there first.
_FLAGS = regex.compile(r"(?:[\U0001F1E6-\U0001F1FF]{2}){32}(?=[\U0001F1E6-\U0001F1FF])")

# `Word(…)` without the Python function that a NamedTuple has for its constructor.
_word = cast(Callable[[tuple[str, int, int]], Word], partial(tuple.__new__, Word))


def words(text: str) -> list[Word]:
    """Split ``text`` at the word boundaries of Unicode Standard Annex #29.

    Whitespace is not a word and is trimmed from the ends of words; every other character belongs to exactly one word.
    Offsets are code points and ``text[word.start : word.end] == word.text``. Takes linear time and accepts any string,
    including lone surrogates. A word may consist of invisible characters (U+200B, a control character), and may contain
    a narrow no-break space (U+202F joins digits).

    Source: https://www.unicode.org/reports/tr29/#Word_Boundaries, as the ``regex`` module implements it.
    """
    if text.isascii():
        return _ascii_words(text, 0)
    result: list[Word] = []
    done = 0
    for start, end in _beyond_ascii(text):
        result += _ascii_words(text[done:start], done)
        result += _unicode_words(text[start:end], start)
        done = end
    return result + _ascii_words(text[done:], done)


def whitespace_words(text: str) -> list[Word]:
    """Split ``text`` only at whitespace, as ``str.split`` does; punctuation stays with its word.

    Offsets are code points and ``text[word.start : word.end] == word.text``.
    """
    result: list[Word] = []
    end = 0
    for word in text.split():
        start = text.index(word, end)
        end = start + len(word)
        result.append(_word((word, start, end)))
    return result


TOKENIZERS: Mapping[str, Tokenizer] = MappingProxyType({"unicode": words, "whitespace": whitespace_words})


def _ascii_words(text: str, offset: int) -> list[Word]:
    if text.replace(" ", "").isalnum():  # a query, not a sentence
        return list(_between_spaces(text, offset))
    pieces = _ASCII.findall(text)
    offsets = list(accumulate(map(len, pieces), initial=offset))
    return [_word(word) for word in zip(pieces, offsets, offsets[1:], strict=False) if not word[0].isspace()]


def _between_spaces(text: str, offset: int) -> Iterator[Word]:
    for piece in text.split(" "):
        end = offset + len(piece)
        if piece:
            yield _word((piece, offset, end))
        offset = end + 1


def _beyond_ascii(text: str) -> Iterator[tuple[int, int]]:
    """The ranges with all characters that are not ASCII, from a space or the start to a space or the end.

    There is a word boundary before a space, and after it unless a mark follows, which is not ASCII itself.
    """
    end = 0
    while match := _NOT_ASCII.search(text, end):
        first = match.start()
        start = max(text.rfind(" ", end, first), text.rfind("\n", end, first), end)
        again = _ASCII_AGAIN.search(text, first)
        end = again.start() if again else len(text)
        yield start, end


def _unicode_words(text: str, offset: int) -> Iterator[Word]:
    for begin, piece in _pieces(text):
        for match in _WORD.finditer(piece):
            word: str = match.group().rstrip()
            start: int = offset + begin + match.start()
            yield _word((word, start, start + len(word)))


def _pieces(text: str) -> Iterator[tuple[int, str]]:
    """Cut ``text`` where a boundary is certain; almost always into one piece, the text itself."""
    start = 0
    for match in _FLAGS.finditer(text):
        yield start, text[start : match.end()]
        start = match.end()
    yield start, text[start:]
