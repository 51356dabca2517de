"""The memory of a process and its descendants."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil

_SAMPLE_SECONDS = 0.2


class Peak:
    """The peak memory, in MB."""

    mb = 0.0


@contextmanager
def watched(pid: int, peak: Peak) -> Iterator[None]:
    """Measure a process and its descendants every 200 ms, and keep the maximum in ``peak``."""
    done = threading.Event()

    def sample() -> None:
        while not done.wait(_SAMPLE_SECONDS):
            peak.mb = max(peak.mb, tree_mb(pid))

    watcher = threading.Thread(target=sample, daemon=True)
    watcher.start()
    try:
        yield
    finally:
        done.set()
        watcher.join()


def tree_mb(pid: int) -> float:
    """The memory of a process and its descendants in MB; memory that they share counts once.

    Anonymous pages count proportionally (pages shared after a fork are divided among the processes); of mapped files
    those of the process with the most count. The sum of resident sizes would count a library once per process; the
    proportional size would fall when an unrelated process loads the same library.
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
