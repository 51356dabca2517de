"""How good a tagger is, measured on whole documents by whole entities."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from seqeval.metrics import classification_report
from seqeval.scheme import IOB2

from backend.inference.tagger import Tagger
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

    def to_dict(self) -> dict[str, Any]:
        """Plain numbers and dictionaries, for JSON."""
        return asdict(self)


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
    codes = _codes((*gold, *predicted))
    if not codes:
        return Metrics(len(gold), precision=1.0, recall=1.0, f1=1.0, support=0, per_label={})
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
    )


def _codes(sequences: Iterable[Sequence[str]]) -> dict[str, str]:
    """A short name for each label that occurs: seqeval strips hyphens and takes some names for its own averages."""
    labels = sorted({tag[2:] for tags in sequences for tag in tags if tag != "O"})
    return {label: f"L{index}" for index, label in enumerate(labels)}


def _encoded(sequences: Sequence[Sequence[str]], codes: dict[str, str]) -> list[list[str]]:
    return [["O" if tag == "O" else tag[:2] + codes[tag[2:]] for tag in tags] for tags in sequences]


def _row(scores: dict[str, Any]) -> LabelMetrics:
    return LabelMetrics(
        precision=float(scores["precision"]),
        recall=float(scores["recall"]),
        f1=float(scores["f1-score"]),
        support=int(scores["support"]),
    )


def _tags_on(words: Sequence[Word], spans: Sequence[Span]) -> list[str]:
    """BIO tags of predicted spans, whose boundaries are boundaries of ``words``."""
    tags = ["O"] * len(words)
    starts = [word.start for word in words]
    for span in spans:
        first, end = bisect_left(starts, span.start), bisect_left(starts, span.end)
        tags[first:end] = [f"B-{span.label}"] + [f"I-{span.label}"] * (end - first - 1)
    return tags
