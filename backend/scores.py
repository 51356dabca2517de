"""The score of a version, and when it is unknown. Everything that shows a score uses `Score`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

Interval = tuple[float, float]
"""Lower and upper bound of a 95 % interval."""

MIN_DOCUMENTS = 30
"""Held-out tasks that a score needs: with fewer, it varies by many points at random, and there is no interval."""

MIN_DOCUMENTS_OF_LABEL = 10
"""Held-out tasks with a label that its F1 needs: then at least 90 of 100 intervals contain the true value."""

HELD_OUT_TASK = "held-out task"
TEXT = "text"
"""What a document is called in sentences about scores: a task of a project, or a text of a file."""

_FIGURES = ("f1", "precision", "recall")

_DECIMALS = 3


def rounded(score: float) -> float:
    """A score, or a difference of rounded scores, as precise as it is shown anywhere."""
    return round(score, _DECIMALS)


def shown(score: float | None) -> str:
    """``"0.871"``, or ``"unknown"``: scores are rounded in this module only."""
    return "unknown" if score is None else f"{rounded(score):.{_DECIMALS}f}"


def shown_interval(interval: Sequence[float] | None) -> str:
    """``"0.843 to 0.899"``; empty for an unknown interval."""
    return f"{shown(interval[0])} to {shown(interval[1])}" if interval else ""


def shown_difference(before: float, after: float) -> str:
    """``"+0.012"``, ``"−0.004"``, ``"0.000"``: the difference of the two scores as they are shown."""
    difference = rounded(rounded(after) - rounded(before))
    sign = "+" if difference > 0 else "−" if difference < 0 else ""
    return f"{sign}{shown(abs(difference))}"


@dataclass(frozen=True, slots=True)
class Score:
    """Strict entity F1 of a version on its held-out (test) tasks.

    ``f1`` is in [0, 1]; it is ``None`` while the score is unknown: no held-out task has a region, or fewer than
    `MIN_DOCUMENTS` tasks are held out. ``documents`` is the number of held-out tasks, ``regions`` that of the regions
    people marked in them; both are ``None`` in metrics of early releases, which did not record them: these scores are
    unknown too, until a run scores the version again. ``unit`` is what sentences call a document.
    """

    f1: float | None = None
    interval: Interval | None = None
    documents: int | None = None
    regions: int | None = None
    unit: str = HELD_OUT_TASK

    @classmethod
    def from_metrics(cls, metrics: Mapping[str, Any], *, unit: str = HELD_OUT_TASK) -> Score:
        """Read a version's ``metrics``: what `Metrics.to_dict` returns, or ``{}`` where nothing was held out."""
        f1, documents, regions = metrics.get("f1"), metrics.get("documents"), metrics.get("support")
        if f1 is None or regions == 0 or documents is None or are_too_few(documents):
            return cls(documents=documents if metrics else 0, regions=regions if metrics else 0, unit=unit)
        bounds = (metrics.get("intervals") or {}).get("f1")
        return cls(f1, (bounds[0], bounds[1]) if bounds else None, documents, regions, unit)

    @property
    def missing(self) -> int:
        """How many more held-out tasks the score needs."""
        return 0 if self.documents is None else max(0, MIN_DOCUMENTS - self.documents)

    @property
    def short(self) -> str:
        """``"F1 0.871"`` or ``"F1 unknown"``."""
        return f"F1 {shown(self.f1)}"

    @property
    def sentence(self) -> str:
        """F1 with its interval and the number of held-out tasks, or why it is unknown; without a full stop."""
        if self.f1 is None:
            return f"F1 unknown: {self.unknown}"
        interval = f" (95 %: {shown_interval(self.interval)})" if self.interval else ""
        return f"{self.short}{interval} on {held_out_tasks(self.documents or 0, self.unit)}"

    @property
    def unknown(self) -> str | None:
        """Why the score is unknown, and how many held-out tasks are missing; ``None`` if it is known."""
        if self.f1 is not None:
            return None
        if self.documents is None and self.regions != 0:
            return "an early release did not record the number of held-out tasks"
        if not self.missing:
            return f"no {self.unit} has regions"
        if not self.documents:
            nothing = "no task is held out yet" if self.unit == HELD_OUT_TASK else f"no {self.unit} is in this set"
            return f"{nothing}, {MIN_DOCUMENTS} are needed"
        more = f"{self.missing} more {'is' if self.missing == 1 else 'are'} needed"
        return f"only {held_out_tasks(self.documents, self.unit)}, {more}"

    def to_dict(self) -> dict[str, Any]:
        """For JSON: ``f1``, ``interval``, ``documents``, ``regions``, and ``unknown``, the reason or ``None``."""
        return {
            "f1": self.f1,
            "interval": list(self.interval) if self.interval else None,
            "documents": self.documents,
            "regions": self.regions,
            "unknown": self.unknown,
        }


