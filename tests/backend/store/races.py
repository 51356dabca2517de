"""Several threads that do the same at the same moment, and leases of processes that died."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from backend.store import Store

Result = TypeVar("Result")

RACERS = 8


def lapse(store: Store) -> None:
    """Make every lease as old as that of a process that died."""
    with store._database.write() as session:
        session.connection().exec_driver_sql("UPDATE leases SET expires_at = 0")


def race(action: Callable[[int], Result], racers: int = RACERS) -> list[Result]:
    """What each of several threads gets that start an action at the same moment."""
    line = threading.Barrier(racers)

    def run(number: int) -> Result:
        line.wait(10)
        return action(number)

    with ThreadPoolExecutor(racers) as pool:
        return list(pool.map(run, range(racers)))
