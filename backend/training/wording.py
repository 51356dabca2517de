"""A version's score as a few words, from what its row or its ``metrics.json`` holds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from backend.training.bootstrap import MIN_DOCUMENTS


def f1_in_words(metrics: Mapping[str, Any]) -> str:
    """The overall F1, on how many tasks it was measured, and how far it may be off; or why it is unknown.

    ``metrics`` is what `Metrics.to_dict` gave, now or in an older release, which gave less.
    """
    f1, documents = metrics.get("f1"), metrics.get("documents")
    if f1 is None or metrics.get("support") == 0:
        return "F1 unknown: no held-out task has regions"
    if documents is None:
        return f"F1 {f1:.3f}"
    if documents < MIN_DOCUMENTS:
        return f"F1 {f1:.3f} (measured on only {tasks(documents)}: too few to say more)"
    interval = (metrics.get("intervals") or {}).get("f1")
    if interval is None:
        return f"F1 {f1:.3f} on {tasks(documents)}"
    return f"F1 {f1:.3f} (95 %: {interval[0]:.3f} to {interval[1]:.3f}) on {tasks(documents)}"


def tasks(number: int) -> str:
    """``"1 held-out task"``, ``"84 held-out tasks"``"""
    return f"{number:,} held-out task" + "s" * (number != 1)
