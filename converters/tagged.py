"""Documents with BIO tags: tagged once, then used for training, scoring and writing."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from operator import attrgetter

from converters.bio import OUTSIDE, OVERLAP, Loss, spans_to_tags, tags_to_spans
from converters.document import Document, Span, Word

OTHER_LABEL = "has another label"

UNKNOWN = "-"
"""The tag of a word of which is not known whether it belongs to an entity: it is neither learnt nor scored."""


@dataclass(frozen=True, slots=True)
class TaggedDocument:
    """A text, its words, and a BIO tag, or `UNKNOWN`, for each word.

    ``spans`` are the entities of the tags: in text order, without overlaps, each from its first word's start to its
    last word's end. ``losses`` are the document's spans that are not among them, each with the reason. ``text_name``,
    ``labels`` and ``sentence_per_line`` are those of the `Document`.
    """

    id: str
    text: str
    words: tuple[Word, ...]
    tags: tuple[str, ...]
    spans: tuple[Span, ...]
    losses: tuple[Loss, ...] = ()
    text_name: str = ""
    labels: tuple[str, ...] | None = None
    sentence_per_line: bool = False

    @property
    def is_complete(self) -> bool:
        """Whether the tags of all words are known."""
        return UNKNOWN not in self.tags


def tag_document(document: Document, *, labels: Collection[str] | None = None) -> TaggedDocument:
    """Tag the words of a document as `converters.bio.spans_to_tags` does; only spans of ``labels``, if given.

    A word outside of these spans that is in another region is `UNKNOWN`: in one of the document's ``unreadable``
    regions, in a span with another label, or in one that overlaps a longer one.
    """
    taggable: list[Span] = []
    losses: list[Loss] = []
    for span in document.spans:
        if labels is None or span.label in labels:
            taggable.append(span)
        else:
            losses.append(Loss(span, OTHER_LABEL, None))
    tagged = spans_to_tags(document.text, taggable)
    losses = [*tagged.losses, *losses]
    doubtful = [loss.span for loss in losses if loss.reason in (OVERLAP, OTHER_LABEL)]
    return TaggedDocument(
        id=document.id,
        text=document.text,
        words=tagged.words,
        tags=_with_unknown(tagged.words, tagged.tags, [*document.unreadable, *doubtful]),
        spans=tuple(tags_to_spans(tagged.words, tagged.tags)),
        losses=tuple(losses),
        text_name=document.text_name,
        labels=document.labels,
        sentence_per_line=document.sentence_per_line,
    )


_word_start = attrgetter("start")
_word_end = attrgetter("end")


def _with_unknown(words: Sequence[Word], tags: tuple[str, ...], regions: Iterable[Span]) -> tuple[str, ...]:
    """The tags, `UNKNOWN` in place of ``O`` where a word overlaps one of the regions."""
    changed = list(tags)
    for region in regions:
        first = bisect_right(words, region.start, key=_word_end)
        after = bisect_left(words, region.end, lo=first, key=_word_start)
        changed[first:after] = [UNKNOWN if tag == OUTSIDE else tag for tag in changed[first:after]]
    return tuple(changed)
