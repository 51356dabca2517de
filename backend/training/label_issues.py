"""Regions that are probably labelled wrongly: where the annotators and a model that was not trained on them disagree.

Confident learning (Northcutt et al. 2021, doi:10.1613/jair.1.12125) ranks labels by the probability that a model gives
them that was trained without them; the lowest is the most suspicious. Here a label is a region, and a region that
nobody marked counts too.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np

from backend.inference.decode import Floats, Ints, Viterbi
from backend.inference.entities import EntityFinder
from converters.bio import OUTSIDE, starts, tag_set, transitions
from converters.document import Span
from converters.tagged import UNKNOWN, TaggedDocument

Kind = Literal["wrong label", "wrong boundaries", "should not be marked", "missing"]

MIN_SCORE = 0.5
"""Below it a region is more probably right than wrong."""


@dataclass(frozen=True, slots=True)
class IssueCandidate:
    """One region that is probably wrong or missing.

    ``document`` is the id of its task, ``text_name`` the name of its text where the task has several. ``given`` is the
    annotators' span, ``None`` for a missing region. ``predicted`` are the model's spans in its place, each with its
    probability; ``view`` tells the same to people. ``score`` is in [0, 1], 1.0 for a certain mistake: 1 minus the
    geometric mean of the probabilities of the given tags, over all words of ``given`` and ``predicted``. So a wrong
    label or a missing region counts in full, a wrong boundary by its share of the words.
    """

    document: str
    text_name: str
    text: str
    given: Span | None
    predicted: tuple[Span, ...]
    kind: Kind
    view: str
    score: float

    @property
    def start(self) -> int:
        return self.given.start if self.given else self.predicted[0].start

    @property
    def end(self) -> int:
        return self.given.end if self.given else self.predicted[-1].end


def find_label_issues(
    documents: Sequence[TaggedDocument], emissions: Sequence[Floats], *, labels: Sequence[str]
) -> list[IssueCandidate]:
    """Find the probable mistakes in some documents, the highest score first.

    ``emissions`` are, for each document, the log-probabilities of its words' tags, of shape (words, tags), by a model
    that was not trained on it. Tags are those of ``labels``.
    """
    tags = tag_set(labels)
    finder = EntityFinder(tags)
    decoded = Viterbi(transitions(tags), starts(tags)).decode(emissions)
    candidates = [
        candidate
        for document, scores, predicted in zip(documents, emissions, decoded, strict=True)
        for candidate in _Comparison(document, scores, predicted, tags, finder).candidates()
        if candidate.score >= MIN_SCORE
    ]
    return sorted(candidates, key=lambda candidate: candidate.score, reverse=True)


class _Region(NamedTuple):
    """An entity of the words from ``first`` to before ``end``; ``label`` is a number from 1 on."""

    first: int
    end: int
    label: int


class _Comparison:
    """The given and the predicted regions of one document. Labels are numbered from 1; 0 is no label."""

    def __init__(
        self, document: TaggedDocument, scores: Floats, predicted: Ints, tags: Sequence[str], finder: EntityFinder
    ) -> None:
        ids = {tag: index for index, tag in enumerate(tags)} | {UNKNOWN: tags.index(OUTSIDE)}
        self._document, self._words, self._names = document, document.words, finder.labels
        self._tags = np.array([ids[tag] for tag in document.tags], dtype=np.int64)
        self._scores = scores
        self._by_label = np.hstack([scores[:, :1], np.logaddexp(scores[:, 1::2], scores[:, 2::2])])
        # A word without word pieces has the fixed scores of `O`, which say nothing about the label.
        self._has_scores = np.isfinite(scores).sum(axis=1) > 1
        self._given = _regions(self._tags, finder)
        self._predicted = _regions(predicted, finder)
        self._owners = np.full(len(self._words), -1)
        for number, region in enumerate(self._given):
            self._owners[region.first : region.end] = number

    def candidates(self) -> Iterator[IssueCandidate]:
        for number, given in enumerate(self._given):
            if given in self._predicted:
                continue
            overlapping = [
                region for region in self._predicted if region.first < given.end and region.end > given.first
            ]
            if all(map(self._is_known, overlapping)):
                yield from self._candidate([given, *overlapping], number, given=given, predicted=overlapping)
        for region in self._predicted:
            if (self._owners[region.first : region.end] < 0).all() and self._is_known(region):
                yield from self._candidate([region], -1, given=None, predicted=[region])

    def _is_known(self, region: _Region) -> bool:
        """Whether the annotators' tags of all its words are known."""
        return UNKNOWN not in self._document.tags[region.first : region.end]

    def _candidate(
        self, regions: Sequence[_Region], owner: int, *, given: _Region | None, predicted: Sequence[_Region]
    ) -> Iterator[IssueCandidate]:
        """One candidate; none if the model has no scores for any of its words."""
        words = np.unique(np.concatenate([np.arange(region.first, region.end) for region in regions]))
        words = words[np.logical_and(self._has_scores[words], np.isin(self._owners[words], (-1, owner)))]
        if not len(words):
            return
        spans = tuple(self._span(region) for region in predicted)
        marked = self._span(given) if given else None
        yield IssueCandidate(
            document=self._document.id,
            text_name=self._document.text_name,
            text=self._document.text[(marked or spans[0]).start : (marked or spans[0]).end],
            given=marked and Span(marked.start, marked.end, marked.label),
            predicted=spans,
            kind=_kind(marked, spans),
            view=self._view(given, spans),
            score=1.0 - float(np.exp(self._scores[words, self._tags[words]].mean())),
        )

    def _span(self, region: _Region) -> Span:
        first, last = self._words[region.first], self._words[region.end - 1]
        score = self._by_label[region.first : region.end, region.label].mean()
        return Span(first.start, last.end, self._names[2 * region.label], min(1.0, float(np.exp(score))))

    def _view(self, given: _Region | None, predicted: Sequence[Span]) -> str:
        if not predicted and given:
            outside = np.exp(self._by_label[given.first : given.end, 0].mean())
            return f"not an entity {outside:.2f}"
        text, marked = self._document.text, self._span(given) if given else predicted[0]
        if [(span.start, span.end) for span in predicted] == [(marked.start, marked.end)]:
            return f"{predicted[0].label} {predicted[0].score:.2f}"
        quoted = [f"“{text[span.start : span.end]}”" for span in predicted]
        if {span.label for span in predicted} == {marked.label}:
            return f"{' and '.join(quoted)} instead of “{text[marked.start : marked.end]}”"
        return ", ".join(
            f"{span.label} {span.score:.2f} {quote}" for span, quote in zip(predicted, quoted, strict=True)
        )


def _regions(tags: Ints, finder: EntityFinder) -> list[_Region]:
    first, end = finder.find(tags)
    columns = first.tolist(), end.tolist(), ((tags[first] + 1) // 2).tolist()
    return [_Region(*row) for row in zip(*columns, strict=True)]


def _kind(given: Span | None, predicted: Sequence[Span]) -> Kind:
    if given is None:
        return "missing"
    if not predicted:
        return "should not be marked"
    return "wrong boundaries" if any(span.label == given.label for span in predicted) else "wrong label"
