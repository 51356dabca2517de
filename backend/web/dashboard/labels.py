"""The table of labels: training examples, the current version's scores, and how they changed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from backend.scores import LabelScore, label_scores, shown_difference
from backend.store.data_state import DataState
from backend.store.models import Version


@dataclass(frozen=True, slots=True)
class LabelRow:
    """A label: its regions outside held-out tasks (``examples``) and in them, its ``score`` in the current version.

    ``examples`` is ``None`` while they are not counted, ``score`` where the version does not have the label.
    ``change`` is the difference of F1 to the version before, empty where one of the two is unknown; ``before`` is then
    what that version has found.
    """

    label: str
    examples: int | None
    held_out: int
    score: LabelScore | None
    change: str = ""
    before: str = ""


@dataclass(frozen=True, slots=True)
class LabelTable:
    """All labels, the weakest first, or before the first version those with the fewest examples.

    ``version`` serves; ``previous`` served before it and is scored on the same held-out tasks, if there is such.
    ``without_examples`` are the labels that nothing is trained on, ``fewest`` is the one with the fewest of the rest;
    these two are known where examples are counted.
    """

    rows: tuple[LabelRow, ...]
    version: str | None = None
    previous: str | None = None
    without_examples: tuple[str, ...] = ()
    fewest: LabelRow | None = None

    @property
    def has_f1(self) -> bool:
        """Whether the F1 of any label is known."""
        return any(row.score is not None and row.score.f1 is not None for row in self.rows)


def label_table(
    versions: Sequence[Version], current: Version | None, data: DataState | None, configured: Iterable[str]
) -> LabelTable:
    """The labels of the labelling configuration, of the data, and of the current one of ``versions`` (newest first)."""
    previous = _previous(versions, current)
    scores = label_scores(current.metrics) if current else {}
    earlier = label_scores(previous.metrics) if previous else {}
    counts = {row.label: row for row in data.labels} if data else {}
    names = dict.fromkeys([*(configured if data or not current else ()), *counts, *scores])
    rows = []
    for name in names:
        count, score, before = counts.get(name), scores.get(name), earlier.get(name)
        examples = (count.regions - count.held_out if count else 0) if data else None
        held_out = score.regions if score else count.held_out if count else 0
        rows.append(LabelRow(name, examples, held_out, score, *_change(before, score)))
    rows.sort(key=_weakest_first if current else lambda row: (row.examples or 0, row.label))
    trained = [row for row in rows if row.examples]
    return LabelTable(
        tuple(rows) if scores or data else (),
        current.name if current else None,
        previous.name if previous else None,
        tuple(row.label for row in rows if row.examples == 0),
        min(trained, key=lambda row: row.examples or 0, default=None),
    )


def _previous(versions: Sequence[Version], current: Version | None) -> Version | None:
    """The newest earlier version that has served and is scored on the same held-out tasks as the current one."""
    if current is None or current.scored_in is None:
        return None
    earlier = (row for row in versions if row.number < current.number and row.scored_in == current.scored_in)
    return next((row for row in earlier if row.promotions), None)


def _change(before: LabelScore | None, after: LabelScore | None) -> tuple[str, str]:
    if before is None or after is None:
        return "", ""
    if before.f1 is None or after.f1 is None:
        return "", before.counts
    return shown_difference(before.f1, after.f1), ""


def _weakest_first(row: LabelRow) -> tuple[bool, bool, bool, float, str]:
    """Labels with a known F1, then those without, then those without held-out regions, then those of no version."""
    f1 = row.score.f1 if row.score else None
    return row.score is None, f1 is None, not row.held_out, f1 or 0.0, row.label
