"""Documents with BIO tags: tagged once, then used for training, scoring and writing."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from converters.bio import Loss, spans_to_tags, tags_to_spans
from converters.document import Document, Span, Word

OTHER_LABEL = "has another label"


@dataclass(frozen=True, slots=True)
class TaggedDocument:
    """A text, its words, and a BIO tag for each word.

    ``spans`` are the entities of the tags: in text order, without overlaps, each from its first word's start to its
    last word's end. ``losses`` are the document's spans that are not among them, each with the reason.
    """

    id: str
    text: str
    words: tuple[Word, ...]
    tags: tuple[str, ...]
    spans: tuple[Span, ...]
    losses: tuple[Loss, ...] = ()


def tag_document(document: Document, *, labels: Collection[str] | None = None) -> TaggedDocument:
    """Tag the words of a document as `converters.bio.spans_to_tags` does; only spans of ``labels``, if given."""
    taggable: list[Span] = []
    losses: list[Loss] = []
    for span in document.spans:
        if labels is None or span.label in labels:
            taggable.append(span)
        else:
            losses.append(Loss(span, OTHER_LABEL, None))
    tagged = spans_to_tags(document.text, taggable)
    return TaggedDocument(
        id=document.id,
        text=document.text,
        words=tagged.words,
        tags=tagged.tags,
        spans=tuple(tags_to_spans(tagged.words, tagged.tags)),
        losses=(*tagged.losses, *losses),
    )
