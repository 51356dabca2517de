"""Suggestions: the words that an annotator has just marked, found again in the rest of the text."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain

from converters.document import Span
from converters.words import words


def suggest(text: str, marked: Sequence[Span], predicted: Iterable[Span]) -> tuple[Span, ...]:
    """Suggest other places of ``text`` with the same words as the ``marked`` regions, and the ``predicted`` regions.

    A place gets the label of the marked region, and no score. Suggestions are in text order, do not overlap each other
    or the marked regions, and do not contain the marked regions themselves. Of two that would overlap, words of the
    first marked region win over those of a later one, and both over predicted regions.
    """
    taken = _merged(marked)
    suggested: list[Span] = []
    for span in chain(*(_elsewhere(text, region) for region in marked), predicted):
        if _is_free(taken, span):
            insort(taken, (span.start, span.end))
            suggested.append(span)
    return tuple(sorted(suggested, key=lambda span: span.start))


def _elsewhere(text: str, marked: Span) -> Iterator[Span]:
    """Find the words of a region in the whole text, in any case; a region inside a word only as it is written."""
    text_words = words(text)
    folded = [word.text.casefold() for word in text_words]
    pattern = [word.text.casefold() for word in words(text[marked.start : marked.end])]
    first = bisect_left(text_words, marked.start, key=lambda word: word.start)
    last = first + len(pattern) - 1
    if not pattern:
        return
    if folded[first : last + 1] != pattern or text_words[last].end > marked.end:
        yield from _as_written(text, marked)
        return
    for index, word in enumerate(folded):
        if word == pattern[0] and folded[index : index + len(pattern)] == pattern:
            yield Span(text_words[index].start, text_words[index + len(pattern) - 1].end, marked.label)


def _as_written(text: str, marked: Span) -> Iterator[Span]:
    content = text[marked.start : marked.end].strip()
    start = text.find(content)
    while start >= 0:
        yield Span(start, start + len(content), marked.label)
        start = text.find(content, start + len(content))


def _merged(spans: Iterable[Span]) -> list[tuple[int, int]]:
    """Merge spans that overlap; the result is sorted."""
    places: list[tuple[int, int]] = []
    for start, end in sorted((span.start, span.end) for span in spans):
        if places and start < places[-1][1]:
            start, end = places[-1][0], max(end, places.pop()[1])
        places.append((start, end))
    return places


def _is_free(taken: Sequence[tuple[int, int]], span: Span) -> bool:
    """Whether a span overlaps none of the places taken, which are sorted and do not overlap each other."""
    after = bisect_left(taken, (span.start, span.end))
    starts_free = after == 0 or taken[after - 1][1] <= span.start
    return starts_free and (after == len(taken) or span.end <= taken[after][0])
