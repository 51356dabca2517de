"""The score of a version, and when it is unknown. Everything that shows a score uses `Score`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

Interval = tuple[float, float]
"""Lower and upper bound of a 95 % interval."""

MIN_DOCUMENTS = 30
"""Held-out tasks that a score needs: with fewer, it varies by many points at random, and there is no interval."""


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
        if f1 is None or regions == 0 or (documents is not None and are_too_few(documents)):
            return cls(documents=documents if metrics else 0, regions=regions if metrics else 0)
        bounds = (metrics.get("intervals") or {}).get("f1")
        return cls(f1, (bounds[0], bounds[1]) if bounds else None, documents, regions)

    @property
    def missing(self) -> int:
        """How many more held-out tasks the score needs."""
        return 0 if self.documents is None else max(0, MIN_DOCUMENTS - self.documents)

    @property
    def short(self) -> str:
        """``"F1 0.871"`` or ``"F1 unknown"``."""
        return "F1 unknown" if self.f1 is None else f"F1 {self.f1:.3f}"

    @property
    def sentence(self) -> str:
        """F1 with its interval and the number of held-out tasks, or why it is unknown; without a full stop."""
        if self.f1 is None:
            return f"F1 unknown: {self.unknown}"
        tasks = "" if self.documents is None else f" on {held_out_tasks(self.documents)}"
        interval = f" (95 %: {self.interval[0]:.3f} to {self.interval[1]:.3f})" if self.interval else ""
        return f"F1 {self.f1:.3f}{interval}{tasks}"

    @property
    def unknown(self) -> str | None:
        """Why the score is unknown, and how many held-out tasks are missing; ``None`` if it is known."""
        if self.f1 is not None:
            return None
        if not self.missing:
            return "no held-out task has regions"
        if not self.documents:
            return f"no task is held out yet, {MIN_DOCUMENTS} are needed"
        more = f"{self.missing} more {'is' if self.missing == 1 else 'are'} needed"
        return f"only {held_out_tasks(self.documents)}, {more}"

    def to_dict(self) -> dict[str, Any]:
        """For JSON: ``f1``, ``interval``, ``documents``, ``regions``, and ``unknown``, the reason or ``None``."""
        return {
            "f1": self.f1,
            "interval": list(self.interval) if self.interval else None,
            "documents": self.documents,
            "regions": self.regions,
            "unknown": self.unknown,
        }


def are_too_few(documents: int) -> bool:
    """Whether a score of so many held-out tasks is unknown."""
    return documents < MIN_DOCUMENTS


def held_out_tasks(number: int) -> str:
    """``"1 held-out task"``, ``"84 held-out tasks"``."""
    return f"{number:,} held-out task" + "s" * (number != 1)
