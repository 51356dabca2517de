"""Numbers and times as people write them."""

from __future__ import annotations

import re
import time
from datetime import UTC, datetime

from markupsafe import Markup, escape

from backend.conversion import count as count

_MINUTE, _HOUR, _DAY = 60, 3600, 86400

_CODE = re.compile(r"`([^`\n]+)`")


def capitalize_first(sentence: str) -> str:
    """``"all regions are used"`` → ``"All regions are used"``; the rest stays as it is."""
    return sentence[:1].upper() + sentence[1:]


def code(sentence: str) -> Markup:
    """A sentence as HTML, with what stands between backticks as ``<code>``; everything is escaped."""
    parts = (
        Markup("<code>{}</code>").format(part) if number % 2 else escape(part)
        for number, part in enumerate(_CODE.split(sentence))
    )
    return Markup("").join(parts)


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


def ago(timestamp: float, now: float | None = None) -> str:
    """``"just now"``, ``"3 min ago"``, ``"2 days ago"``: the time since a Unix time."""
    seconds = (time.time() if now is None else now) - timestamp
    if seconds < _MINUTE:
        return "just now"
    if seconds < _HOUR:
        return f"{int(seconds // _MINUTE)} min ago"
    if seconds < _DAY:
        return f"{int(seconds // _HOUR)} h ago"
    return f"{count(int(seconds // _DAY), 'day')} ago"


def moment(timestamp: float) -> str:
    """``"21 Nov 2026, 14:05 UTC"``"""
    return f"{datetime.fromtimestamp(timestamp, UTC):%-d %b %Y, %H:%M} UTC"


def iso(timestamp: float) -> str:
    """ISO 8601, for the ``datetime`` attribute of ``<time>``."""
    return datetime.fromtimestamp(timestamp, UTC).isoformat(timespec="seconds")


def left(seconds: float | None) -> str:
    """``"about 2 min left"``; empty where no estimate exists."""
    return "" if seconds is None else f"about {duration(seconds)} left"
