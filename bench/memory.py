"""How much memory a process and all below it hold."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import psutil

_SAMPLE_SECONDS = 0.2


class Peak:
    """The most memory that was seen, in MB."""

    mb = 0.0


@contextmanager
def watched(pid: int, peak: Peak) -> Iterator[None]:
    """Look at a process and all below it every 200 ms meanwhile, and keep the most they held in ``peak``."""
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
    """Sum the memory of a process and all below it: what each holds for itself, and the files they share, once.

    Resident sizes would count a library once a process, to the disadvantage of the side with more of them;
    proportional ones would fall when somebody else's process loads the same library.
    """
    private, shared = 0, 0
    with suppress(psutil.Error):
        root = psutil.Process(pid)
        for process in (root, *root.children(recursive=True)):
            with suppress(psutil.Error):
                memory = process.memory_info()
                files = getattr(memory, "shared", 0)
                private += memory.rss - files
                shared = max(shared, files)
    return (private + shared) / 2**20
