"""Labels that are probably mistakes: where people and a model that has not seen their work disagree.

Confident learning (Northcutt et al. 2021, doi:10.1613/jair.1.12125) ranks labels by how little probability a model
gives them that was trained without them; here a label is a region, and what a person did not mark counts as well.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np

from backend.inference.decode import Floats, Ints, Viterbi
from backend.inference.entities import EntityFinder
from converters.bio import spans_to_tags, starts, tag_set, transitions
from converters.document import Document, Span

Kind = Literal["wrong label", "wrong boundaries", "should not be marked", "missing"]

LEAST_SCORE = 0.5
"""Below it a label is more probably right than wrong."""


@dataclass(frozen=True, slots=True)
class IssueCandidate:
    """One region that is probably a mistake, or one that is probably missing.

    ``given`` is the span in question, ``None`` where it is missing. ``found`` is what the model would mark in its
    place, each with its probability; ``view`` says the same to people. ``score`` is in [0, 1], 1.0 for a sure mistake:
    1 minus the geometric mean of the probabilities of the given tags, over all words of ``given`` and ``found``. So a
    wrong label or a missing region counts in full, a boundary in so far as words are in dispute.
    """

    document: str
    text: str
    given: Span | None
    found: tuple[Span, ...]
    kind: Kind
    view: str
    score: float

    @property
    def start(self) -> int:
        return self.given.start if self.given else self.found[0].start

    @property
    def end(self) -> int:
        return self.given.end if self.given else self.found[-1].end


def rank(documents: Sequence[Document], emissions: Sequence[Floats], *, labels: Sequence[str]) -> list[IssueCandidate]:
    """All candidates about the spans of some documents, the surest first.

    ``emissions`` are, for each document, the log-probabilities of the tags of its words, of shape (words, tags), by a
    model that has not seen it. Its words are those of `converters.bio.spans_to_tags`, its tags those of ``labels``.
    """
    tags = tag_set(labels)
    finder = EntityFinder(tags)
    decoded = Viterbi(transitions(tags), starts(tags)).decode(emissions)
    candidates = [
        candidate
        for document, scores, best in zip(documents, emissions, decoded, strict=True)
        for candidate in _Comparison(document, scores, best, tags, finder).candidates()
        if candidate.score >= LEAST_SCORE
    ]
    return sorted(candidates, key=lambda candidate: candidate.score, reverse=True)


class _Region(NamedTuple):
    """An entity of the words from ``first`` to before ``end``; ``label`` is a column of `_Comparison`'s labels."""

    first: int
    end: int
    label: int


class _Comparison:
    """One document: what people marked, and what the model would mark. Labels are numbered from 1, 0 is none."""

    def __init__(self, document: Document, scores: Floats, best: Ints, tags: Sequence[str], finder: EntityFinder):
        tagged = spans_to_tags(document.text, document.spans)
        ids = {tag: index for index, tag in enumerate(tags)}
        self._document, self._words, self._names = document, tagged.words, finder.labels
        self._tags = np.array([ids[tag] for tag in tagged.tags], dtype=np.int64)
        self._best, self._scores = best, scores
        self._of_label = np.hstack([scores[:, :1], np.logaddexp(scores[:, 1::2], scores[:, 2::2])])
        # Of a word in which the tokenizer sees nothing, the model knows nothing.
        self._seen = np.all(np.isfinite(scores), axis=1)
        self._given = _regions(self._tags, finder)
        self._found = _regions(best, finder)
        self._owners = np.full(len(self._words), -1)
        for number, region in enumerate(self._given):
            self._owners[region.first : region.end] = number

    def candidates(self) -> Iterator[IssueCandidate]:
        for number, given in enumerate(self._given):
            if given in self._found:
                continue
            found = [each for each in self._found if each.first < given.end and each.end > given.first]
            yield from self._doubt([given, *found], number, given=given, found=found)
        for each in self._found:
            if (self._owners[each.first : each.end] < 0).all():
                yield from self._doubt([each], -1, given=None, found=[each])

    def _doubt(
        self, regions: Sequence[_Region], owner: int, *, given: _Region | None, found: Sequence[_Region]
    ) -> Iterator[IssueCandidate]:
        """The candidate, unless the model has seen none of its words."""
        words = np.unique(np.concatenate([np.arange(each.first, each.end) for each in regions]))
        words = words[np.logical_and(self._seen[words], np.isin(self._owners[words], (-1, owner)))]
        if not len(words):
            return
        spans = tuple(self._span(each) for each in found)
        marked = self._span(given) if given else None
        yield IssueCandidate(
            document=self._document.id,
            text=self._document.text[(marked or spans[0]).start : (marked or spans[0]).end],
            given=marked and Span(marked.start, marked.end, marked.label),
            found=spans,
            kind=_kind(marked, spans),
            view=self._view(given, spans),
            score=1.0 - float(np.exp(self._scores[words, self._tags[words]].mean())),
        )

    def _span(self, region: _Region) -> Span:
        first, last = self._words[region.first], self._words[region.end - 1]
        score = self._of_label[region.first : region.end, region.label].mean()
        return Span(first.start, last.end, self._names[2 * region.label], min(1.0, float(np.exp(score))))

    def _view(self, given: _Region | None, found: Sequence[Span]) -> str:
        if not found and given:
            outside = np.exp(self._of_label[given.first : given.end, 0].mean())
            return f"not an entity {outside:.2f}"
        text, marked = self._document.text, self._span(given) if given else found[0]
        if [(each.start, each.end) for each in found] == [(marked.start, marked.end)]:
            return f"{found[0].label} {found[0].score:.2f}"
        quoted = [f"“{text[each.start : each.end]}”" for each in found]
        if {each.label for each in found} == {marked.label}:
            return f"{' and '.join(quoted)} instead of “{text[marked.start : marked.end]}”"
        return ", ".join(f"{each.label} {each.score:.2f} {quote}" for each, quote in zip(found, quoted, strict=True))


def _regions(tags: Ints, finder: EntityFinder) -> list[_Region]:
    first, end = finder.find(tags)
    columns = first.tolist(), end.tolist(), ((tags[first] + 1) // 2).tolist()
    return [_Region(*each) for each in zip(*columns, strict=True)]


def _kind(given: Span | None, found: Sequence[Span]) -> Kind:
    if given is None:
        return "missing"
    if not found:
        return "should not be marked"
    return "wrong boundaries" if any(each.label == given.label for each in found) else "wrong label"
