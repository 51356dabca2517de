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

import regex  # type: ignore[import-untyped]

from converters.report import Problem, shown

_LOST_LINE_END = 2
"""Characters by which a region without words may reach beyond its text: a line end that was removed from the text."""

# Label Studio's editor writes line ends in `value.text` as these two characters.
_LINE_END = "\\n"

# The edge of a word; scripts of the second line put no spaces between words.
_UNSPACED = r"[\p{Han}\p{Hiragana}\p{Katakana}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}]"
_EDGE = regex.compile(rf"(?:(?<!\w)|(?!\w)|(?={_UNSPACED})|(?<={_UNSPACED}))")


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
    never changed; nor are those of whole words of which ``words`` are a part, since editors have widened regions to
    whole words. Other offsets are corrected if they fit as UTF-16 units, with line ends counted once, or if there is
    one place only where these words stand and the offsets do not mark a part of it.
    """
    given = _offsets(start, end)
    content = _squeezed(words) if isinstance(words, str) else ""
    if given and 0 <= given[0] <= given[1] <= len(text):
        marked = text[given[0] : given[1]]
        if not content or marked == words or _squeezed(marked) == content:
            return Located(*given)
    if content and isinstance(words, str):
        return _corrected(text, given, words) or _unlocated(text, start, end, words)
    if given and 0 <= given[0] < len(text) < given[1] <= len(text) + _LOST_LINE_END and _is_plain(text):
        return Located(given[0], len(text), "it ended after the text")
    return _misplaced(text, start, end, given)


def stands_in(text: str, words: object) -> bool:
    """Whether words stand anywhere in a text, whitespace aside."""
    content = _squeezed(words) if isinstance(words, str) else ""
    return bool(content) and content in _squeezed(text)


def _squeezed(text: str) -> str:
    """The text without whitespace, in which a line end may be written as the editor does."""
    return "".join(text.replace(_LINE_END, " ").split())


def _is_plain(text: str) -> bool:
    """Whether the text has as many code points as UTF-16 units, and no line end of two characters."""
    return "\r\n" not in text and max(text) <= "\uffff"


def _offsets(start: object, end: object) -> tuple[int, int] | None:
    first, last = _integer(start), _integer(end)
    return None if first is None or last is None else (first, last)


def _integer(offset: object) -> int | None:
    # `type` and not `isinstance`: true and false are integers to Python.
    if type(offset) is int:
        return offset
    return int(offset) if type(offset) is float and offset.is_integer() else None


def _corrected(text: str, given: tuple[int, int] | None, words: str) -> Located | None:
    """The place of the words, if there is no doubt about it."""
    fitting: dict[tuple[int, int], str] = {}
    for correction, start, end in _recounted(text, *given) if given else ():
        if _squeezed(text[start:end]) == _squeezed(words):
            fitting.setdefault((start, end), correction)
    if not fitting and given and _is_widened(text, *given, words):
        return Located(*given)
    if not fitting and not (given and _is_resized(text, *given, words)):
        fitting = dict.fromkeys(_places(text, words), "it is the only place with these words")
    if len(fitting) != 1:
        return None
    ((start, end), correction) = fitting.popitem()
    return Located(start, end, correction)


def _is_widened(text: str, start: int, end: int, words: str) -> bool:
    """Whether the range is the whole words of which ``words``, without whitespace before or after them, are a part."""
    before, part, after = text[max(start, 0) : max(end, 0)].partition(words)
    is_whole = _EDGE.match(text, start) and _EDGE.match(text, end) if 0 <= start < end <= len(text) else None
    return bool(part and is_whole) and not any(map(str.isspace, before + after))


def _is_resized(text: str, start: int, end: int, words: str) -> bool:
    """Whether the range holds more or less of the same words: then either the range or the words are outdated."""
    if not 0 <= start < end <= len(text) or len(words) == end - start:
        return False
    marked, content = _squeezed(text[start:end]), _squeezed(words)
    return bool(marked) and (marked in content or content in marked)


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


def _places(text: str, words: str) -> list[tuple[int, int]]:
    """All places of the words, as whole words, with any whitespace between them."""
    pattern = r"(?:\s|\\n)+".join(map(regex.escape, words.replace(_LINE_END, " ").split()))
    matches = regex.finditer(f"{_EDGE.pattern}{pattern}{_EDGE.pattern}", text, overlapped=True)
    return [match.span() for match in matches]


def _unlocated(text: str, start: object, end: object, words: str) -> Unlocated:
    places = len(_places(text, words))
    stand = {0: "do not stand in the text", 1: "stand elsewhere in the text"}.get(places, f"stand {places} times in it")
    offsets = f"{shown(start)} to {shown(end)}"
    detail = f"the words {shown(words)} are not at the offsets {offsets} and {stand}: mark them again"
    return Unlocated(Problem.WRONG_OFFSETS, detail)


def _misplaced(text: str, start: object, end: object, given: tuple[int, int] | None) -> Unlocated:
    if given is None:
        return Unlocated(Problem.BAD_OFFSETS, f"the offsets {shown(start)} to {shown(end)} are not integers")
    first, last = given
    if 0 <= last < first <= len(text):
        return Unlocated(Problem.BAD_OFFSETS, f"the offset {first} of its start is after the offset {last} of its end")
    detail = f"the offsets {first} to {last} reach beyond the text, which has {len(text)} characters"
    return Unlocated(Problem.OUTSIDE_TEXT, detail)
