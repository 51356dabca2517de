"""Where the sentences of tagged words end.

The boundaries are those of ``sentencex`` (Wikimedia; rules for some 250 languages, no models and no downloads).
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from operator import itemgetter

import sentencex  # type: ignore[import-untyped]

from converters.document import Word

# No language ends a sentence in one of these characters: a text of nothing else is one sentence, whatever ends it.
_NO_BOUNDARY = re.compile(r"""[\w ,'’"()\-:$%&/]*+[.!?]?\s*""")

_PARAGRAPH = re.compile(r"\n[^\S\n]*\n\s*|\u2029\s*")

# Some no-break spaces make the library panic after an initial, and a lone surrogate has no UTF-8 form, which it needs.
_OTHER_SPACE = re.compile(r"[^\S \n]")
_SURROGATE = re.compile(r"[\ud800-\udfff]")

# The library's time grows with the square of a paragraph's sentences.
_WINDOW = 2_000


def split_sentences(words: Sequence[Word], tags: Sequence[str], text: str, *, language: str = "en") -> list[range]:
    """Cut a text's words into sentences: ranges of their indices, in order, that leave none out and none empty.

    A sentence ends where the rules of ``language`` (an ISO 639 code; one unknown is read as English) find its end
    and at an empty line, never inside an entity of ``tags`` (BIO, legal, as many as words) and never inside a word.
    """
    if not words:
        return []
    starts = [0]
    for end in _ends(text, language):
        first = bisect_left(words, end, lo=starts[-1], key=_word_start)
        if starts[-1] < first < len(words) and not tags[first].startswith("I-"):
            starts.append(first)
    return [range(start, end) for start, end in zip(starts, [*starts[1:], len(words)], strict=True)]


_word_start = itemgetter(1)


def _ends(text: str, language: str) -> Iterator[int]:
    """Find the offsets where sentences end, the text's own end among them or not."""
    start = 0
    for gap in _PARAGRAPH.finditer(text):
        yield from _ends_inside(text, start, gap.start(), language)
        yield gap.end()
        start = gap.end()
    yield from _ends_inside(text, start, len(text), language)


def _ends_inside(text: str, start: int, end: int, language: str) -> Iterator[int]:
    """Find the offsets between two others where sentences end, a window at a time."""
    while start < end and not _NO_BOUNDARY.fullmatch(text, start, end):
        stop = min(start + _WINDOW, end)
        sentences: list[str] = sentencex.segment(language, _readable(text[start:stop]))
        if not any(sentences):
            return
        if stop < end and len(sentences) > 1:
            sentences.pop()  # the window cuts it short: the next one begins with it
        for sentence in sentences:
            start += len(sentence)
            if start < stop:
                yield start


def _readable(text: str) -> str:
    """Replace what the library cannot read, character by character, so that offsets stay."""
    if text.isprintable():  # neither is in it
        return text
    return _SURROGATE.sub("\N{REPLACEMENT CHARACTER}", _OTHER_SPACE.sub(" ", text))
