"""The types that the whole project uses: a document, its spans and its words."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

LINES = "lines"
"""The value of ``sentences``, in the ``meta`` of a task and in a sidecar, where each line of a text is a sentence."""


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
    """A text with the spans that count for it. ``id`` is the Label Studio task id as a string.

    ``unreadable`` are regions whose place is known and whose label is not: their words are neither entities nor known
    to be outside of any. A task with several texts has a document for each: ``text_name`` is then the name of its
    ``<Text>``, and ``labels`` are those that this text offers, where they are not all labels of the project. If
    ``sentence_per_line``, each line of the text is a sentence, as in texts that were made from CoNLL.
    """

    id: str
    text: str
    spans: tuple[Span, ...] = ()
    unreadable: tuple[Span, ...] = ()
    text_name: str = ""
    labels: tuple[str, ...] | None = None
    sentence_per_line: bool = field(default=False, compare=False)

    @property
    def name(self) -> str:
        """A name that no other document has: the id, and the text's name where the task has several."""
        return f"{self.id}:{self.text_name}" if self.text_name else self.id
