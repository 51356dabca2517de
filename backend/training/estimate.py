"""How far a run is, and how long it will take: from what its phases report."""

from __future__ import annotations

# Where the phases before training begin and end on the way from 0 to 1.
_BEFORE = {"fetching": (0.0, 0.03), "preparing": (0.03, 0.08)}

# Where those after it begin and end in the time that they take together.
_AFTER = {"exporting": (0.0, 0.65), "evaluating": (0.65, 0.9), "publishing": (0.9, 1.0)}

_AFTER_SHARE, _AFTER_LEAST, _AFTER_MOST = 0.2, 10.0, 60.0
"""What follows training takes a fifth of its time on a CPU, within these seconds: it hardly grows with documents."""

_SURE_AFTER = 2.0
"""Seconds of training that must have passed before its speed is believed; the first step is slower than the rest."""


class Estimate:
    """One run's estimate; ``now`` is a time in seconds of a clock that does not jump, as is ``started``."""

    def __init__(self, started: float) -> None:
        self._started = started
        self._done = 0.0
        self._left: float | None = None
        self._reported = started
        self._first_step: tuple[float, float] | None = None
        self._training: float | None = None

    def report(self, phase: str, fraction: float, now: float) -> None:
        """Take in that ``fraction`` of a phase is done."""
        fraction = min(max(fraction, 0.0), 1.0)
        if phase in _BEFORE:
            begin, end = _BEFORE[phase]
            self._done = max(self._done, begin + (end - begin) * fraction)
        elif phase == "training":
            self._left = self._rest_of_training(fraction, now)
        else:
            begin, end = _AFTER[phase]
            self._left = self._after() * (1 - begin - (end - begin) * fraction)
        self._reported = now

    def left(self, now: float) -> float | None:
        """Seconds to go, ``None`` before they can be guessed; they pass also while nothing is reported."""
        return None if self._left is None else max(1.0, self._left - (now - self._reported))

    def done(self, now: float) -> float:
        """What has passed of the run's time, from 0 to 1; it never falls."""
        left, elapsed = self.left(now), now - self._started
        if left is not None:
            self._done = max(self._done, elapsed / (elapsed + left))
        return self._done

    def _rest_of_training(self, fraction: float, now: float) -> float | None:
        if self._first_step is None:
            if fraction == 0.0:  # the model is loaded next, which says nothing of the pace
                return None
            self._first_step = (now, fraction)
        since, first = self._first_step
        if fraction > first and now - since >= _SURE_AFTER:
            self._training = (now - since) / (fraction - first)
        return None if self._training is None else self._training * (1 - fraction) + self._after()

    def _after(self) -> float:
        if self._training is None:  # training was over before its speed could be told
            return _AFTER_LEAST
        return min(max(_AFTER_SHARE * self._training, _AFTER_LEAST), _AFTER_MOST)
