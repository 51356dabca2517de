"""Numbers and times as people say them."""

from __future__ import annotations

import time
from datetime import UTC, datetime

_MINUTE, _HOUR, _DAY = 60, 3600, 86400


def count(number: int, noun: str) -> str:
    """``"1 task"``, ``"1,204 tasks"``"""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def duration(seconds: float) -> str:
    """``"40 s"``, ``"3 min"``, ``"2 h 5 min"``, ``"3 days"``"""
    if seconds < _MINUTE:
        return f"{max(round(seconds), 1)} s"
    if seconds < _HOUR:
        return f"{round(seconds / _MINUTE)} min"
    if seconds < _DAY:
        hours, minutes = divmod(round(seconds / _MINUTE), 60)
        return f"{hours} h {minutes} min" if minutes else f"{hours} h"
    return count(int(seconds // _DAY), "day")


def ago(moment: float, now: float | None = None) -> str:
    """``"just now"``, ``"3 min ago"``, ``"2 days ago"``; how long ago a Unix time was."""
    passed = (time.time() if now is None else now) - moment
    if passed < _MINUTE:
        return "just now"
    if passed < _HOUR:
        return f"{int(passed // _MINUTE)} min ago"
    if passed < _DAY:
        return f"{int(passed // _HOUR)} h ago"
    return f"{count(int(passed // _DAY), 'day')} ago"


def moment(seconds: float) -> str:
    """``"21 Nov 2026, 14:05 UTC"``"""
    return f"{datetime.fromtimestamp(seconds, UTC):%-d %b %Y, %H:%M} UTC"


def iso(seconds: float) -> str:
    """For the ``datetime`` of a ``<time>``."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")


def left(seconds: float | None) -> str:
    """``"about 2 min left"``, empty where nobody knows."""
    return "" if seconds is None else f"about {duration(seconds)} left"


def score(value: float | None) -> str:
    """``"0.871"``; a dash where it is not known."""
    return "–" if value is None else f"{value:.3f}"


def interval(pair: list[float] | tuple[float, float] | None) -> str:
    """``"0.843 to 0.899"``"""
    return f"{pair[0]:.3f} to {pair[1]:.3f}" if pair else ""
