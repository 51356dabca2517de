"""Suggestions: the words that an annotator has just marked, found again in the rest of the text."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain

from converters.document import Span
from converters.words import words

_SHORT = 3
"""Letters up to which a word in capitals is taken for an abbreviation: "IT" is not "it", but "THAI" is "Thai"."""


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
    """Find the words of a region in the whole text; a region that ends inside a word only as it is written.

    Words match in another case unless one of them may be an abbreviation (`_may_match`).
    """
    text_words = words(text)
    written = [word.text for word in text_words]
    folded = [word.casefold() for word in written]
    pattern = [word.text for word in words(text[marked.start : marked.end])]
    folded_pattern = [word.casefold() for word in pattern]
    first = bisect_left(text_words, marked.start, key=lambda word: word.start)
    size = len(pattern)
    if not pattern:
        return
    if folded[first : first + size] != folded_pattern or text_words[first + size - 1].end > marked.end:
        yield from _as_written(text, marked)
        return
    for index, word in enumerate(folded):
        if word != folded_pattern[0] or folded[index : index + size] != folded_pattern:
            continue
        if _may_match(pattern, written[index : index + size]):
            yield Span(text_words[index].start, text_words[index + size - 1].end, marked.label)


def _may_match(marked: Sequence[str], place: Sequence[str]) -> bool:
    """Whether words that differ in case only may be the same.

    A marked word in capitals ("US", "COVID", "PCs") matches only itself. Any other word matches every case, but a short
    word in capitals only where several words are all in capitals, as in a heading ("new york", "NEW YORK").
    """
    alone = len(marked) == 1
    heading = not alone and "".join(place).isupper()
    return all(
        word == other
        or not (_in_capitals(word, alone) or (_in_capitals(other, alone) and len(other) <= _SHORT and not heading))
        for word, other in zip(marked, place, strict=True)
    )


def _in_capitals(word: str, alone: bool) -> bool:
    """Whether a word begins with capitals; one letter does so only where it stands ``alone`` ("C", but "A Tale")."""
    return word[:2].isupper() and (alone or len(word) > 1)


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
