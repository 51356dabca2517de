"""A pool of processes, one per core, that works on blocks of data and returns results in order."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from itertools import chain, islice
from typing import TypeVar

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")


def map_in_order(
    work: Callable[[_Item], _Result | None], items: Iterable[_Item], *, processes: int
) -> Generator[tuple[_Item, _Result | None], None, None]:
    """Yield each item with the result of ``work``, in order, while later items are worked on.

    After ``work`` returns ``None``, or its process is killed, no more items are taken, and items taken already are
    yielded with ``None``. No process is started if there is no item, or for ``processes=1``. Items and results are
    pickled.
    """
    items = iter(items)
    first = next(items, None)
    if first is None:
        return
    if processes == 1:
        yield from _until_none((item, work(item)) for item in chain([first], items))
        return
    pool = ProcessPoolExecutor(processes, _context(), initializer=_end_with_parent)
    try:
        yield from _pipelined(pool, work, chain([first], items), ahead=2 * processes)
    finally:
        pool.shutdown(cancel_futures=True)


def _until_none(pairs: Iterable[tuple[_Item, _Result | None]]) -> Iterator[tuple[_Item, _Result | None]]:
    for item, result in pairs:
        yield item, result
        if result is None:
            return


def _pipelined(
    pool: ProcessPoolExecutor, work: Callable[[_Item], _Result | None], items: Iterator[_Item], *, ahead: int
) -> Iterator[tuple[_Item, _Result | None]]:
    waiting: deque[tuple[_Item, Future[_Result | None]]] = deque()
    while True:
        waiting.extend((item, _submit(pool, work, item)) for item in islice(items, ahead - len(waiting)))
        if not waiting:
            return
        item, future = waiting.popleft()
        result = _outcome(future)
        yield item, result
        if result is None:
            break
    yield from ((item, None) for item, _ in waiting)


def _submit(pool: ProcessPoolExecutor, work: Callable[[_Item], _Result | None], item: _Item) -> Future[_Result | None]:
    try:
        return pool.submit(work, item)
    except BrokenProcessPool as error:
        failed: Future[_Result | None] = Future()
        failed.set_exception(error)
        return failed


def _outcome(future: Future[_Result | None]) -> _Result | None:
    try:
        return future.result()
    except BrokenProcessPool:  # killed, perhaps because memory ran out
        return None


def _context() -> multiprocessing.context.BaseContext:
    """Fork where that is safe, since it starts fastest."""
    safe = sys.platform == "linux" and threading.active_count() == 1
    return multiprocessing.get_context("fork" if safe else "spawn")


def _end_with_parent() -> None:
    """Leave Ctrl-C to the parent, and end when the parent ends: a process of a pool would wait for it for ever."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    if parent:
        threading.Thread(target=_end_after, args=(parent,), daemon=True).start()


def _end_after(parent: multiprocessing.process.BaseProcess) -> None:
    parent.join()
    os._exit(1)
