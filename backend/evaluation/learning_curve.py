"""The learning curve: F1 against labelled tasks, and what more tasks would bring, as far as the figures support it.

F1 of n tasks is taken to follow a − b · n^−c, the inverse power law that learning curves are commonly found to follow
(Figueroa et al. 2012, doi:10.1186/1472-6947-12-8). It is fitted by weighted least squares, and fitted again to the same
points moved at random within their own uncertainty: only what most of these fits agree on is said.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import log10
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

_PARAMETERS = 3

LEAST_SIZES = _PARAMETERS
"""Different numbers of labelled tasks that a curve is fitted to."""

LEAST_GROWTH = 1.5
"""The largest number of tasks by the smallest: what lies closer together tells nothing of growth."""

POINT = 0.01
"""One more point of F1."""

FARTHEST = 3.0
"""So many times the labelled tasks there are now is as far as the curve is followed."""

_SURE_SHARE = 0.8
_SPREAD = (0.1, 0.9)
_RESAMPLES = 400
_SEED = 42
_EXPONENTS = np.linspace(0.1, 1.5, 29)
_UNKNOWN_ERROR = 0.03
_LEAST_ERROR = 0.002
_NORMAL_95 = 3.92


@dataclass(frozen=True, slots=True)
class Point:
    """A version: how many labelled tasks it was made of, its F1 in [0, 1] and the standard error of that."""

    version: str
    documents: int
    f1: float
    interval: tuple[float, float] | None = None

    @property
    def error(self) -> float:
        """Half of what the 95 % interval spans is 1.96 of it; without one a cautious guess."""
        if self.interval is None:
            return _UNKNOWN_ERROR
        return max((self.interval[1] - self.interval[0]) / _NORMAL_95, _LEAST_ERROR)


@dataclass(frozen=True, slots=True)
class Forecast:
    """What more labelled tasks would bring.

    ``sentence`` says it, or why it cannot be said; ``more`` is the number of tasks behind "about N more tasks" with
    the ``range`` that 80 % of the fits lie in, ``None`` where no number is said. ``line`` are points of the fitted
    curve, ``(tasks, F1)``, empty where none was fitted; those beyond the last version are extrapolated.
    """

    sentence: str
    more: int | None = None
    range: tuple[int, int] | None = None
    line: tuple[tuple[float, float], ...] = ()


def points(versions: Sequence[Any], documents: dict[str, int]) -> list[Point]:
    """The points of versions (rows, newest first) that have a score and a known run, oldest first.

    Only versions with the labels of the newest one: F1 over other labels is another measure.
    """
    known = [each for each in versions if each.run in documents and _score(each.metrics) is not None]
    same = [each for each in known if set(each.labels) == set(known[0].labels)]
    return [
        Point(each.name, documents[each.run], each.metrics["f1"], _interval(each.metrics)) for each in reversed(same)
    ]


def forecast(points: Sequence[Point]) -> Forecast:
    """Fit the curve, and say how many more tasks one more point of F1 takes, if the fits agree on it."""
    sizes = {each.documents for each in points if each.documents > 0}
    if len(sizes) < LEAST_SIZES:
        have = f"so far there {'is' if len(sizes) == 1 else 'are'} {len(sizes) or 'none'}"
        return Forecast(
            "What more tasks would bring can be told from versions made of three different numbers of tasks; "
            f"{have}. Keep labelling."
        )
    if max(sizes) < LEAST_GROWTH * min(sizes):
        return Forecast(
            f"The versions were made of {min(sizes):,} to {max(sizes):,} tasks: too close together to tell what more "
            f"would bring. From {round(LEAST_GROWTH * min(sizes)):,} tasks on it can be tried."
        )
    return _forecast([each for each in points if each.documents > 0], max(sizes))


def _forecast(points: Sequence[Point], now: int) -> Forecast:
    tasks = np.array([each.documents for each in points], dtype=np.float64)
    scores = np.array([each.f1 for each in points])
    errors = np.array([each.error for each in points])
    misfit = _fit(tasks, scores[None], errors)[0, 3]
    # Points that lie farther from the curve than their intervals explain are less certain than these say.
    apart = max(1.0, float(np.sqrt(misfit / max(1, len(points) - _PARAMETERS))))
    moved = scores + apart * errors * np.random.default_rng(_SEED).standard_normal((_RESAMPLES, len(points)))
    fits = _fit(tasks, np.vstack([scores, moved]), errors)
    line = _line(fits[0], float(tasks.min()), now)
    needed = np.array([_needed(fit, now) for fit in fits])
    most = (FARTHEST - 1) * now
    within = needed[1:] <= most
    if within.mean() >= _SURE_SHARE and needed[0] <= most:
        low, high = np.quantile(needed[1:][within], _SPREAD)
        more, between = _rounded(needed[0]), (_rounded(low), _rounded(high))
        plausible = f"{between[0]:,} to {between[1]:,} are plausible"
        return Forecast(f"About {more:,} more tasks for one more point of F1 ({plausible}).", more, between, line)
    if (~within).mean() >= _SURE_SHARE:
        return Forecast(
            f"The curve has flattened: one more point of F1 would take more than {_rounded(most):,} further tasks. "
            "Correcting label issues, or labelling more of the weakest label, may bring more.",
            line=line,
        )
    return Forecast(
        "The scores are too uncertain to say how many tasks one more point of F1 takes: with more held-out tasks the "
        "intervals narrow, and the curve with them.",
        line=line,
    )


def _fit(tasks: Floats, scores: Floats, errors: Floats) -> Floats:
    """Parameters a, b and c for each row of ``scores``, a at most 1 and b at least 0, and the squared misfit."""
    weights = errors**-2
    best, found = np.full(len(scores), np.inf), np.zeros((len(scores), _PARAMETERS + 1))
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
        found[better] = np.stack([a, b, np.full(len(a), exponent), misfit], axis=1)[better]
    return found


def _needed(fit: Floats, now: int) -> float:
    """Tasks beyond ``now`` until the curve is a point higher; infinite where it never is."""
    _, b, c, _ = fit
    gap = b * now**-c - POINT  # what is left to gain after that point
    return float("inf") if gap <= 0 else float((b / gap) ** (1 / c) - now)


def _line(fit: Floats, first: float, now: int) -> tuple[tuple[float, float], ...]:
    a, b, c, _ = fit
    tasks = np.append(np.geomspace(first, now, 40), np.linspace(now, 1.5 * now, 22)[1:])
    return tuple((float(n), float(np.clip(a - b * n**-c, 0.0, 1.0))) for n in tasks)


def _rounded(number: float) -> int:
    """Two digits: more would be a promise."""
    number = max(number, 1.0)
    return int(round(number, 1 - int(log10(number))))


def _score(metrics: dict[str, Any]) -> float | None:
    return metrics.get("f1") if metrics.get("support") != 0 else None


def _interval(metrics: dict[str, Any]) -> tuple[float, float] | None:
    pair = (metrics.get("intervals") or {}).get("f1")
    return (pair[0], pair[1]) if pair else None
