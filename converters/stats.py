"""Statistics of a CoNLL file: a table for people, JSON for programs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from converters.conll import ConllDocument, Layout


@dataclass(slots=True)
class Stats:
    """Counts over a CoNLL file. ``lengths`` counts sentences by their number of tokens."""

    documents: int = 0
    sentences: int = 0
    tokens: int = 0
    illegal_tags: int = 0
    entities: Counter[str] = field(default_factory=Counter)
    lengths: Counter[int] = field(default_factory=Counter)
    layout: Layout | None = None

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
        stats.documents += 1
        stats.layout = stats.layout or document.layout
        for sentence in document.sentences:
            stats.sentences += 1
            stats.tokens += len(sentence.tokens)
            stats.lengths[len(sentence.tokens)] += 1
            stats.illegal_tags += sentence.repaired
            stats.entities.update(tag[2:] for tag in sentence.tags if tag.startswith("B-"))
    return stats
