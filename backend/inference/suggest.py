"""What an annotator has just marked, found again in the rest of the text."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain

from converters.document import Span
from converters.words import words


def suggest(text: str, marked: Sequence[Span], found: Iterable[Span]) -> tuple[Span, ...]:
    """Give the other places of ``text`` that hold the same words as the ``marked`` regions, and the model's regions.

    A place is suggested with the label of what was marked, without a score. Nothing overlaps: what was marked goes
    before what was not, of two marked regions the first, and both before the regions that the model ``found``. The
    marked regions themselves are not among the suggestions, which are in text order.
    """
    taken = _covered(marked)
    suggested: list[Span] = []
    for span in chain(*(_elsewhere(text, each) for each in marked), found):
        if _is_free(taken, span):
            insort(taken, (span.start, span.end))
            suggested.append(span)
    return tuple(sorted(suggested, key=lambda span: span.start))


def _elsewhere(text: str, marked: Span) -> Iterator[Span]:
    """Find the words of a region in all of its text, whatever their case; part of a word only as it is written."""
    found = words(text)
    folded = [word.text.casefold() for word in found]
    sought = [word.text.casefold() for word in words(text[marked.start : marked.end])]
    first = bisect_left(found, marked.start, key=lambda word: word.start)
    last = first + len(sought) - 1
    if not sought:
        return
    if folded[first : last + 1] != sought or found[last].end > marked.end:
        yield from _as_written(text, marked)
        return
    for place, word in enumerate(folded):
        if word == sought[0] and folded[place : place + len(sought)] == sought:
            yield Span(found[place].start, found[place + len(sought) - 1].end, marked.label)


def _as_written(text: str, marked: Span) -> Iterator[Span]:
    content = text[marked.start : marked.end].strip()
    at = text.find(content)
    while at >= 0:
        yield Span(at, at + len(content), marked.label)
        at = text.find(content, at + len(content))


def _covered(spans: Iterable[Span]) -> list[tuple[int, int]]:
    """Join spans into places, sorted, that do not overlap."""
    places: list[tuple[int, int]] = []
    for start, end in sorted((span.start, span.end) for span in spans):
        if places and start < places[-1][1]:
            start, end = places[-1][0], max(end, places.pop()[1])
        places.append((start, end))
    return places


def _is_free(taken: Sequence[tuple[int, int]], span: Span) -> bool:
    """Tell whether a place overlaps none of those taken, which are sorted and do not overlap each other."""
    after = bisect_left(taken, (span.start, span.end))
    starts_free = after == 0 or taken[after - 1][1] <= span.start
    return starts_free and (after == len(taken) or span.end <= taken[after][0])
