"""Agreement: the spans of several people on one text, combined by a majority vote on each word."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from converters.bio import OUTSIDE, Loss, spans_to_tags, tags_to_spans
from converters.document import Span, Word


@dataclass(frozen=True, slots=True)
class Agreement:
    """The spans of the majority in text order, the number of words, and how many of them were tagged differently.

    ``losses`` are the spans that had no vote, since they overlap others of the same person or cover no word.
    """

    spans: tuple[Span, ...]
    words: int
    disputed: int
    losses: tuple[Loss, ...]


def agree(text: str, votes: Sequence[Iterable[Span]]) -> Agreement:
    """Take a vote on each word of ``text``; ``votes`` holds the spans of one person each.

    A word gets a tag if more than half of the people gave it the same label *and* the same position in the span (its
    first word or a later one); otherwise it is outside. Words are split wherever any span begins or ends. The tags
    become spans as in `converters.bio.repair`: a later word of a span whose first word had no majority begins a span.
    """
    tagged = [spans_to_tags(text, spans) for spans in votes]
    ballots = [tags_to_spans(ballot.words, ballot.tags) for ballot in tagged] or [[]]
    words = _common_words(text, ballots)
    columns = list(zip(*(_tags(words, spans) for spans in ballots), strict=True))
    elected = [_elect(column) for column in columns]
    return Agreement(
        spans=tuple(tags_to_spans(words, elected)),
        words=len(words),
        disputed=sum(len(set(column)) > 1 for column in columns),
        losses=tuple(loss for ballot in tagged for loss in ballot.losses),
    )


def _common_words(text: str, ballots: Iterable[Iterable[Span]]) -> tuple[Word, ...]:
    """Split the text into words so that no word crosses a boundary of anyone's span."""
    edges = sorted({edge for spans in ballots for span in spans for edge in (span.start, span.end)})
    return spans_to_tags(text, [Span(start, end, "cut") for start, end in pairwise(edges)]).words


def _elect(column: Sequence[str]) -> str:
    tag, count = Counter(column).most_common(1)[0]
    return tag if count * 2 > len(column) else OUTSIDE


def _tags(words: Iterable[Word], spans: Sequence[Span]) -> Iterator[str]:
    """Tag words, none of which crosses a boundary of a span; both are in text order."""
    index = 0
    for word in words:
        while index < len(spans) and spans[index].end <= word.start:
            index += 1
        if index == len(spans) or word.start < spans[index].start:
            yield OUTSIDE
        else:
            yield f"{'B' if word.start == spans[index].start else 'I'}-{spans[index].label}"
