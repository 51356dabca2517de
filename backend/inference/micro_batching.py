"""Calls of the model that arrive while it is busy are computed as one."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from backend.inference.windows import Window

Floats = NDArray[np.float32]
Compute = Callable[[Sequence[Window]], list[Floats]]


class MicroBatcher:
    """Computes small batches of several threads, first come, first served, and as many at once as fit a ``budget``.

    A lone caller's batch is computed at once, on its thread. Whoever comes meanwhile waits, and the first of them
    then computes what all of them have brought, up to ``budget`` padded pieces: a text in a batch costs half of what
    it costs alone. Where a batch fails, its calls are computed one by one, so that each gets its own error.
    """

    def __init__(self, compute: Compute, *, budget: int) -> None:
        self._compute = compute
        self._budget = budget
        self._guard = threading.Lock()
        self._waiting: deque[_Call] = deque()
        self._busy = False

    def __call__(self, windows: Sequence[Window]) -> list[Floats]:
        """Give what ``compute`` gives for these windows, in order; raise what it raises."""
        call = _Call(windows)
        with self._guard:
            self._waiting.append(call)
            waits, self._busy = self._busy, True
        if waits:
            call.woken.wait()
        if call.scores is None and call.error is None:
            self._lead()
        if call.error is not None:
            raise call.error
        return call.scores or []

    def _lead(self) -> None:
        """Compute the caller's batch, which is the first in the line, with those behind it; wake who is next."""
        with self._guard:
            calls = self._next()
        try:
            self._answer(calls)
        finally:
            with self._guard:
                following = self._waiting[0] if self._waiting else None
                self._busy = following is not None
            for call in calls[1:]:
                call.woken.set()
            if following:
                following.woken.set()

    def _next(self) -> list[_Call]:
        calls = [self._waiting.popleft()]
        longest, count = calls[0].longest, len(calls[0].windows)
        while self._waiting:
            longest = max(longest, self._waiting[0].longest)
            count += len(self._waiting[0].windows)
            if longest * count > self._budget:
                break
            calls.append(self._waiting.popleft())
        return calls

    def _answer(self, calls: Sequence[_Call]) -> None:
        try:
            scores = iter(self._compute([window for call in calls for window in call.windows]))
        except BaseException as error:
            if len(calls) == 1:
                calls[0].error = error
                return
            for call in calls:
                self._answer([call])
        else:
            for call in calls:
                call.scores = [next(scores) for _ in call.windows]


class _Call:
    """Windows to be computed, and what became of them."""

    def __init__(self, windows: Sequence[Window]) -> None:
        self.windows = windows
        self.longest = max((len(window.input_ids) for window in windows), default=0)
        self.woken = threading.Event()
        self.scores: list[Floats] | None = None
        self.error: BaseException | None = None
