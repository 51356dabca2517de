"""Estimates a run's progress and remaining time from the reports of its phases."""

from __future__ import annotations

# Start and end of the phases before training, as fractions of the run.
_BEFORE = {"fetching": (0.0, 0.03), "preparing": (0.03, 0.08)}

# Start and end of the phases after training, as fractions of their total time.
_AFTER = {"exporting": (0.0, 0.65), "evaluating": (0.65, 0.85), "comparing": (0.85, 0.95), "publishing": (0.95, 1.0)}

_AFTER_SHARE, _AFTER_LEAST, _AFTER_MOST = 0.2, 10.0, 60.0
"""The phases after training take a fifth of its time on a CPU, but at least and at most these seconds."""

_MEASURED_SECONDS = 2.0
"""Seconds of training needed to measure its speed; the first step does not count: it is slower than the others."""


class Estimate:
    """The estimate of one run; ``started`` and ``now`` are seconds of a monotonic clock."""

    def __init__(self, started: float) -> None:
        self._started = started
        self._done = 0.0
        self._left: float | None = None
        self._reported = started
        self._first_step: tuple[float, float] | None = None
        self._training: float | None = None

    def report(self, phase: str, fraction: float, now: float) -> None:
        """Record that ``fraction`` of a phase is done."""
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
        """Remaining seconds, ``None`` if they cannot be estimated yet; they decrease also between reports."""
        return None if self._left is None else max(1.0, self._left - (now - self._reported))

    def done(self, now: float) -> float:
        """Elapsed fraction of the run's total time, from 0 to 1; it never decreases."""
        left, elapsed = self.left(now), now - self._started
        if left is not None:
            self._done = max(self._done, elapsed / (elapsed + left))
        return self._done

    def _rest_of_training(self, fraction: float, now: float) -> float | None:
        if self._first_step is None:
            if fraction == 0.0:  # the model is loaded next, which says nothing about the speed
                return None
            self._first_step = (now, fraction)
        since, first = self._first_step
        if fraction > first and now - since >= _MEASURED_SECONDS:
            self._training = (now - since) / (fraction - first)
        return None if self._training is None else self._training * (1 - fraction) + self._after()

    def _after(self) -> float:
        if self._training is None:  # training ended before its speed was measured
            return _AFTER_LEAST
        return min(max(_AFTER_SHARE * self._training, _AFTER_LEAST), _AFTER_MOST)
