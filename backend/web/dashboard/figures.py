"""A version's metrics as rows for charts and tables. Metrics of earlier releases may lack some of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from backend.evaluation.learning_curve import latest_scored
from backend.scores import Score
from backend.store.models import Version
from backend.web.dashboard.charts import MAX_VERSIONS, Bar, drawn_bars
from backend.web.dashboard.formatting import count

_INTENSITY_STEPS = (0.005, 0.05, 0.15, 0.35, 0.65)
"""Shares of a row at which a cell's intensity rises by one."""

_MAX_COLUMNS = 12
"""Labels of a confusion matrix; with more, only the list of mistakes is shown."""


@dataclass(frozen=True, slots=True)
class Cell:
    """A count of the matrix; ``intensity``, 0 to 5, is its share of the row, ``correct`` marks the diagonal."""

    count: int
    intensity: int = 0
    correct: bool = False


@dataclass(frozen=True, slots=True)
class Matrix:
    """The confusion matrix of held-out entities: a row per label, and the predictions where there is no entity."""

    labels: tuple[str, ...]
    rows: tuple[tuple[str, tuple[Cell, ...]], ...]
    spurious: tuple[Cell, ...]


@dataclass(frozen=True, slots=True)
class Mistake:
    """A kind of mistake and how often it was made: ``count`` of the ``of`` regions that people marked as ``given``.

    ``outcome`` says what the version did, as a verb phrase; where it is ``"marked as"``, ``predicted`` is the label. A
    region that only the version marked has no ``given``, and ``of`` is then 0.
    """

    given: str | None
    outcome: str
    predicted: str | None
    count: int
    of: int = 0


def score_of(version: Version) -> Score:
    """A version's score on its held-out tasks."""
    return Score.from_metrics(version.metrics)


def comparable(a: Version, b: Version) -> bool:
    """Whether two versions were scored on the same held-out tasks, in the same run."""
    return a.scored_in is not None and a.scored_in == b.scored_in


def bars(versions: Sequence[Version], current: str | None) -> list[Bar]:
    """The versions with a known score on the newest held-out tasks, oldest first; ``versions`` are newest first."""
    scores = ((version, score_of(version)) for version in reversed(latest_scored(versions)))
    return [
        Bar(version.name, score.f1, score.interval, version.name == current)
        for version, score in scores
        if score.f1 is not None
    ]


def chart_sentences(bars: Sequence[Bar], *, versions: int, current: str | None) -> str:
    """What the chart of ``bars`` shows, and which of all ``versions`` it leaves out."""
    sentences = ["All are scored on the same held-out tasks."]
    if any(bar.interval for bar in bars):
        sentences.append("The lines are 95 % intervals.")
    unscored, which = versions - len(bars), "version"
    if any(bar.current for bar in bars):
        sentences.append("The filled dot is the current version.")
    elif current:
        sentences.append(f"{current}, the current version, is not drawn: its score on these tasks is unknown.")
        unscored, which = unscored - 1, "other version"
    if unscored:
        verb = "is" if unscored == 1 else "are"
        why = "the files were removed, or the score on these tasks is unknown"
        sentences.append(f"{count(unscored, which)} {verb} left out: {why}.")
    drawn = drawn_bars(bars)
    if len(drawn) < len(bars):
        of = f"{len(bars):,} versions" if versions == len(bars) else f"the {len(bars):,} others"
        older = ", and the current one before them" if len(drawn) > MAX_VERSIONS else ""
        sentences.append(f"The newest {MAX_VERSIONS} of {of} are drawn{older}.")
    return " ".join(sentences)


def matrix(metrics: Mapping[str, Any]) -> Matrix | None:
    """The confusion matrix; ``None`` where it was not recorded, and without labels or with more than fit a page."""
    confusion, labels = metrics.get("confusion"), tuple(metrics.get("per_label") or {})
    if not confusion or not 0 < len(labels) <= _MAX_COLUMNS:
        return None
    rows = tuple((label, _cells(confusion, label, labels)) for label in labels)
    spurious = tuple(Cell(confusion["spurious"].get(label, 0)) for label in labels)
    return Matrix(labels, rows, spurious)


def _cells(confusion: Mapping[str, Any], label: str, labels: Sequence[str]) -> tuple[Cell, ...]:
    predicted = confusion["found_as"].get(label, {})
    counts = [predicted.get(other, 0) for other in labels]
    counts += [confusion["boundaries"].get(label, 0), confusion["missed"].get(label, 0)]
    total = sum(counts) or 1
    diagonal = labels.index(label)
    return tuple(Cell(count, _intensity(count / total), column == diagonal) for column, count in enumerate(counts))


def mistakes(metrics: Mapping[str, Any]) -> list[Mistake]:
    """All kinds of mistakes on the held-out tasks, the most frequent first."""
    confusion = metrics.get("confusion")
    if not confusion:
        return []
    regions = {label: row["support"] for label, row in (metrics.get("per_label") or {}).items()}
    kinds = [
        Mistake(label, "marked as", predicted, count, regions.get(label, 0))
        for label, row in confusion["found_as"].items()
        for predicted, count in row.items()
        if predicted != label
    ]
    for outcome, counts in (("marked with other boundaries", confusion["boundaries"]), ("missed", confusion["missed"])):
        kinds += [Mistake(label, outcome, None, count, regions.get(label, 0)) for label, count in counts.items()]
    kinds += [Mistake(None, "marked as", label, count) for label, count in confusion["spurious"].items()]
    return sorted((kind for kind in kinds if kind.count), key=lambda kind: -kind.count)


def _intensity(share: float) -> int:
    return sum(share >= step for step in _INTENSITY_STEPS)
