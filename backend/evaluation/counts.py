"""Entities in gold and in predicted tags, counted for each document and label: scores are computed from these."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from backend.evaluation.bootstrap import Ints
from converters.bio import OUTSIDE
from converters.tagged import UNKNOWN

Boundaries = tuple[int, int]
"""First word of an entity, and the word after its last."""


@dataclass(frozen=True, slots=True, eq=False)
class Counts:
    """Numbers of entities of each document (row) and label (column, in the order of ``labels``).

    ``correct`` are the true positives: predicted with exactly the boundaries and the label of a gold entity.
    """

    labels: tuple[str, ...]
    correct: Ints
    predicted: Ints
    gold: Ints

    def totals(self, labels: Collection[str]) -> Ints:
        """Correct, predicted and gold entities (columns) of each document (row), summed over some labels."""
        chosen = [label in labels for label in self.labels]
        sums = [counts[:, chosen].sum(axis=1) for counts in (self.correct, self.predicted, self.gold)]
        return np.stack(sums, axis=1)


@dataclass(frozen=True, slots=True)
class Confusion:
    """Numbers of gold and of wrongly predicted entities by kind of error; zeros are left out.

    Each gold entity is counted once, so the first three add up to the label's support:

    - ``found_as[label][predicted label]``: an entity with exactly its boundaries was predicted, with that label;
    - ``boundaries[label]``: else, an entity of its label that overlaps it was predicted;
    - ``missed[label]``: else.

    ``spurious[label]`` counts predicted entities that have neither the boundaries of a gold entity nor overlap one of
    their own label. As a matrix: a row for each gold label with the cells of ``found_as``, then columns for
    ``boundaries`` and ``missed``; below, a row for ``spurious``.
    """

    found_as: dict[str, dict[str, int]]
    boundaries: dict[str, int]
    missed: dict[str, int]
    spurious: dict[str, int]


def count(gold: Sequence[Sequence[str]], predicted: Sequence[Sequence[str]]) -> tuple[Counts, Confusion]:
    """Compare BIO tags, one sequence a document. Entities are those of strict IOB2: ``B-X``, then each ``I-X``."""
    labels = tuple(sorted({tag[2:] for tags in (*gold, *predicted) for tag in tags if tag != "O"}))
    column = {label: index for index, label in enumerate(labels)}
    counts = Counts(labels, *np.zeros((3, len(gold), len(labels)), dtype=np.int64))
    found_as: Counter[tuple[str, str]] = Counter()
    boundaries: Counter[str] = Counter()
    missed: Counter[str] = Counter()
    spurious: Counter[str] = Counter()
    for row, (gold_tags, predicted_tags) in enumerate(zip(gold, predicted, strict=True)):
        gold_entities, predicted_entities = dict(_entities(gold_tags)), dict(_entities(predicted_tags))
        for entity, label in gold_entities.items():
            counts.gold[row, column[label]] += 1
            if entity in predicted_entities:
                found_as[label, predicted_entities[entity]] += 1
                counts.correct[row, column[label]] += predicted_entities[entity] == label
            elif _overlaps(predicted_tags, entity, label):
                boundaries[label] += 1
            else:
                missed[label] += 1
        for entity, label in predicted_entities.items():
            counts.predicted[row, column[label]] += 1
            if entity not in gold_entities and not _overlaps(gold_tags, entity, label):
                spurious[label] += 1
    return counts, Confusion(_nested(found_as), dict(boundaries), dict(missed), dict(spurious))


def known_tags(
    gold: Sequence[Sequence[str]], predicted: Sequence[Sequence[str]]
) -> tuple[list[Sequence[str]], list[Sequence[str]]]:
    """The same tags without the entities that cannot be judged, since a gold tag is `UNKNOWN`.

    Left out are predicted entities with a word whose gold tag is unknown, and gold entities that overlap one of these:
    with the region that could not be read, either may be right.
    """
    pairs = [
        (gold_tags, predicted_tags) if UNKNOWN not in gold_tags else _without_unknown(gold_tags, predicted_tags)
        for gold_tags, predicted_tags in zip(gold, predicted, strict=True)
    ]
    return [pair[0] for pair in pairs], [pair[1] for pair in pairs]


def _without_unknown(gold: Sequence[str], predicted: Sequence[str]) -> tuple[list[str], list[str]]:
    kept_gold, kept = [OUTSIDE if tag == UNKNOWN else tag for tag in gold], list(predicted)
    gold_entities = [entity for entity, _ in _entities(gold)]
    for (first, end), _ in _entities(predicted):
        if UNKNOWN in gold[first:end]:
            kept[first:end] = [OUTSIDE] * (end - first)
            for start, after in gold_entities:
                if start < end and after > first:
                    kept_gold[start:after] = [OUTSIDE] * (after - start)
    return kept_gold, kept


def _entities(tags: Sequence[str]) -> Iterator[tuple[Boundaries, str]]:
    start, label = -1, ""
    for position, tag in enumerate((*tags, "O")):
        if start >= 0 and tag != f"I-{label}":
            yield (start, position), label
            start = -1
        if tag.startswith("B-"):
            start, label = position, tag[2:]


def _overlaps(tags: Sequence[str], entity: Boundaries, label: str) -> bool:
    """Whether any word of the entity has a tag of the label."""
    return any(tag != "O" and tag[2:] == label for tag in tags[slice(*entity)])


def _nested(pairs: Counter[tuple[str, str]]) -> dict[str, dict[str, int]]:
    nested: dict[str, dict[str, int]] = {}
    for (label, predicted), number in sorted(pairs.items()):
        nested.setdefault(label, {})[predicted] = number
    return nested
