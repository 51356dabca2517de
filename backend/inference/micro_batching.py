"""Micro-batching: calls that arrive while the model is busy are computed together."""

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
    """Computes the windows of concurrent calls, in order of arrival, and as many together as fit a ``budget``.

    A single call is computed at once, on its own thread. Calls that arrive meanwhile wait; the first of them then
    computes all of them together, up to ``budget`` padded pieces: a text in a batch costs half as much as a text alone.
    If a batch fails, its calls are computed one by one, so that each gets its own error.
    """

    def __init__(self, compute: Compute, *, budget: int) -> None:
        self._compute = compute
        self._budget = budget
        self._guard = threading.Lock()
        self._waiting: deque[_Call] = deque()
        self._busy = False

    def __call__(self, windows: Sequence[Window]) -> list[Floats]:
        """Return what ``compute`` returns for these windows, in order; raise what it raises."""
        call = _Call(windows)
        with self._guard:
            self._waiting.append(call)
            must_wait, self._busy = self._busy, True
        if must_wait:
            call.ready.wait()
        if call.scores is None and call.error is None:
            self._compute_next()
        if call.error is not None:
            raise call.error
        return call.scores or []

    def _compute_next(self) -> None:
        """Compute the caller's windows, which are first in the queue, with calls behind it; then start the next one."""
        with self._guard:
            calls = self._take_batch()
        try:
            self._compute_calls(calls)
        finally:
            with self._guard:
                following = self._waiting[0] if self._waiting else None
                self._busy = following is not None
            for call in calls[1:]:
                call.ready.set()
            if following:
                following.ready.set()

    def _take_batch(self) -> list[_Call]:
        calls = [self._waiting.popleft()]
        longest, count = calls[0].longest, len(calls[0].windows)
        while self._waiting:
            longest = max(longest, self._waiting[0].longest)
            count += len(self._waiting[0].windows)
            if longest * count > self._budget:
                break
            calls.append(self._waiting.popleft())
        return calls

    def _compute_calls(self, calls: Sequence[_Call]) -> None:
        try:
            scores = iter(self._compute([window for call in calls for window in call.windows]))
        except BaseException as error:
            if len(calls) == 1:
                calls[0].error = error
                return
            for call in calls:
                self._compute_calls([call])
        else:
            for call in calls:
                call.scores = [next(scores) for _ in call.windows]


class _Call:
    """The windows of one call, and their scores or the error; ``ready`` is set when its thread may continue."""

    def __init__(self, windows: Sequence[Window]) -> None:
        self.windows = windows
        self.longest = max((len(window.input_ids) for window in windows), default=0)
        self.ready = threading.Event()
        self.scores: list[Floats] | None = None
        self.error: BaseException | None = None
