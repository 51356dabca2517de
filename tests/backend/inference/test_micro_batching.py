from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import numpy as np
import pytest
from numpy.typing import NDArray

from backend.errors import ModelError
from backend.inference.micro_batching import MicroBatcher
from backend.inference.windows import Window

Floats = NDArray[np.float32]


def window(length: int, name: int = 0) -> Window:
    nothing = np.zeros(0, dtype=np.int64)
    return Window(name, np.full(length, name), nothing, nothing)


class Model:
    """Returns the name of each window; the first call waits for ``go``."""

    def __init__(self, *, failing: int = -1) -> None:
        self.batches: list[list[int]] = []
        self.entered, self.go = threading.Event(), threading.Event()
        self.failing = failing

    def __call__(self, windows: Sequence[Window]) -> list[Floats]:
        self.batches.append([window.text for window in windows])
        if len(self.batches) == 1:
            self.entered.set()
            assert self.go.wait(10)
        if self.failing in self.batches[-1]:
            raise ModelError(f"window {self.failing}")
        return [np.array([window.text], dtype=np.float32) for window in windows]


def answers(batcher: MicroBatcher, model: Model, batches: Sequence[Sequence[Window]]) -> list[list[float] | str]:
    """Call with the first batch and, while it is computed, with the others in order; the result or error of each."""

    def call(windows: Sequence[Window]) -> list[float] | str:
        try:
            return [float(scores[0]) for scores in batcher(windows)]
        except ModelError as error:
            return str(error)

    def waiting(number: int) -> bool:
        return len(batcher._waiting) == number

    with ThreadPoolExecutor(len(batches)) as pool:
        futures = [pool.submit(call, batches[0])]
        assert model.entered.wait(10)
        for number, batch in enumerate(batches[1:], start=1):
            futures.append(pool.submit(call, batch))
            until(partial(waiting, number))
        model.go.set()
        return [future.result(10) for future in futures]


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.001)


def test_calls_that_arrive_while_the_model_is_busy_are_computed_together() -> None:
    model = Model()
    batches = [[window(3, 1)], [window(5, 2)], [window(4, 3), window(2, 4)], [window(1, 5)]]
    assert answers(MicroBatcher(model, budget=100), model, batches) == [[1.0], [2.0], [3.0, 4.0], [5.0]]
    assert model.batches == [[1], [2, 3, 4, 5]]


def test_budget_counts_padding_and_the_queue_keeps_its_order() -> None:
    model = Model()
    batches = [[window(3, 1)], [window(2, 2)], [window(10, 3)], [window(9, 4)], [window(99, 5)], [window(1, 6)]]
    assert answers(MicroBatcher(model, budget=20), model, batches) == [[1.0], [2.0], [3.0], [4.0], [5.0], [6.0]]
    assert model.batches == [[1], [2, 3], [4], [5], [6]]


def test_error_reaches_only_the_call_that_caused_it() -> None:
    model = Model(failing=3)
    batches = [[window(3, 1)], [window(3, 2)], [window(3, 3)], [window(3, 4)]]
    assert answers(MicroBatcher(model, budget=100), model, batches) == [[1.0], [2.0], "window 3", [4.0]]


def test_batcher_works_again_after_an_error() -> None:
    model = Model(failing=1)
    model.go.set()
    batcher = MicroBatcher(model, budget=100)
    with pytest.raises(ModelError):
        batcher([window(3, 1)])
    assert batcher([window(3, 2)]) == [np.array([2.0])]


def test_each_of_many_threads_gets_its_own_scores() -> None:
    model = Model()
    model.go.set()
    batcher = MicroBatcher(model, budget=8)

    def call(thread: int) -> bool:
        names = [thread * 1000 + number for number in range(200)]
        return all(float(batcher([window(2, name)])[0][0]) == name for name in names)

    with ThreadPoolExecutor(16) as pool:
        assert all(pool.map(call, range(16)))
    assert sum(map(len, model.batches)) == 16 * 200
