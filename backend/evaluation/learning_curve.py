"""The learning curve: F1 against labelled tasks, and a forecast of how many more tasks raise F1 by one point.

The model is F1 = a − b · n^−c for n tasks, an inverse power law (Figueroa et al. 2012, doi:10.1186/1472-6947-12-8),
fitted by weighted least squares. The fit is repeated on resampled points, moved at random within their standard errors:
a number is given only if most of these fits agree on it. That the curve has flattened is said only of a project with
many labelled tasks and a precise score, if nearly all fits agree: a wrong "stop labelling" costs more than none.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import log10
from typing import TYPE_CHECKING

import numpy as np

from backend.evaluation.bootstrap import Floats
from backend.scores import Interval, Score

if TYPE_CHECKING:
    from backend.store.models import Version

_PARAMETERS = 3

MIN_SIZES = _PARAMETERS
"""Different numbers of labelled tasks that a fit needs."""

MIN_GROWTH = 1.5
"""Least ratio of the largest number of tasks to the smallest: closer numbers do not show growth."""

POINT = 0.01
"""One point of F1."""

MAX_EXTRAPOLATION = 3.0
"""The forecast reaches at most to this multiple of the tasks labelled so far."""

MIN_TASKS_FLAT = 500
"""Labelled tasks from which on a curve may be called flat: below, F1 still grows in nearly all projects."""

MAX_ERROR_FLAT = 0.015
"""Largest standard error of the newest F1 with which a curve may be called flat; otherwise it could hide the growth."""

_AGREEING_SHARE = 0.8
_AGREEING_SHARE_FLAT = 0.95
_SPREAD = (0.1, 0.9)
_RESAMPLES = 400
_SEED = 42
_EXPONENTS = np.linspace(0.1, 1.5, 29)
_ERROR_WITHOUT_INTERVAL = 0.03
_MIN_ERROR = 0.002
_NORMAL_95 = 3.92


@dataclass(frozen=True, slots=True)
class Point:
    """A version: the number of labelled tasks it was trained on, its F1 in [0, 1], and the 95 % interval of that."""

    version: str
    documents: int
    f1: float
    interval: Interval | None = None

    @property
    def error(self) -> float:
        """Standard error of F1; a cautious guess where there is no interval."""
        if self.interval is None:
            return _ERROR_WITHOUT_INTERVAL
        return max((self.interval[1] - self.interval[0]) / _NORMAL_95, _MIN_ERROR)


@dataclass(frozen=True, slots=True)
class Forecast:
    """How many more labelled tasks raise F1 by one point.

    ``sentence`` gives the number, or the reason why there is none. ``more`` is the number and ``range`` contains 80 %
    of the fits; both are ``None`` where there is none. ``line`` are points ``(tasks, F1)`` of the fitted curve, empty
    where nothing was fitted; those beyond the last version are extrapolated.
    """

    sentence: str
    more: int | None = None
    range: tuple[int, int] | None = None
    line: tuple[tuple[float, float], ...] = ()


def points(versions: Sequence[Version], documents: Mapping[str, int]) -> list[Point]:
    """The points of versions (newest first) whose score is known, oldest first.

    ``documents`` has the number of labelled tasks of each run. Only versions that were scored on the newest held-out
    tasks are included, so that all points are measured on the same tasks, and of these only versions with the labels of
    the newest of them, since F1 over other labels is another measure.
    """
    newest_first: list[Point] = []
    labels: set[str] = set()
    for version in latest_scored(versions):
        score = Score.from_metrics(version.metrics)
        if score.f1 is None or version.run is None or version.run not in documents:
            continue
        labels = labels or set(version.labels)
        if set(version.labels) == labels:
            newest_first.append(Point(version.name, documents[version.run], score.f1, score.interval))
    return newest_first[::-1]


def latest_scored(versions: Sequence[Version]) -> list[Version]:
    """Those of a project's versions (newest first) that were scored on the newest held-out tasks, in order."""
    newest = next((version.scored_in for version in versions if version.scored_in), None)
    return [version for version in versions if version.scored_in and version.scored_in == newest]


def forecast(points: Sequence[Point]) -> Forecast:
    """Fit the curve, and give the number of tasks that raise F1 by one point, if the fits agree on it."""
    sizes = {point.documents for point in points if point.documents > 0}
    if len(sizes) < MIN_SIZES:
        so_far = f"so far there {'is' if len(sizes) == 1 else 'are'} {len(sizes) or 'none'}"
        return Forecast(
            "A forecast needs versions with a known F1 that were trained on three different numbers of tasks; "
            f"{so_far}. Keep labelling."
        )
    if max(sizes) < MIN_GROWTH * min(sizes):
        return Forecast(
            f"The versions were trained on {min(sizes):,} to {max(sizes):,} tasks, which are too close together for a "
            f"forecast. It is possible from {round(MIN_GROWTH * min(sizes)):,} tasks on."
        )
    return _forecast([point for point in points if point.documents > 0], max(sizes))


