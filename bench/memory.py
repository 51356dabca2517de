"""How much memory a process and all below it hold."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import psutil

_SAMPLE_SECONDS = 0.05


class Peak:
    """The most memory that was seen, in MB."""

    mb = 0.0


@contextmanager
def watched(pid: int, peak: Peak) -> Iterator[None]:
    """Look at a process and all below it every 50 ms meanwhile, and keep the most they held in ``peak``."""
    done = threading.Event()

    def look() -> None:
        while not done.wait(_SAMPLE_SECONDS):
            peak.mb = max(peak.mb, tree_mb(pid))

    watcher = threading.Thread(target=look, daemon=True)
    watcher.start()
    try:
        yield
    finally:
        done.set()
        watcher.join()


def tree_mb(pid: int) -> float:
    """Sum the proportional set sizes of a process and all below it: a page that several share counts once."""
    total = 0
    with suppress(psutil.Error):
        root = psutil.Process(pid)
        for process in (root, *root.children(recursive=True)):
            with suppress(psutil.Error):
                total += process.memory_full_info().pss
    return total / 2**20
