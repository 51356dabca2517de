"""What a version's score is, and when it is unknown. Everything that shows or compares a score asks here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

Interval = tuple[float, float]
"""Lower and upper bound of a 95 % interval."""

MIN_DOCUMENTS = 30
"""Held-out tasks that a score needs: with fewer, chance moves it by many points, and no interval can be given."""


@dataclass(frozen=True, slots=True)
class Score:
    """Strict entity F1 of a version on its held-out (test) tasks.

    ``f1`` is in [0, 1]; it is ``None`` while the score is unknown: no held-out task has a region, or fewer than
    `MIN_DOCUMENTS` tasks are held out. ``documents`` is the number of held-out tasks, ``regions`` that of the regions
    people marked in them; both are ``None`` in metrics of early releases, which did not record them.
    """

    f1: float | None = None
    interval: Interval | None = None
    documents: int | None = None
    regions: int | None = None

    @classmethod
    def from_metrics(cls, metrics: Mapping[str, Any]) -> Score:
        """Read a version's ``metrics``: what `Metrics.to_dict` returns, or ``{}`` where nothing was held out."""
        f1, documents, regions = metrics.get("f1"), metrics.get("documents"), metrics.get("support")
        if f1 is None or regions == 0 or (documents is not None and documents < MIN_DOCUMENTS):
            return cls(documents=documents if metrics else 0, regions=regions if metrics else 0)
        bounds = (metrics.get("intervals") or {}).get("f1")
        return cls(f1, (bounds[0], bounds[1]) if bounds else None, documents, regions)

    @property
    def missing(self) -> int:
        """Held-out tasks that are missing until the score is known."""
        return 0 if self.documents is None else max(0, MIN_DOCUMENTS - self.documents)

    @property
    def short(self) -> str:
        """``"F1 0.871"`` or ``"F1 unknown"``."""
        return "F1 unknown" if self.f1 is None else f"F1 {self.f1:.3f}"

    @property
    def sentence(self) -> str:
        """The score, on how many tasks it was measured and its interval; or why it is unknown. Without a full stop."""
        if self.f1 is None:
            return f"F1 unknown: {self._reason}"
        on = "" if self.documents is None else f" on {held_out_tasks(self.documents)}"
        interval = f" (95 %: {self.interval[0]:.3f} to {self.interval[1]:.3f})" if self.interval else ""
        return f"F1 {self.f1:.3f}{interval}{on}"

    @property
    def _reason(self) -> str:
        if not self.missing:
            return "no held-out task has regions"
        if not self.documents:
            return f"no task is held out yet, {MIN_DOCUMENTS} are needed"
        return (
            f"only {held_out_tasks(self.documents)}, {self.missing} more {'is' if self.missing == 1 else 'are'} needed"
        )

    def to_dict(self) -> dict[str, Any]:
        """For JSON: ``f1``, ``interval``, ``documents``, ``regions``, and ``unknown``, the reason or ``None``."""
        return {
            "f1": self.f1,
            "interval": list(self.interval) if self.interval else None,
            "documents": self.documents,
            "regions": self.regions,
            "unknown": self._reason if self.f1 is None else None,
        }


def held_out_tasks(number: int) -> str:
    """``"1 held-out task"``, ``"84 held-out tasks"``."""
    return f"{number:,} held-out task" + "s" * (number != 1)


def f1_in_words(metrics: Mapping[str, Any]) -> str:
    return Score.from_metrics(metrics).sentence
