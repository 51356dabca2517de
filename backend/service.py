"""Wires the parts of the service for each entry point: web server, worker, command line, demonstration."""

from __future__ import annotations

from typing import NamedTuple

from backend.loop import Loop
from backend.queue import HueyQueue
from backend.registry import Registry
from backend.settings import Settings
from backend.store import Store


class Service(NamedTuple):
    """The loop, and the queue that wakes its workers."""

    loop: Loop
    queue: HueyQueue

    def close(self) -> None:
        """Close the connections to the database."""
        self.loop.store.close()
        self.queue.close()


def open_service(settings: Settings) -> Service:
    """Open the database and the queue; raises `SettingsError` where DATABASE_URL is not usable."""
    store = Store(settings.database_url)
    registry = Registry(
        settings.model_dir,
        store,
        cache=settings.model_cache,
        device=settings.device,
        precision=settings.precision,
    )
    queue = HueyQueue(settings.database_url)
    return Service(Loop(settings, store, registry, queue), queue)
