"""Several threads that do the same at the same moment."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

Result = TypeVar("Result")

RACERS = 8


def race(action: Callable[[int], Result], racers: int = RACERS) -> list[Result]:
    """What each of several threads gets that start an action at the same moment."""
    line = threading.Barrier(racers)

    def run(number: int) -> Result:
        line.wait(10)
        return action(number)

    with ThreadPoolExecutor(racers) as pool:
        return list(pool.map(run, range(racers)))
