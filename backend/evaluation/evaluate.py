"""Strict entity scores (precision, recall, F1) of a tagger on labelled documents, with 95 % intervals."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from typing import Any, Protocol

import numpy as np

from backend.evaluation.bootstrap import intervals
from backend.evaluation.counts import Confusion, Counts, count, known_tags
from backend.inference.tagger import OfferedLabels, Tagging
from backend.scores import Interval, are_too_few
from converters.document import Span, Word
from converters.tagged import TaggedDocument


class SpanTagger(Protocol):
    """What scoring needs of a tagger."""

    @property
    def labels(self) -> tuple[str, ...]: ...

    def tag(self, texts: Sequence[str], labels: OfferedLabels | None = None) -> list[Tagging]: ...


@dataclass(frozen=True, slots=True)
class LabelMetrics:
    """Scores of one label, in [0, 1]; ``support`` is the number of gold entities, ``predicted`` of predicted ones."""

    precision: float
    recall: float
    f1: float
    support: int
    predicted: int

    @classmethod
    def from_counts(cls, correct: int, predicted: int, gold: int) -> LabelMetrics:
        """A ratio whose denominator is 0 is 0; all are 1 where there are neither predicted nor gold entities."""
        if not predicted and not gold:
            return cls(precision=1.0, recall=1.0, f1=1.0, support=0, predicted=0)
        return cls(
            precision=correct / predicted if predicted else 0.0,
            recall=correct / gold if gold else 0.0,
            f1=2 * correct / (predicted + gold),
            support=gold,
            predicted=predicted,
        )


@dataclass(frozen=True, slots=True)
class Intervals:
    """95 % bootstrap intervals: how much scores may vary because the number of held-out documents is limited.

    ``per_label`` has the intervals of F1. ``None`` where fewer than `MIN_DOCUMENTS_OF_LABEL` documents have entities.
    """

    precision: Interval | None
    recall: Interval | None
    f1: Interval | None
    per_label: dict[str, Interval | None]


@dataclass(frozen=True)
class Metrics:
    """Entity scores over documents: micro averages, and those of each label with gold or predicted entities.

    A predicted entity is correct only if its boundaries and its label are exactly those of a gold entity. With neither
    gold nor predicted entities all three scores are 1.0; `backend.scores.Score` says when a score is to be trusted.
    """

    documents: int
    precision: float
    recall: float
    f1: float
    support: int
    predicted: int
    per_label: dict[str, LabelMetrics]
    confusion: Confusion
    counts: Counts = field(repr=False, compare=False)

    @cached_property
    def intervals(self) -> Intervals | None:
        """Computed on first access; ``None`` on fewer than `MIN_DOCUMENTS` documents."""
        if are_too_few(self.documents):
            return None
        counts = self.counts
        correct, predicted, gold = counts.totals(counts.labels).T[:, :, None]
        precision, recall, f1, *per_label = intervals(
            np.hstack([correct, correct, 2 * correct, 2 * counts.correct]),
            np.hstack([predicted, gold, predicted + gold, counts.predicted + counts.gold]),
        )
        return Intervals(precision, recall, f1, dict(zip(counts.labels, per_label, strict=True)))

    def to_dict(self) -> dict[str, Any]:
        """For JSON: plain numbers, lists and dictionaries.

        ``intervals`` holds those of the overall scores, ``None`` on too few documents; ``interval`` of a label is that
        of its F1. ``confusion`` is a `Confusion`.
        """
        intervals = self.intervals
        names = ("precision", "recall", "f1")
        return {
            "documents": self.documents,
            "precision": self.precision,
            "recall": self.recall,
            "f1": self.f1,
            "support": self.support,
            "predicted": self.predicted,
            "intervals": {name: _pair(getattr(intervals, name)) for name in names} if intervals else None,
            "per_label": {
                label: {**asdict(row), "interval": _pair(intervals.per_label[label] if intervals else None)}
                for label, row in self.per_label.items()
            },
            "confusion": asdict(self.confusion),
        }


def evaluate(
    tagger: SpanTagger, documents: Sequence[TaggedDocument], *, names: Mapping[str, str | None] | None = None
) -> Metrics | None:
    """Score the served tagger on labelled documents; ``None`` where there are none.

    The texts of a task are scored as one document. Their words are the tagger's words, split further where an annotated
    span ends inside one: a predicted span always fits them, and such an annotated span counts as missed. ``names`` are
    those that labels of the tagger have in the project today, ``None`` for one that is gone: its regions do not count.
    """
    return score_documents(documents, predict_tags(tagger, documents, names=names))


def predict_tags(
    tagger: SpanTagger, documents: Sequence[TaggedDocument], *, names: Mapping[str, str | None] | None = None
) -> list[list[str]]:
    """The BIO tags that a tagger gives the words of documents, with the ``names`` of `evaluate`."""
    today = {label: label for label in tagger.labels} | dict(names or {})
    offers = {labels: _offered(labels, today) for labels in {document.labels for document in documents}}
    taggings = tagger.tag(
        [document.text for document in documents], [offers[document.labels] for document in documents]
    )
    return [
        _tags_on(document.words, _named_today(tagging.spans, names) if names else tagging.spans)
        for document, tagging in zip(documents, taggings, strict=True)
    ]


def score_documents(documents: Sequence[TaggedDocument], predicted: Sequence[Sequence[str]]) -> Metrics | None:
    """Score the tags that were predicted for documents; ``None`` where there are none."""
    if not documents:
        return None
    tasks = [document.id for document in documents]
    return score(by_task(tasks, [document.tags for document in documents]), by_task(tasks, predicted))


def _offered(labels: Sequence[str] | None, today: Mapping[str, str | None]) -> Sequence[str] | None:
    """The labels of a tagger that may be found in a text that offers ``labels``: those, and those that are gone."""
    return None if labels is None else tuple(label for label, name in today.items() if name is None or name in labels)


def _named_today(spans: Iterable[Span], names: Mapping[str, str | None]) -> list[Span]:
    return [replace(span, label=name) for span in spans if (name := names.get(span.label, span.label)) is not None]


def by_task(tasks: Sequence[str], tags: Iterable[Sequence[str]]) -> list[list[str]]:
    """Join the tags of documents with the same task, in order: the texts of a task are scored as one document."""
    joined: dict[str, list[str]] = {}
    for task, of_document in zip(tasks, tags, strict=True):
        joined.setdefault(task, []).extend(of_document)
    return list(joined.values())


def score(gold: Sequence[Sequence[str]], predicted: Sequence[Sequence[str]]) -> Metrics:
    """Compare BIO tags, one sequence a document, by strict IOB2; gives the scores of seqeval (a test compares them).

    Where gold tags are `UNKNOWN`, neither gold nor predicted entities count (`known_tags`).
    """
    gold, predicted = known_tags(gold, predicted)
    counts, confusion = count(gold, predicted)
    columns = np.stack([counts.correct.sum(axis=0), counts.predicted.sum(axis=0), counts.gold.sum(axis=0)], axis=1)
    return Metrics(
        documents=len(gold),
        **asdict(LabelMetrics.from_counts(*columns.sum(axis=0).tolist())),
        per_label={
            label: LabelMetrics.from_counts(*row)
            for label, row in zip(counts.labels, columns.tolist(), strict=True)
            if any(row)
        },
        confusion=confusion,
        counts=counts,
    )


def _pair(interval: Interval | None) -> list[float] | None:
    return list(interval) if interval else None


def _tags_on(words: Sequence[Word], spans: Sequence[Span]) -> list[str]:
    """BIO tags of predicted spans. One that ends inside a word covers all of it, as those of an imported model may."""
    tags = ["O"] * len(words)
    starts, ends = [word.start for word in words], [word.end for word in words]
    for span in spans:
        first, end = bisect_right(ends, span.start), bisect_left(starts, span.end)
        if first < end:
            tags[first:end] = [f"B-{span.label}"] + [f"I-{span.label}"] * (end - first - 1)
    return tags
