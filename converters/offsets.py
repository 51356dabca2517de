"""Checks the offsets of a region against its words (``value.text``), and corrects them where there is no doubt.

Label Studio counts code points, and so do most tools. Others count UTF-16 units, or the two characters of a Windows
line end as one, or in a text that was changed afterwards; then the words that were marked stand somewhere else::

    "😀 see Ana", offsets 7 to 10, words "Ana"    →  6 to 9    (UTF-16 units: the emoji was counted as two)
    "He has neuropathy", 9 to 19, "neuropathy"    →  7 to 17   (the only place where these words stand)
    "Rome, then Rome", 3 to 7, "Rome"             →  unknown   (there are two such places)
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterator
from itertools import accumulate
from typing import NamedTuple

from converters.report import Problem, shown

_LOST_LINE_END = 2
"""Characters by which a region without words may reach beyond its text: a line end that was removed from the text."""


class Located(NamedTuple):
    """Where a region is. ``correction`` says how its offsets had to be corrected, if they were."""

    start: int
    end: int
    correction: str | None = None


class Unlocated(NamedTuple):
    """Why it is not known where a region is."""

    problem: Problem
    detail: str


def locate(text: str, start: object, end: object, words: object) -> Located | Unlocated:
    """Find the place of a region from its offsets, ``start`` and ``end``, and the ``words`` that were marked.

    Whitespace does not matter in the comparison, and without ``words`` there is none. Offsets of the right words are
    never changed. Other offsets are corrected if they fit as UTF-16 units, with line ends counted once, or if there is
    one place only where these words stand.
    """
    given = _offsets(start, end)
    content = "".join(words.split()) if isinstance(words, str) else ""
    if given and 0 <= given[0] <= given[1] <= len(text):
        marked = text[given[0] : given[1]]
        if not content or marked == words or "".join(marked.split()) == content:
            return Located(*given)
    if content:
        return _corrected(text, given, content) or _unlocated(text, start, end, words, content)
    if given and 0 <= given[0] < len(text) < given[1] <= len(text) + _LOST_LINE_END:
        return Located(given[0], len(text), "it ended after the text")
    return _misplaced(text, start, end, given)


def stands_in(text: str, words: object) -> bool:
    """Whether words stand anywhere in a text, whitespace aside."""
    content = "".join(words.split()) if isinstance(words, str) else ""
    return bool(content) and content in "".join(text.split())


def _offsets(start: object, end: object) -> tuple[int, int] | None:
    first, last = _integer(start), _integer(end)
    return None if first is None or last is None else (first, last)


def _integer(offset: object) -> int | None:
    # `type` and not `isinstance`: true and false are integers to Python.
    if type(offset) is int:
        return offset
    return int(offset) if type(offset) is float and offset.is_integer() else None


def _corrected(text: str, given: tuple[int, int] | None, content: str) -> Located | None:
    """The place of the ``content``, if there is no doubt about it."""
    fitting = {
        (start, end): correction
        for correction, start, end in (_recounted(text, *given) if given else ())
        if "".join(text[start:end].split()) == content
    }
    if not fitting:
        places = _places(text, content)
        fitting = dict.fromkeys(places, "it is the only place with these words") if len(places) == 1 else {}
    if len(fitting) != 1:
        return None
    ((start, end), correction) = fitting.popitem()
    return Located(start, end, correction)


def _recounted(text: str, start: int, end: int) -> Iterator[tuple[str, int, int]]:
    """Other ways to count: what was counted differently, and the offsets in code points."""
    if 0 <= start < len(text) < end:
        yield "it ended after the text", start, len(text)
    yield from _counted("offsets in UTF-16 units", text, start, end, lambda text, i: 2 if text[i] > "\uffff" else 1)
    yield from _counted("line ends counted once", text, start, end, lambda text, i: text[i : i + 2] != "\r\n")
    yield from _counted(
        "offsets in UTF-16 units, line ends counted once",
        text, start, end,
        lambda text, i: 2 if text[i] > "\uffff" else int(text[i : i + 2] != "\r\n"),
    )  # fmt: skip


def _counted(
    name: str, text: str, start: int, end: int, width: Callable[[str, int], int]
) -> Iterator[tuple[str, int, int]]:
    """The same offsets where a character has another ``width``; nothing if they are not between characters."""
    counts = list(accumulate((width(text, i) for i in range(len(text))), initial=0))
    if 0 <= start <= end <= counts[-1]:
        first, last = bisect_left(counts, start), bisect_left(counts, end)
        if counts[first] == start and counts[last] == end:
            yield name, first, last


def _places(text: str, content: str) -> list[tuple[int, int]]:
    """All places of the ``content``, whitespace aside: of whole words, or if there is none, of parts of words."""
    positions = [i for i, character in enumerate(text) if not character.isspace()]
    squeezed = "".join(text.split())
    places = []
    found = squeezed.find(content)
    while found >= 0:
        places.append((positions[found], positions[found + len(content) - 1] + 1))
        found = squeezed.find(content, found + 1)
    return [place for place in places if _is_whole(text, *place)] or places


def _is_whole(text: str, start: int, end: int) -> bool:
    """Whether a range begins and ends at the boundaries of words."""
    begins = start == 0 or not (text[start - 1].isalnum() and text[start].isalnum())
    ends = end == len(text) or not (text[end - 1].isalnum() and text[end].isalnum())
    return begins and ends


def _unlocated(text: str, start: object, end: object, words: object, content: str) -> Unlocated:
    places = len(_places(text, content))
    stand = f"stands {places} times in the text" if places else "does not stand in the text"
    detail = f"{shown(words)} at the offsets {shown(start)} to {shown(end)} {stand}, but not there"
    return Unlocated(Problem.WRONG_OFFSETS, detail)


def _misplaced(text: str, start: object, end: object, given: tuple[int, int] | None) -> Unlocated:
    if given is None:
        return Unlocated(Problem.BAD_OFFSETS, f"the offsets {shown(start)} to {shown(end)} are not integers")
    if given[0] > given[1] and given[1] >= 0 and given[0] <= len(text):
        return Unlocated(
            Problem.BAD_OFFSETS, f"the offset {given[0]} of its start is after the offset {given[1]} of its end"
        )
    detail = f"the offsets {given[0]} to {given[1]} reach beyond the text, which has {len(text)} characters"
    return Unlocated(Problem.OUTSIDE_TEXT, detail)
