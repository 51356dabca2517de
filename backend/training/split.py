"""Divides labelled documents into a training, a validation and a test set."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from backend.errors import NotEnoughLabels
from converters.tagged import TaggedDocument

Subset = Literal["train", "validation", "test"]

_TENTHS: tuple[Subset, ...] = ("train",) * 8 + ("validation", "test")


@dataclass(frozen=True, slots=True)
class Split:
    """The three sets, each in the order of the documents. ``validation`` and ``test`` may be empty.

    ``train`` is what the model learns, ``validation`` selects the checkpoint, ``test`` is only scored.
    """

    train: tuple[TaggedDocument, ...]
    validation: tuple[TaggedDocument, ...]
    test: tuple[TaggedDocument, ...]


def subset_of(document_id: str) -> Subset:
    """The set a document belongs to: 80 % train, 10 % validation, 10 % test.

    A task stays in its set however many tasks are labelled later, so a test document never becomes a training document;
    all texts of a task are in the same set, since a document's id is that of its task.
    """
    return _TENTHS[bucket(document_id, 10)]


def bucket(document_id: str, buckets: int) -> int:
    """One of ``buckets`` equal parts, numbered from 0, by the hash of the id alone.

    The hash is the first 8 bytes of its SHA-256, modulo ``buckets``.
    """
    digest = hashlib.sha256(document_id.encode("utf-8", "surrogatepass")).digest()
    return int.from_bytes(digest[:8], "big") % buckets


def split(documents: Sequence[TaggedDocument]) -> Split:
    """Divide documents (`divide`); raises `NotEnoughLabels` if the training set has no entity to learn."""
    subsets = divide(documents)
    _check_enough(documents, subsets.train)
    return subsets


def divide(documents: Sequence[TaggedDocument]) -> Split:
    """Divide documents by `subset_of`, however few there are."""
    subsets: dict[Subset, list[TaggedDocument]] = {"train": [], "validation": [], "test": []}
    for document in documents:
        subsets[subset_of(document.id)].append(document)
    return Split(*(tuple(subsets[name]) for name in ("train", "validation", "test")))


def _check_enough(documents: Sequence[TaggedDocument], train: Sequence[TaggedDocument]) -> None:
    if not documents:
        raise NotEnoughLabels("There are 0 labelled tasks: label more tasks, then start training again.")
    regions = sum(len(document.spans) for document in documents)
    if not regions:
        raise NotEnoughLabels(
            f"{_tasks(documents, 'labelled task')}, but 0 regions with the project's labels: mark some entities, "
            "then start training again."
        )
    if not any(document.spans for document in train):
        tasks, marked = _tasks(documents, "labelled task"), _number(regions, "region")
        raise NotEnoughLabels(
            f"{tasks} with {marked} are too few: a fifth of the tasks is kept for evaluation, and the training set "
            f"({_tasks(train, 'task')}) has no region. Label more tasks, then start training again."
        )


def _tasks(documents: Sequence[TaggedDocument], noun: str) -> str:
    return _number(len({document.id for document in documents}), noun)


def _number(count: int, noun: str) -> str:
    return f"{count} {noun}{'' if count == 1 else 's'}"
