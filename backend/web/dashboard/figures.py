"""What a version's metrics say, as rows for tables. Metrics of older releases may hold less."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from backend.store.models import Version
from backend.web.dashboard.charts import Bar

_SHADES = (0.005, 0.05, 0.15, 0.35, 0.65)
"""Shares of a row from which on a cell is shaded one step deeper."""


@dataclass(frozen=True, slots=True)
class LabelRow:
    """Scores of one label; ``support`` is the number of held-out entities."""

    label: str
    f1: float
    precision: float
    recall: float
    support: int
    interval: tuple[float, float] | None


@dataclass(frozen=True, slots=True)
class Cell:
    """How often; ``shade`` from 0 to 5 is its share of the row, ``right`` tells whether that is as it should be."""

    number: int
    shade: int = 0
    right: bool = False


@dataclass(frozen=True, slots=True)
class Matrix:
    """What became of the held-out entities: a row for each label, and what was found where nothing is."""

    labels: tuple[str, ...]
    rows: tuple[tuple[str, tuple[Cell, ...]], ...]
    spurious: tuple[Cell, ...]


@dataclass(frozen=True, slots=True)
class Mistake:
    """The most frequent confusion of two labels."""

    label: str
    taken_for: str
    number: int


def bars(versions: Sequence[Version], current: str | None) -> list[Bar]:
    """The versions with a score, oldest first."""
    scored = [each for each in reversed(versions) if f1_of(each) is not None]
    return [Bar(each.name, each.metrics["f1"], interval_of(each), each.name == current) for each in scored]


def f1_of(version: Version) -> float | None:
    """F1 in [0, 1]; ``None`` where no held-out task had regions."""
    return version.metrics.get("f1") if version.metrics.get("support") != 0 else None


def interval_of(version: Version) -> tuple[float, float] | None:
    """Its 95 % interval, where there is one."""
    return _pair((version.metrics.get("intervals") or {}).get("f1"))


def label_rows(metrics: Mapping[str, Any]) -> list[LabelRow]:
    """Scores by label, the weakest first; labels of which nothing was held out come last."""
    rows = [
        LabelRow(label, each["f1"], each["precision"], each["recall"], each["support"], _pair(each.get("interval")))
        for label, each in (metrics.get("per_label") or {}).items()
    ]
    return sorted(rows, key=lambda row: (not row.support, row.f1, row.label))


def matrix(metrics: Mapping[str, Any]) -> Matrix | None:
    """Confusion between labels; ``None`` where it was not recorded or there is nothing to confuse."""
    confusion, labels = metrics.get("confusion"), tuple(metrics.get("per_label") or {})
    if not confusion or not labels:
        return None
    rows = []
    for label in labels:
        found = confusion["found_as"].get(label, {})
        numbers = [found.get(each, 0) for each in labels]
        numbers += [confusion["boundaries"].get(label, 0), confusion["missed"].get(label, 0)]
        whole = sum(numbers) or 1
        cells = [Cell(each, _shade(each / whole), labels[at : at + 1] == (label,)) for at, each in enumerate(numbers)]
        rows.append((label, tuple(cells)))
    spurious = tuple(Cell(confusion["spurious"].get(label, 0)) for label in labels)
    return Matrix(labels, tuple(rows), spurious)


def worst_mistake(metrics: Mapping[str, Any]) -> Mistake | None:
    """The pair of labels that is confused most often."""
    found = (metrics.get("confusion") or {}).get("found_as") or {}
    mistakes = [
        Mistake(label, other, number)
        for label, row in found.items()
        for other, number in row.items()
        if other != label and number
    ]
    return max(mistakes, key=lambda each: each.number, default=None)


def _shade(share: float) -> int:
    return sum(share >= least for least in _SHADES)


def _pair(values: Sequence[float] | None) -> tuple[float, float] | None:
    return (values[0], values[1]) if values else None
