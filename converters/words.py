"""A text's words, by the Unicode rules for word boundaries.

The same words are labelled in training, tagged when serving and written when exporting, so that offsets never
have to be guessed back from word pieces.
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

# Words in text order, none of them empty, none with whitespace at an edge: what `words` promises of offsets.
Tokenizer = Callable[[str], list[Word]]

# From the first visible character to the next boundary. `\s` lacks U+001C to U+001F, which `str.isspace`
# counts: both must agree, since span edges are trimmed with `str.strip`. An apostrophe that opens a word stands
# alone: `regex` joins it to a vowel ('apple'), by a rule (WB5a) that the standard does not have.
_WORD = regex.compile(
    r"(?V1ws)['’][\p{WB=Extend}\p{WB=Format}\p{WB=ZWJ}]*+(?=\w)|[^\s\x1c-\x1f].*?(?:\b|\Z)",
)

# The same boundaries where all is ASCII, in the four times faster `re`: letters, digits and `_` stay together
# (WB5, WB8 to WB10, WB13a, WB13b), so do letters around one of `.:'` (WB6, WB7) and digits around one of `.,;'`
# (WB11, WB12). Whitespace is matched too, which tells the offsets without a match object for each word.
_ASCII = re.compile(r"\s+|\w+(?:[.:',;](?:(?<=[A-Za-z][.:'])(?=[A-Za-z])|(?<=[0-9][.',;])(?=[0-9]))\w+)*|\S", re.ASCII)

# A stretch that needs the full rules ends at a space before so much ASCII that changing over pays.
_NOT_ASCII = re.compile(r"[^\x00-\x7f]")
_ASCII_AGAIN = re.compile(r"[ \n](?=[\x00-\x7f]{40})")

# Every boundary test inside a run of flag letters counts back to the start of the run, which is
# quadratic. An even number of letters into a run there is a boundary anyway (WB15, WB16), so long runs
# are cut there first.
_FLAGS = regex.compile(r"(?:[\U0001F1E6-\U0001F1FF]{2}){32}(?=[\U0001F1E6-\U0001F1FF])")

# `Word(…)` without the Python function a NamedTuple puts before it.
_word = cast(Callable[[tuple[str, int, int]], Word], partial(tuple.__new__, Word))


def words(text: str) -> list[Word]:
    """Split ``text`` at the word boundaries of Unicode Standard Annex #29.

    Whitespace is no word and is trimmed from the edges of one; every other character belongs to exactly
    one word. Offsets are code points and ``text[word.start : word.end] == word.text``. Takes time linear
    in the text, accepts any string, lone surrogates included. A word may still consist of invisible
    characters (U+200B, a control character), and may hold a narrow no-break space inside (U+202F joins
    digits).

    Source: https://www.unicode.org/reports/tr29/#Word_Boundaries, as the ``regex`` module implements it.
    """
    if text.isascii():
        return _ascii_words(text, 0)
    found: list[Word] = []
    at = 0
    for start, end in _beyond_ascii(text):
        found += _ascii_words(text[at:start], at)
        found += _unicode_words(text[start:end], start)
        at = end
    return found + _ascii_words(text[at:], at)


def whitespace_words(text: str) -> list[Word]:
    """Split ``text`` at whitespace alone, as ``str.split`` does; punctuation stays with its word.

    Offsets are code points and ``text[word.start : word.end] == word.text``.
    """
    found: list[Word] = []
    end = 0
    for word in text.split():
        start = text.index(word, end)
        end = start + len(word)
        found.append(_word((word, start, end)))
    return found


TOKENIZERS: Mapping[str, Tokenizer] = MappingProxyType({"unicode": words, "whitespace": whitespace_words})


def _ascii_words(text: str, offset: int) -> list[Word]:
    if text.replace(" ", "").isalnum():  # a query, not a sentence
        return list(_between_spaces(text, offset))
    pieces = _ASCII.findall(text)
    edges = list(accumulate(map(len, pieces), initial=offset))
    return [_word(it) for it in zip(pieces, edges, edges[1:], strict=False) if not it[0].isspace()]


def _between_spaces(text: str, offset: int) -> Iterator[Word]:
    for piece in text.split(" "):
        end = offset + len(piece)
        if piece:
            yield _word((piece, offset, end))
        offset = end + 1


def _beyond_ascii(text: str) -> Iterator[tuple[int, int]]:
    """Find the stretches that hold all that is not ASCII, each from a space or the text's start to a space or its end.

    There is a boundary before a space, and after it unless a mark follows, which is not ASCII itself.
    """
    at = 0
    while found := _NOT_ASCII.search(text, at):
        first = found.start()
        start = max(text.rfind(" ", at, first), text.rfind("\n", at, first), at)
        again = _ASCII_AGAIN.search(text, first)
        at = again.start() if again else len(text)
        yield start, at


def _unicode_words(text: str, offset: int) -> Iterator[Word]:
    for begin, piece in _pieces(text):
        for match in _WORD.finditer(piece):
            word: str = match.group().rstrip()
            start: int = offset + begin + match.start()
            yield _word((word, start, start + len(word)))


def _pieces(text: str) -> Iterator[tuple[int, str]]:
    """Cut ``text`` where a boundary is certain: almost always one piece, the text itself."""
    start = 0
    for match in _FLAGS.finditer(text):
        yield start, text[start : match.end()]
        start = match.end()
    yield start, text[start:]
