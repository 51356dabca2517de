"""Several people's spans on one text, made one by majority of each word."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from converters.bio import OUTSIDE, Loss, spans_to_tags, tags_to_spans
from converters.document import Span, Word


@dataclass(frozen=True, slots=True)
class Agreement:
    """What a majority found: spans in text order, the number of words voted on, and of those not tagged alike.

    ``losses`` are the spans that had no vote, since they overlap others of the same person or cover no word.
    """

    spans: tuple[Span, ...]
    words: int
    disputed: int
    losses: tuple[Loss, ...]


def agree(text: str, votes: Sequence[Iterable[Span]]) -> Agreement:
    """Let everyone who labelled ``text`` vote on each word; ``votes`` holds one person's spans each.

    A word gets a tag if more than half of the voters gave it the same label *and* the same place in the
    span (its first word or a later one); with a tie or less it is outside. Words are cut wherever any span
    begins or ends. The tags become spans by the usual rule: a later word of a span whose beginning found no
    majority begins one.
    """
    tagged = [spans_to_tags(text, spans) for spans in votes]
    ballots = [tags_to_spans(it.words, it.tags) for it in tagged] or [[]]
    words = _common_words(text, ballots)
    columns = list(zip(*(_tags(words, spans) for spans in ballots), strict=True))
    elected = [_elect(column) for column in columns]
    return Agreement(
        spans=tuple(tags_to_spans(words, elected)),
        words=len(words),
        disputed=sum(len(set(column)) > 1 for column in columns),
        losses=tuple(loss for it in tagged for loss in it.losses),
    )


def _common_words(text: str, ballots: Iterable[Iterable[Span]]) -> tuple[Word, ...]:
    """Cut the text into words so that none crosses the edge of anyone's span."""
    edges = sorted({edge for spans in ballots for span in spans for edge in (span.start, span.end)})
    return spans_to_tags(text, [Span(start, end, "cut") for start, end in pairwise(edges)]).words


def _elect(column: Sequence[str]) -> str:
    tag, count = Counter(column).most_common(1)[0]
    return tag if count * 2 > len(column) else OUTSIDE


def _tags(words: Iterable[Word], spans: Sequence[Span]) -> Iterator[str]:
    """Tag words, none of which crosses the edge of a span; both are in text order."""
    at = 0
    for word in words:
        while at < len(spans) and spans[at].end <= word.start:
            at += 1
        if at == len(spans) or word.start < spans[at].start:
            yield OUTSIDE
        else:
            yield f"{'B' if word.start == spans[at].start else 'I'}-{spans[at].label}"
