"""How much memory a process and all below it hold."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

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
    """Sum the memory of a process and all below it, what they share counted once.

    Private pages are those of each process, pages that a fork left common divided among them; of the files they map
    the process with most of them counts. Resident sizes would count a library once a process; proportional ones
    would fall when somebody else's process, or the other side's, loads the same library.
    """
    own, files = 0, 0
    with suppress(psutil.Error):
        root = psutil.Process(pid)
        for process in (root, *root.children(recursive=True)):
            with suppress(psutil.Error, OSError):
                pages = _pages(process.pid)
                own += pages["Pss_Anon"]
                files = max(files, pages["Rss"] - pages["Anonymous"])
    return (own + files) / 2**10


def _pages(pid: int) -> dict[str, int]:
    """The sums of a process's memory map, in KB."""
    rows = (line.split() for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:])
    return {name.rstrip(":"): int(size) for name, size, _ in rows}
