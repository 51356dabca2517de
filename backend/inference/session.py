"""The ONNX graph of a token classifier, run by ONNX Runtime."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from backend.errors import ModelError
from backend.inference.windows import Window

Floats = NDArray[np.float32]

_ERRORS_ONLY = 3


class OnnxSession:
    """One loaded graph; `log_probabilities` may be called from several threads at once.

    ``threads`` is the number of cores one call may use, by default those this process is allowed to run on. Raises
    `ModelError` when the file cannot be loaded or is no token classifier.
    """

    def __init__(self, path: Path, *, threads: int | None = None) -> None:
        options = ort.SessionOptions()
        options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_ALL
        options.intra_op_num_threads = threads or _usable_cores()
        options.log_severity_level = _ERRORS_ONLY
        try:
            self._session = ort.InferenceSession(str(path), options, providers=_providers())
        except Exception as error:  # ONNX Runtime's exceptions have no common base of their own
            raise ModelError(f"The model file {path} cannot be loaded: {_first_line(error)}.") from error
        self._inputs = frozenset(declared.name for declared in self._session.get_inputs())
        unknown = self._inputs - {"input_ids", "attention_mask", "token_type_ids"}
        if unknown or "input_ids" not in self._inputs:
            raise ModelError(f"The model file {path} is no token classifier: its inputs are {sorted(self._inputs)}.")
        self._output = self._session.get_outputs()[0]

    @property
    def width(self) -> int | None:
        """How many tags the graph scores, where it says so."""
        last = self._output.shape[-1] if self._output.shape else None
        return last if isinstance(last, int) else None

    def log_probabilities(self, batch: Sequence[Window]) -> list[Floats]:
        """Score a batch of windows, padded to its longest.

        Returns an array of shape (words the window decides, tags) for each window: natural logarithms, whose
        exponentials sum to one along the last axis. Raises `ModelError` if the model answers numbers that are none.
        """
        longest = max(len(window.input_ids) for window in batch)
        input_ids = np.zeros((len(batch), longest), dtype=np.int64)
        attention_mask = np.zeros_like(input_ids)
        for row, window in enumerate(batch):
            input_ids[row, : len(window.input_ids)] = window.input_ids
            attention_mask[row, : len(window.input_ids)] = 1
        feed = {
            "input_ids": input_ids,
            "attention_mask": attention_mask,
            "token_type_ids": np.zeros_like(input_ids),
        }
        feed = {name: values for name, values in feed.items() if name in self._inputs}
        (logits,) = self._session.run([self._output.name], feed)
        rows = np.repeat(np.arange(len(batch)), [len(window.positions) for window in batch])
        picked = logits[rows, np.concatenate([window.positions for window in batch])]
        ends = np.cumsum([len(window.positions) for window in batch])
        return np.split(log_softmax(picked), ends[:-1])


def log_softmax(scores: NDArray[np.floating]) -> Floats:
    """Normalise scores along the last axis into log-probabilities; raise `ModelError` where they are not finite."""
    if not np.isfinite(scores).all():
        raise ModelError("The model answers numbers that are not finite: its weights are damaged, train it again.")
    shifted = scores.astype(np.float32) - scores.max(axis=-1, keepdims=True)
    result: Floats = shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))
    return result


def _providers() -> list[str]:
    return ["CPUExecutionProvider"]


def _usable_cores() -> int:
    """Cores this process may use, which in a container or under ``taskset`` are fewer than the machine has."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".")
