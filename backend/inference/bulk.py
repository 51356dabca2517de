"""Large requests let small ones go first.

A *bulk* request holds more than `BULK_CHARS` characters: "Retrieve predictions" for many tasks, or one very long
document. The model computes it on a few threads, as many as there are cores, which all bulk requests of a process
share and which ask the operating system for less of its attention. Any other request is an annotator's, who has
just opened a task: it is computed where it was received, at the priority of the process, and the system puts a bulk
thread aside for it at once, in whichever process that runs. Nobody waits for a lock.

This rests on graphs that run on the thread that calls them (`OnnxSession` with one thread).
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import cache

from converters.cores import usable_cores

BULK_CHARS = 16_384
"""Characters of a request from which on it is bulk: about half a second of one core with the embedded encoder."""

_NICENESS = 5
"""Of bulk threads, added to the process's own: behind an annotator (0), ahead of a training run (10)."""

_PART_TEXTS = 512
_PART_CHARS = 1 << 17


def is_bulk(texts: Sequence[str]) -> bool:
    """Whether a request must make way for others."""
    return sum(map(len, texts)) > BULK_CHARS


def parts(texts: Iterable[str]) -> Iterator[list[str]]:
    """Cut a request into parts of so many texts and characters that a part costs little memory.

    A longer text is a part of its own.
    """
    part: list[str] = []
    chars = 0
    for text in texts:
        if part and (len(part) == _PART_TEXTS or chars + len(text) > _PART_CHARS):
            yield part
            part, chars = [], 0
        part.append(text)
        chars += len(text)
    if part:
        yield part


@cache
def bulk_threads() -> ThreadPoolExecutor:
    """The threads that compute this process's bulk requests."""
    return ThreadPoolExecutor(usable_cores(), thread_name_prefix="bulk", initializer=_make_way)


def _make_way() -> None:
    # Linux alone has a niceness for each thread; elsewhere this would be the whole process's.
    if sys.platform == "linux":
        with suppress(OSError):
            thread = threading.get_native_id()
            os.setpriority(os.PRIO_PROCESS, thread, os.getpriority(os.PRIO_PROCESS, thread) + _NICENESS)