def _forecast(points: Sequence[Point], now: int) -> Forecast:
    fits = _resampled_fits(points)
    line = _line(fits[0], float(min(point.documents for point in points)), now)
    needed = np.array([_needed(fit, now) for fit in fits])
    most = (MAX_EXTRAPOLATION - 1) * now
    within = needed[1:] <= most
    if within.mean() >= _AGREEING_SHARE and needed[0] <= most:
        low, high = np.quantile(needed[1:][within], _SPREAD)
        more, bounds = _rounded(needed[0]), (_rounded(low), _rounded(high))
        plausible = f"{bounds[0]:,} to {bounds[1]:,} are plausible"
        return Forecast(f"About {more:,} more tasks raise F1 by one point ({plausible}).", more, bounds, line)
    if (~within).mean() >= _AGREEING_SHARE_FLAT and now >= MIN_TASKS_FLAT and _newest_error(points) <= MAX_ERROR_FLAT:
        return Forecast(
            f"The curve has flattened: one more point of F1 would take more than {_rounded(most):,} further tasks. "
            "Correcting label issues, or labelling more of the weakest label, may help more.",
            line=line,
        )
    return Forecast(
        "The scores are too uncertain to tell how much more labels would help; with more held-out tasks their "
        "intervals become narrower. Keep labelling.",
        line=line,
    )


def _newest_error(points: Sequence[Point]) -> float:
    return max(points, key=lambda point: point.documents).error


def _resampled_fits(points: Sequence[Point]) -> Floats:
    """Parameters of the curve, a row for each fit: first that of the points, then those of the resampled points."""
    tasks = np.array([point.documents for point in points], dtype=np.float64)
    scores = np.array([point.f1 for point in points])
    errors = np.array([point.error for point in points])
    misfit = _fit(tasks, scores[None], errors)[0, 3]
    # If the points are further from the curve than their intervals explain, their errors are larger than these say.
    inflation = max(1.0, float(np.sqrt(misfit / max(1, len(points) - _PARAMETERS))))
    noise = np.random.default_rng(_SEED).standard_normal((_RESAMPLES, len(points)))
    return _fit(tasks, np.vstack([scores, scores + inflation * errors * noise]), errors)


def _fit(tasks: Floats, scores: Floats, errors: Floats) -> Floats:
    """Parameters a ≤ 1, b ≥ 0 and c, and the squared misfit, for each row of ``scores``."""
    weights = errors**-2
    best, fits = np.full(len(scores), np.inf), np.zeros((len(scores), _PARAMETERS + 1))
    for exponent in _EXPONENTS:
        power = tasks**-exponent
        mean, centre = np.average(scores, axis=1, weights=weights), float(np.average(power, weights=weights))
        spread = float((weights * (power - centre) ** 2).sum())
        b = -((scores * weights) @ (power - centre)) / spread
        b = np.maximum(b, 0.0)
        a = mean + b * centre
        above = a > 1.0
        b[above] = np.maximum(((1.0 - scores[above]) @ (weights * power)) / float(weights @ power**2), 0.0)
        a[above] = 1.0
        misfit = ((scores - (a[:, None] - b[:, None] * power)) ** 2) @ weights
        better = misfit < best - 1e-12
        best[better] = misfit[better]
        fits[better] = np.stack([a, b, np.full(len(a), exponent), misfit], axis=1)[better]
    return fits


def _needed(fit: Floats, now: int) -> float:
    """Tasks beyond ``now`` until the curve is one point higher; infinite if it never is."""
    _, b, c, _ = fit
    gap = b * now**-c - POINT  # from one point higher to the limit a
    return float("inf") if gap <= 0 else float((b / gap) ** (1 / c) - now)


def _line(fit: Floats, first: float, now: int) -> tuple[tuple[float, float], ...]:
    a, b, c, _ = fit
    tasks = np.append(np.geomspace(first, now, 40), np.linspace(now, 1.5 * now, 22)[1:])
    return tuple((float(n), float(np.clip(a - b * n**-c, 0.0, 1.0))) for n in tasks)


def _rounded(number: float) -> int:
    """Rounded to two digits, since the forecast is not more exact."""
    number = max(number, 1.0)
    return int(round(number, 1 - int(log10(number))))
