"""The ONNX graph of a token classifier, run by ONNX Runtime."""

from __future__ import annotations

import logging
import platform
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Literal

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from backend.errors import ModelError
from backend.inference.windows import Window
from converters.cores import usable_cores

log = logging.getLogger(__name__)

Device = Literal["auto", "cpu", "cuda"]

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]

_ERRORS_ONLY = 3

_CPU, _CUDA = "CPUExecutionProvider", "CUDAExecutionProvider"

_SLOW_ON_CPU = ("SkipLayerNormFusion",)
"""Slower than the nodes it replaces: without it, 10 to 15 % more texts per second in fp32 and 25 % in int8
(ONNX Runtime 1.31, x86)."""

_NO_CUDA = (
    "ONNX Runtime cannot use a CUDA device here: install the package onnxruntime-gpu instead of onnxruntime, with a "
    "matching NVIDIA driver and CUDA libraries, or set DEVICE=cpu."
)


class OnnxSession:
    """One loaded graph; `log_probabilities` may be called from several threads at once.

    ``threads`` is the number of cores one call may use, by default all that this process may use. ``device`` is where
    it runs: ``cuda`` on a GPU, ``cpu``, or ``auto``: on a GPU where ONNX Runtime can use one. Raises `ModelError` when
    the file cannot be loaded or is not a token classifier, and for ``cuda`` where no GPU can be used.
    """

    def __init__(self, path: Path, *, threads: int | None = None, device: Device = "auto") -> None:
        self._session = _open(path, _options(threads or usable_cores()), device)
        self._inputs = frozenset(declared.name for declared in self._session.get_inputs())
        unknown = self._inputs - {"input_ids", "attention_mask", "token_type_ids"}
        if unknown or "input_ids" not in self._inputs:
            raise ModelError(f"The model file {path} is not a token classifier: its inputs are {sorted(self._inputs)}.")
        self._output = self._session.get_outputs()[0]

    @property
    def on_gpu(self) -> bool:
        """Whether the graph runs on a GPU."""
        return _CUDA in self._session.get_providers()

    @property
    def width(self) -> int | None:
        """The number of tags that the graph scores; ``None`` where the file does not state it."""
        last = self._output.shape[-1] if self._output.shape else None
        return last if isinstance(last, int) else None

    def log_probabilities(self, batch: Sequence[Window]) -> list[Floats]:
        """Score a batch of windows, padded to the longest.

        Returns an array of shape (words that the window decides, tags) for each window: natural logarithms, whose
        exponentials sum to one along the last axis. Raises `ModelError` if the model returns numbers that are not
        finite.
        """
        input_ids, attention_mask = _padded(batch)
        inputs = {
            "input_ids": input_ids,
            "attention_mask": attention_mask,
            "token_type_ids": np.zeros_like(input_ids),
        }
        feed = {name: values for name, values in inputs.items() if name in self._inputs}
        (logits,) = self._session.run([self._output.name], feed)
        if len(batch) == 1:
            return [log_softmax(logits[0, batch[0].positions])]
        counts = [len(window.positions) for window in batch]
        rows = np.repeat(np.arange(len(batch)), counts)
        picked = logits[rows, np.concatenate([window.positions for window in batch])]
        return np.split(log_softmax(picked), np.cumsum(counts)[:-1])


def _padded(batch: Sequence[Window]) -> tuple[Ints, Ints]:
    """Piece ids of shape (windows, pieces of the longest), and a mask that is 1 where they are not padding."""
    if len(batch) == 1:
        input_ids = batch[0].input_ids[None]
        return input_ids, np.ones_like(input_ids)
    longest = max(len(window.input_ids) for window in batch)
    input_ids = np.zeros((len(batch), longest), dtype=np.int64)
    attention_mask = np.zeros_like(input_ids)
    for row, window in enumerate(batch):
        input_ids[row, : len(window.input_ids)] = window.input_ids
        attention_mask[row, : len(window.input_ids)] = 1
    return input_ids, attention_mask


def log_softmax(scores: NDArray[np.floating]) -> Floats:
    """Normalise scores along the last axis into log-probabilities; raise `ModelError` where they are not finite."""
    if not np.isfinite(scores).all():
        raise ModelError("The model returned numbers that are not finite: its weights are damaged, train it again.")
    shifted = scores.astype(np.float32) - scores.max(axis=-1, keepdims=True)
    result: Floats = shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))
    return result


def cuda_available() -> bool:
    """Whether this ONNX Runtime was built for CUDA; the driver may still be missing."""
    return _CUDA in ort.get_available_providers()


def int8_is_exact(*, root: Path = Path("/")) -> bool:
    """Whether this processor multiplies int8 without overflow.

    x86 without VNNI adds two products in 16 bits, which overflow where weights and activations are large: predictions
    would differ from those that were scored. Except on Linux, every x86 processor counts as one without VNNI.
    Source: https://onnxruntime.ai/docs/performance/model-optimizations/quantization.html#when-to-use-reduce-range
    """
    if platform.machine().lower() not in {"x86_64", "amd64", "i686"}:
        return True
    try:
        flags = (root / "proc" / "cpuinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return False
    return not {"avx512_vnni", "avx_vnni"}.isdisjoint(flags.split())


def _options(threads: int) -> ort.SessionOptions:
    options = ort.SessionOptions()
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_ALL
    options.intra_op_num_threads = threads
    options.log_severity_level = _ERRORS_ONLY
    # Threads that spin while they wait take the cores from the web server's other processes.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    # It would keep a memory plan for every shape, and hardly two batches have the same shape.
    options.enable_mem_pattern = False
    return options


def _open(path: Path, options: ort.SessionOptions, device: Device) -> ort.InferenceSession:
    if device == "cpu" or (device == "auto" and not cuda_available()):
        return _load(path, options, [_CPU], disabled=_SLOW_ON_CPU)
    if not cuda_available():
        raise ModelError(_NO_CUDA)
    session = _load(path, options, [_CUDA, _CPU])
    if _CUDA in session.get_providers():
        return session
    if device == "cuda":
        raise ModelError(_NO_CUDA)
    _warn_once(_NO_CUDA)
    return _load(path, options, [_CPU], disabled=_SLOW_ON_CPU)


def _load(
    path: Path, options: ort.SessionOptions, providers: Sequence[str], *, disabled: Sequence[str] = ()
) -> ort.InferenceSession:
    try:
        return ort.InferenceSession(str(path), options, providers=providers, disabled_optimizers=list(disabled))
    except Exception as error:  # ONNX Runtime's exceptions have no common base class
        raise ModelError(f"The model file {path} cannot be loaded: {_first_line(error)}.") from error


@cache
def _warn_once(message: str) -> None:
    log.warning("%s The CPU is used.", message)


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".")
