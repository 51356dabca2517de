"""Large requests run at a lower priority than small ones.

A *bulk* request holds more than `BULK_CHARS` characters: "Retrieve predictions" for many tasks, or one very long
document. All bulk requests of a process share a pool of threads, one per core, which run at a lower priority. Any other
request comes from an annotator who has just opened a task: it is computed on the thread that received it, at the
priority of the process, and the operating system preempts bulk threads for it at once, in any process. Nobody waits for
a lock.

This requires graphs that run on the calling thread (`OnnxSession` with one thread).
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
"""A request with more characters is bulk: about half a second of one core with the embedded encoder."""

_NICENESS = 5
"""Added to the process's own for bulk threads: after annotators' requests (0), before a training run (10)."""

_PART_TEXTS = 512
_PART_CHARS = 1 << 17


def is_bulk(texts: Sequence[str]) -> bool:
    """Whether a request is computed at the lower priority."""
    return sum(map(len, texts)) > BULK_CHARS


def parts(texts: Iterable[str]) -> Iterator[list[str]]:
    """Split a request into parts small enough to need little memory; a longer text is a part of its own."""
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
    """The threads that compute the bulk requests of this process."""
    return ThreadPoolExecutor(usable_cores(), thread_name_prefix="bulk", initializer=_lower_priority)


def _lower_priority() -> None:
    # Only Linux has a niceness per thread; elsewhere this would change the whole process.
    if sys.platform == "linux":
        with suppress(OSError):
            thread = threading.get_native_id()
            os.setpriority(os.PRIO_PROCESS, thread, os.getpriority(os.PRIO_PROCESS, thread) + _NICENESS)
