"""How good a tagger is, measured on whole documents by whole entities."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from seqeval.metrics import classification_report
from seqeval.scheme import IOB2

from backend.evaluation.bootstrap import intervals
from backend.evaluation.counts import Confusion, Counts, count
from backend.inference.tagger import Tagger
from backend.scores import MIN_DOCUMENTS, Interval
from converters.bio import spans_to_tags
from converters.document import Document, Span, Word


@dataclass(frozen=True, slots=True)
class LabelMetrics:
    """Scores of one label; ``support`` is the number of gold entities."""

    precision: float
    recall: float
    f1: float
    support: int


@dataclass(frozen=True, slots=True)
class Intervals:
    """95 % intervals: how far scores may be off because so many documents, and no more, were held out.

    ``per_label`` is of F1. ``None`` where too few documents hold what is scored (`MIN_DOCUMENTS_OF_LABEL`).
    """

    precision: Interval | None
    recall: Interval | None
    f1: Interval | None
    per_label: dict[str, Interval | None]


@dataclass(frozen=True)
class Metrics:
    """Entity scores over documents: micro averages, and each label that occurs in gold or prediction.

    An entity counts only if its boundaries and its label are exactly right. Where there are entities neither in gold
    nor in prediction, nothing is wrong and all three scores are 1.0; ``support`` 0 tells such a case from real success.
    """

    documents: int
    precision: float
    recall: float
    f1: float
    support: int
    per_label: dict[str, LabelMetrics]
    confusion: Confusion
    counts: Counts = field(repr=False, compare=False)

    @cached_property
    def intervals(self) -> Intervals | None:
        """Computed when first asked for; ``None`` on fewer than `MIN_DOCUMENTS` documents."""
        if self.documents < MIN_DOCUMENTS:
            return None
        right, predicted, gold = self.counts.totals(self.counts.labels).T[:, :, None]
        each = self.counts
        precision, recall, f1, *per_label = intervals(
            np.hstack([right, right, 2 * right, 2 * each.right]),
            np.hstack([predicted, gold, predicted + gold, each.predicted + each.gold]),
        )
        return Intervals(precision, recall, f1, dict(zip(each.labels, per_label, strict=True)))

    def to_dict(self) -> dict[str, Any]:
        """Plain numbers, lists and dictionaries, for JSON.

        ``intervals`` holds those of the overall scores, ``None`` on too few documents; ``interval`` of a label is of
        its F1. What ``confusion`` holds, and how it makes a matrix, says `Confusion`.
        """
        found = self.intervals
        overall = {name: _pair(getattr(found, name)) for name in ("precision", "recall", "f1")} if found else None
        return {
            "documents": self.documents,
            "precision": self.precision,
            "recall": self.recall,
            "f1": self.f1,
            "support": self.support,
            "intervals": overall,
            "per_label": {
                label: {**asdict(row), "interval": _pair(found.per_label[label] if found else None)}
                for label, row in self.per_label.items()
            },
            "confusion": asdict(self.confusion),
        }


def evaluate(tagger: Tagger, documents: Sequence[Document]) -> Metrics | None:
    """Score the served tagger on labelled documents; ``None`` where there are none.

    Gold words are the tagger's words, split further where a person's span ends inside one, so a predicted span
    always fits them, and such a gold span counts as missed.
    """
    if not documents:
        return None
    taggings = tagger.tag([document.text for document in documents])
    gold: list[list[str]] = []
    predicted: list[list[str]] = []
    for document, tagging in zip(documents, taggings, strict=True):
        tagged = spans_to_tags(document.text, document.spans)
        gold.append(list(tagged.tags))
        predicted.append(_tags_on(tagged.words, tagging.spans))
    return score(gold, predicted)


def score(gold: Sequence[Sequence[str]], predicted: Sequence[Sequence[str]]) -> Metrics:
    """Compare BIO tags, one sequence a document, by seqeval's strict IOB2."""
    counts, confusion = count(gold, predicted)
    if not counts.labels:
        nothing = LabelMetrics(precision=1.0, recall=1.0, f1=1.0, support=0)
        return Metrics(len(gold), **asdict(nothing), per_label={}, confusion=confusion, counts=counts)
    # seqeval strips hyphens from names, and takes some for its own averages.
    codes = {label: f"L{index}" for index, label in enumerate(counts.labels)}
    report = classification_report(
        _encoded(gold, codes),
        _encoded(predicted, codes),
        mode="strict",
        scheme=IOB2,
        output_dict=True,
        zero_division=0,
    )
    overall = _row(report["micro avg"])
    return Metrics(
        documents=len(gold),
        precision=overall.precision,
        recall=overall.recall,
        f1=overall.f1,
        support=overall.support,
        per_label={label: _row(report[code]) for label, code in codes.items() if code in report},
        confusion=confusion,
        counts=counts,
    )


def _encoded(sequences: Sequence[Sequence[str]], codes: dict[str, str]) -> list[list[str]]:
    return [["O" if tag == "O" else tag[:2] + codes[tag[2:]] for tag in tags] for tags in sequences]


def _row(scores: dict[str, Any]) -> LabelMetrics:
    return LabelMetrics(
        precision=float(scores["precision"]),
        recall=float(scores["recall"]),
        f1=float(scores["f1-score"]),
        support=int(scores["support"]),
    )


def _pair(interval: Interval | None) -> list[float] | None:
    return list(interval) if interval else None


def _tags_on(words: Sequence[Word], spans: Sequence[Span]) -> list[str]:
    """BIO tags of predicted spans, whose boundaries are boundaries of ``words``."""
    tags = ["O"] * len(words)
    starts = [word.start for word in words]
    for span in spans:
        first, end = bisect_left(starts, span.start), bisect_left(starts, span.end)
        tags[first:end] = [f"B-{span.label}"] + [f"I-{span.label}"] * (end - first - 1)
    return tags
