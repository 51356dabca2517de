"""The types that the whole project uses: a document, its spans and its words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple


@dataclass(frozen=True, slots=True, order=True)
class Span:
    """A labelled range of a text.

    ``start`` and ``end`` are code-point offsets, end exclusive, as Python and Label Studio count them.
    ``score`` is a probability in [0, 1], or ``None`` where a person drew the span.
    """

    start: int
    end: int
    label: str
    score: float | None = None


class Word(NamedTuple):
    """A word and its offsets: ``document.text[word.start:word.end] == word.text``.

    A tuple, since words are created by the million: a frozen dataclass takes five times as long to create.
    """

    text: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Document:
    """A text with the spans that count for it. ``id`` is the Label Studio task id as a string."""

    id: str
    text: str
    spans: tuple[Span, ...] = ()