@dataclass(frozen=True, slots=True)
class LabelScore:
    """How well a version finds one label in its held-out tasks.

    ``regions`` were marked by people, ``found`` of them by the version too, with the same boundaries; ``wrong`` were
    marked by the version only (``None`` where an early release did not record it). ``f1``, ``precision``, ``recall``
    and ``interval`` (of F1) are ``None`` while they are unknown: if the version's `Score` is, or if fewer than
    `MIN_DOCUMENTS_OF_LABEL` held-out tasks have the label, so that F1 has no interval.
    """

    label: str
    regions: int
    found: int
    wrong: int | None
    f1: float | None = None
    precision: float | None = None
    recall: float | None = None
    interval: Interval | None = None

    @property
    def counts(self) -> str:
        """``"found 3 of 4, 1 wrong"``: what is shown in place of an unknown F1."""
        if not self.regions and not self.wrong:
            return "none held out"
        found = f"found {self.found:,} of {self.regions:,}" if self.regions else "none held out"
        return f"{found}, {self.wrong:,} wrong" if self.wrong else found


def label_scores(metrics: Mapping[str, Any]) -> dict[str, LabelScore]:
    """The scores of each label in a version's ``metrics``."""
    known = Score.from_metrics(metrics).f1 is not None
    return {label: _label_score(label, row, known) for label, row in (metrics.get("per_label") or {}).items()}


def _label_score(label: str, row: Mapping[str, Any], known: bool) -> LabelScore:
    found = round(row["recall"] * row["support"])
    predicted = row.get("predicted")
    if predicted is None and row["precision"]:
        predicted = round(found / row["precision"])
    score = LabelScore(label, row["support"], found, None if predicted is None else predicted - found)
    bounds = row.get("interval")
    if not known or not bounds:
        return score
    return replace(
        score, f1=row["f1"], precision=row["precision"], recall=row["recall"], interval=(bounds[0], bounds[1])
    )


def known_metrics(metrics: Mapping[str, Any]) -> dict[str, Any]:
    """A version's ``metrics`` for programs, with ``None`` in place of figures that are unknown."""
    shown = dict(metrics)
    if Score.from_metrics(metrics).f1 is None:
        shown |= {name: None for name in _FIGURES if name in shown}
    if "per_label" in shown:
        scores = label_scores(metrics)
        shown["per_label"] = {
            label: row if scores[label].f1 is not None else {**row, **dict.fromkeys(_FIGURES)}
            for label, row in metrics["per_label"].items()
        }
    return shown


def are_too_few(documents: int) -> bool:
    """Whether a score of so many held-out tasks is unknown."""
    return documents < MIN_DOCUMENTS


def held_out_tasks(number: int, unit: str = HELD_OUT_TASK) -> str:
    """``"1 held-out task"``, ``"84 held-out tasks"``; with another ``unit`` ``"84 texts"``."""
    return f"{number:,} {unit}" + "s" * (number != 1)
