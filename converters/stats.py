"""Statistics of a CoNLL file: a table for people, JSON for programs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from converters.conll import ConllDocument, Layout


@dataclass(slots=True)
class Stats:
    """Counts over a CoNLL file. ``lengths`` counts sentences by their number of tokens.

    ``illegal_line`` is the first line of the first sentence with illegal tags, 0 without any. ``split`` tells whether
    sentences are documents because one header begins the whole file.
    """

    documents: int = 0
    sentences: int = 0
    tokens: int = 0
    illegal_tags: int = 0
    entities: Counter[str] = field(default_factory=Counter)
    lengths: Counter[int] = field(default_factory=Counter)
    layout: Layout | None = None
    illegal_line: int = 0
    split: bool = False

    def add(self, document: ConllDocument) -> None:
        """Count a document."""
        self.documents += 1
        self.layout = self.layout or document.layout
        self.split = self.split or document.split
        for sentence in document.sentences:
            self.sentences += 1
            self.tokens += len(sentence.tokens)
            self.lengths[len(sentence.tokens)] += 1
            self.entities.update(tag[2:] for tag in sentence.tags if tag.startswith("B-"))
            if sentence.repaired:
                self.illegal_tags += sentence.repaired
                self.illegal_line = self.illegal_line or sentence.line

    def notes(self) -> list[str]:
        """How the file was read, in sentences: its columns, its header and its illegal tags."""
        notes = [self.layout.describe()] if self.layout else []
        if self.split:
            notes.append("One -DOCSTART- begins the whole file, so each sentence is a document.")
        if self.layout and self.illegal_tags:
            scheme, line = self.layout.scheme.value, self.illegal_line
            broken = f"{self.illegal_tags:,} tags broke the rules of {scheme}, first near line {line}"
            notes.append(f"{broken}, and were repaired.")
        return notes

    def length(self, share: float) -> int:
        """The length, in tokens, that this share of the sentences does not exceed; 0 without sentences."""
        total = 0
        for length in sorted(self.lengths):
            total += self.lengths[length]
            if total >= share * self.sentences:
                return length
        return 0

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "documents": self.documents,
            "sentences": self.sentences,
            "tokens": self.tokens,
            "illegal_tags": self.illegal_tags,
            "entities": dict(self.entities.most_common()),
            "sentence_length": {name: self.length(share) for name, share in _QUANTILES.items()},
            "layout": self.layout.name if self.layout else None,
            "scheme": self.layout.scheme if self.layout else None,
            "columns": self._columns(),
            "notes": self.notes(),
        }

    def _columns(self) -> dict[str, Any] | None:
        """The columns that were read, counted from 1."""
        if self.layout is None:
            return None
        return {
            "token": self.layout.token_column + 1,
            "tag": self.layout.tag_column + 1,
            "of": self.layout.columns,
            "tags_written": self.layout.form.example,
        }

    def table(self) -> str:
        """The statistics as lines of text."""
        layout = f"{self.layout.name}, {self.layout.scheme}" if self.layout else "no tokens"
        lengths = ", ".join(f"{name} {self.length(share)}" for name, share in _QUANTILES.items())
        rows = [
            ("layout", layout),
            ("documents", f"{self.documents:,}"),
            ("sentences", f"{self.sentences:,}"),
            ("tokens", f"{self.tokens:,}"),
            ("sentence length", lengths),
            ("illegal tags", f"{self.illegal_tags:,}"),
            ("entities", f"{self.entities.total():,}"),
            *((f"  {label}", f"{count:,}") for label, count in self.entities.most_common()),
        ]
        width = max(len(name) for name, _ in rows)
        return "\n".join(f"{name:<{width}}  {value}" for name, value in rows) + "\n"


_QUANTILES = {"shortest": 0.0, "median": 0.5, "95 %": 0.95, "longest": 1.0}


def count(documents: Iterable[ConllDocument]) -> Stats:
    """Count documents, sentences, tokens and entities; memory does not grow with their number."""
    stats = Stats()
    for document in documents:
        stats.add(document)
    return stats


def counted(documents: Iterable[ConllDocument], stats: Stats) -> Iterator[ConllDocument]:
    """Yield documents and count them."""
    for document in documents:
        stats.add(document)
        yield document
