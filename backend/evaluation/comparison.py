"""The entities of held-out tasks on which versions disagree, with the text around them, bounded in size."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from backend.evaluation.counts import known_tags
from converters.bio import tags_to_spans
from converters.document import Span
from converters.tagged import TaggedDocument

MAX_ENTITIES = 2_000
MAX_BYTES = 900_000
"""Bounds of a comparison: it is one row of the database, and read whole."""

CONTEXT = 40
"""Characters of the text before and after an entity."""

_MAX_TEXT = 200
"""Characters of an entity; the middle of a longer one is left out."""

Tags = Sequence[Sequence[str]]


@dataclass(frozen=True, slots=True)
class Entity:
    """An entity that some of the compared versions mark and others do not.

    ``start`` and ``end`` are code-point offsets in the text ``text_name`` of the task. ``given``: people marked it.
    ``versions`` are the positions, in the list of compared versions, of those that mark it.
    """

    task: str
    text_name: str
    start: int
    end: int
    label: str
    given: bool
    versions: list[int]
    before: str
    text: str
    after: str


def disagreements(documents: Sequence[TaggedDocument], predicted: Mapping[str, Tags]) -> tuple[list[Entity], int]:
    """The entities on which versions disagree, and how many more there are than are returned.

    ``predicted`` has the tags that each version gives the words of ``documents``, the most important version first.
    Entities on which the first versions disagree come first, then those of earlier documents. What cannot be judged
    (`known_tags`) is left out.
    """
    differing = [
        entity
        for number, document in enumerate(documents)
        for entity in _of_document(document, [tags[number] for tags in predicted.values()])
    ]
    differing.sort(key=_first_difference)
    kept: list[Entity] = []
    size = 0
    for entity in differing[:MAX_ENTITIES]:
        size += len(json.dumps(asdict(entity))) + 2
        if size > MAX_BYTES:
            break
        kept.append(entity)
    return kept, len(differing) - len(kept)


def to_rows(entities: Sequence[Entity]) -> list[dict[str, Any]]:
    """For JSON."""
    return [asdict(entity) for entity in entities]


def _of_document(document: TaggedDocument, versions: Sequence[Sequence[str]]) -> Iterator[Entity]:
    given = set(document.spans)
    marked: list[set[Span]] = []
    for tags in versions:
        (known_gold,), (known,) = known_tags([document.tags], [tags])
        given &= set(tags_to_spans(document.words, known_gold))
        marked.append(set(tags_to_spans(document.words, known)))
    not_judged = set(document.spans) - given
    for span in sorted(set().union(*marked) - not_judged):
        holders = [index for index, spans in enumerate(marked) if span in spans]
        if len(holders) < len(versions):
            yield _entity(document, span, span in given, holders)


def _entity(document: TaggedDocument, span: Span, given: bool, holders: list[int]) -> Entity:
    text = document.text[span.start : span.end]
    if len(text) > _MAX_TEXT:
        text = f"{text[: _MAX_TEXT // 2]} … {text[-_MAX_TEXT // 2 :]}"
    return Entity(
        task=document.id,
        text_name=document.text_name,
        start=span.start,
        end=span.end,
        label=span.label,
        given=given,
        versions=holders,
        before=document.text[max(0, span.start - CONTEXT) : span.start],
        text=text,
        after=document.text[span.end : span.end + CONTEXT],
    )


def _first_difference(entity: Entity) -> int:
    """The position of the first version that does not agree with the first of all."""
    first = 0 in entity.versions
    return next(index for index in range(1, 1 << 30) if (index in entity.versions) != first)
