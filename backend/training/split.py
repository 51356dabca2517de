"""Which documents train the model, which choose its checkpoint, which only ever score it."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from backend.errors import NotEnoughLabels
from converters.document import Document

Side = Literal["train", "validation", "test"]

_TENTHS: tuple[Side, ...] = ("train",) * 8 + ("validation", "test")


@dataclass(frozen=True, slots=True)
class Split:
    """Documents by side, each in the order they came. ``validation`` and ``test`` may be empty."""

    train: tuple[Document, ...]
    validation: tuple[Document, ...]
    test: tuple[Document, ...]


def side(document_id: str) -> Side:
    """Side of a document: 80 % train, 10 % validation, 10 % test.

    A task never changes side, however many are labelled later: what once was a test document never leaks into
    training.
    """
    return _TENTHS[part(document_id, 10)]


def part(document_id: str, parts: int) -> int:
    """Which of so many equal parts a document belongs to, from 0 on.

    It depends on nothing but the id (first 8 bytes of its SHA-256, modulo ``parts``).
    """
    digest = hashlib.sha256(document_id.encode("utf-8", "surrogatepass")).digest()
    return int.from_bytes(digest[:8], "big") % parts


def split(documents: Sequence[Document]) -> Split:
    """Divide documents by `side`; raise `NotEnoughLabels` where nothing could be learnt from the training side."""
    sides: dict[Side, list[Document]] = {"train": [], "validation": [], "test": []}
    for document in documents:
        sides[side(document.id)].append(document)
    _check_enough(documents, sides["train"])
    return Split(*(tuple(sides[name]) for name in ("train", "validation", "test")))


def _check_enough(documents: Sequence[Document], train: Sequence[Document]) -> None:
    remedy = "label more tasks, then start training again"
    if not documents:
        raise NotEnoughLabels(f"There are 0 labelled tasks: {remedy}.")
    regions = sum(len(document.spans) for document in documents)
    if not regions:
        raise NotEnoughLabels(
            f"The {len(documents)} labelled tasks hold 0 regions of the labels to learn: mark some entities, "
            "then start training again."
        )
    if not any(document.spans for document in train):
        raise NotEnoughLabels(
            f"Of {len(documents)} labelled tasks with {regions} regions, {len(train)} fell on the training side, "
            f"without a single region, and the rest are kept for evaluation: {remedy}."
        )
