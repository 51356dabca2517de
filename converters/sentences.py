"""Splits tagged words into sentences.

The boundaries are those of ``sentencex`` (Wikimedia; rules for some 250 languages, no models and no downloads).
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from operator import itemgetter

import sentencex  # type: ignore[import-untyped]

from converters.document import Word

# In no language do these characters end a sentence: a text of only these is one sentence, whatever its last one is.
_NO_BOUNDARY = re.compile(r"""[\w ,'’"()\-:$%&/]*+[.!?]?\s*""")

_LINE_END = re.compile(r"\n")
_PARAGRAPH = re.compile(r"\n[^\S\n]*\n\s*|\u2029\s*")

# Some no-break spaces make the library panic after an initial, and it needs UTF-8, which cannot encode lone surrogates.
_OTHER_SPACE = re.compile(r"[^\S \n]")
_SURROGATE = re.compile(r"[\ud800-\udfff]")

# The library's time grows with the square of a paragraph's sentences.
_WINDOW = 2_000


def split_sentences(words: Sequence[Word], tags: Sequence[str], text: str, *, language: str = "en") -> list[range]:
    """Split a text's words into sentences: ranges of word indices, in order, that cover all words; none is empty.

    A sentence ends where the rules of ``language`` (an ISO 639 code; an unknown one is treated as English) say so and
    at an empty line, but never inside a word or inside an entity of ``tags`` (legal BIO tags, one per word).
    """
    return _cut(words, tags, _ends(text, language))


def split_lines(words: Sequence[Word], tags: Sequence[str], text: str) -> list[range]:
    """Split a text that has one sentence on each line, as `split_sentences` returns them."""
    return _cut(words, tags, (match.end() for match in _LINE_END.finditer(text)))


def _cut(words: Sequence[Word], tags: Sequence[str], ends: Iterable[int]) -> list[range]:
    if not words:
        return []
    starts = [0]
    for end in ends:
        first = bisect_left(words, end, lo=starts[-1], key=_word_start)
        if starts[-1] < first < len(words) and not tags[first].startswith("I-"):
            starts.append(first)
    return [range(start, end) for start, end in zip(starts, [*starts[1:], len(words)], strict=True)]


_word_start = itemgetter(1)


def _ends(text: str, language: str) -> Iterator[int]:
    """The offsets where sentences end; may include the end of the text."""
    start = 0
    for gap in _PARAGRAPH.finditer(text):
        yield from _ends_inside(text, start, gap.start(), language)
        yield gap.end()
        start = gap.end()
    yield from _ends_inside(text, start, len(text), language)


def _ends_inside(text: str, start: int, end: int, language: str) -> Iterator[int]:
    """The offsets between ``start`` and ``end`` where sentences end, one window at a time."""
    while start < end and not _NO_BOUNDARY.fullmatch(text, start, end):
        stop = min(start + _WINDOW, end)
        sentences: list[str] = sentencex.segment(language, _readable(text[start:stop]))
        if not any(sentences):
            return
        if stop < end and len(sentences) > 1:
            sentences.pop()  # the window cuts it off: the next window begins with it
        for sentence in sentences:
            start += len(sentence)
            if start < stop:
                yield start


def _readable(text: str) -> str:
    """Replace characters that the library cannot read one by one, so that offsets stay the same."""
    if text.isprintable():  # then there are none
        return text
    return _SURROGATE.sub("\N{REPLACEMENT CHARACTER}", _OTHER_SPACE.sub(" ", text))
