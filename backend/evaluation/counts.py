"""What was found of what is there, document by document and label by label, before any score is made of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from backend.evaluation.bootstrap import Ints

Place = tuple[int, int]
"""First word of an entity, and the word after its last."""


@dataclass(frozen=True, slots=True, eq=False)
class Counts:
    """Entities of each document (row) and label (column, in the order of ``labels``).

    ``right`` are predicted with exactly the boundaries and the label of gold ones.
    """

    labels: tuple[str, ...]
    right: Ints
    predicted: Ints
    gold: Ints

    def totals(self, labels: Collection[str]) -> Ints:
        """Right, predicted and gold entities (columns) of each document, of some labels together."""
        chosen = [label in labels for label in self.labels]
        sums = [each[:, chosen].sum(axis=1) for each in (self.right, self.predicted, self.gold)]
        return np.stack(sums, axis=1)


@dataclass(frozen=True, slots=True)
class Confusion:
    """What became of the gold entities, and what else was found, in numbers of entities; what is 0 is left out.

    Each gold entity of a label is in one of three places, which add up to the label's support:

    - ``found_as[label][predicted label]``: one with exactly its boundaries was predicted, under that label;
    - ``boundaries[label]``: else, one of its own label that overlaps it was predicted;
    - ``missed[label]``: else.

    ``spurious[label]`` counts predicted entities that have neither the boundaries of a gold one nor overlap one of
    their own label. As a matrix: a row for each gold label, its cells ``found_as``, then columns for ``boundaries``
    and ``missed``; below, a row for ``spurious``. Rows and columns are the labels of ``per_label``.
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
        expected, found = dict(_entities(gold_tags)), dict(_entities(predicted_tags))
        for place, label in expected.items():
            counts.gold[row, column[label]] += 1
            if place in found:
                found_as[label, found[place]] += 1
                counts.right[row, column[label]] += found[place] == label
            elif _touches(predicted_tags, place, label):
                boundaries[label] += 1
            else:
                missed[label] += 1
        for place, label in found.items():
            counts.predicted[row, column[label]] += 1
            if place not in expected and not _touches(gold_tags, place, label):
                spurious[label] += 1
    return counts, Confusion(_nested(found_as), *({**each} for each in (boundaries, missed, spurious)))


def _entities(tags: Sequence[str]) -> Iterator[tuple[Place, str]]:
    start, label = -1, ""
    for position, tag in enumerate((*tags, "O")):
        if start >= 0 and tag != f"I-{label}":
            yield (start, position), label
            start = -1
        if tag.startswith("B-"):
            start, label = position, tag[2:]


def _touches(tags: Sequence[str], place: Place, label: str) -> bool:
    return any(tag != "O" and tag[2:] == label for tag in tags[slice(*place)])


def _nested(pairs: Counter[tuple[str, str]]) -> dict[str, dict[str, int]]:
    nested: dict[str, dict[str, int]] = {}
    for (label, predicted), number in sorted(pairs.items()):
        nested.setdefault(label, {})[predicted] = number
    return nested
