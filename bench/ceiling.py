"""The upper limit of tagging speed on this machine: the encoder's matrix products alone, by the fastest library."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from tokenizers import Tokenizer

from converters.cores import usable_cores

Shape = tuple[int, int]
Floats = NDArray[np.float32]

_TOKENS = 2048
_ROUNDS = 15


def measure_rates(folder: Path) -> dict[str, float]:
    """This machine's rate of fp32 matrix products in the shapes of a version's encoder, by library, in GFLOP/s.

    Other work on the machine lowers the rates: measure several times and keep the highest.
    """
    shapes = layer_shapes(_config(folder))
    return {"numpy": _gflops(_by_numpy(shapes), shapes), "onnxruntime": _gflops(_by_onnxruntime(shapes), shapes)}


def ceiling(folder: Path, texts: Sequence[str], rates: Sequence[dict[str, float]]) -> dict[str, Any]:
    """The matrix products that the texts need, and the number of texts a second that they allow at most.

    The faster library counts. Padding, the softmax of attention, tokenizing, HTTP and everything else are assumed to
    take no time. Pieces are those of the model's input, special tokens included.
    """
    config, lengths = _config(folder), _pieces(folder, texts)
    best = {library: max(rate[library] for rate in rates) for library in rates[0]}
    gflop = sum(flops(config, length) for length in lengths) / len(lengths) / 1e9
    return {
        "gflop_per_s": max(best.values()),
        "by_library": best,
        "gflop_per_text": gflop,
        "pieces_per_text": sum(lengths) / len(lengths),
        "texts_per_s": max(best.values()) / gflop,
    }


def layer_shapes(config: dict[str, Any]) -> list[Shape]:
    """Shapes of one layer's weights: query, key, value and output, then the two of the feed-forward network."""
    width, hidden = config["dim"], config["hidden_dim"]
    return [(width, width)] * 4 + [(width, hidden), (hidden, width)]


def flops(config: dict[str, Any], pieces: int) -> int:
    """Floating-point operations of one text's matrix products: weights, attention (twice pieces²) and the head."""
    weights = sum(rows * columns for rows, columns in layer_shapes(config))
    layer = 2 * pieces * weights + 2 * 2 * pieces * pieces * config["dim"]
    return int(config["n_layers"] * layer + 2 * pieces * config["dim"] * len(config["id2label"]))


def _gflops(products: Callable[[], object], shapes: Sequence[Shape]) -> float:
    """Rate of one layer's products, in the fastest of some rounds."""
    seconds = []
    for _ in range(_ROUNDS):
        began = time.perf_counter()
        products()
        seconds.append(time.perf_counter() - began)
    return sum(2 * _TOKENS * rows * columns for rows, columns in shapes) / min(seconds) / 1e9


def _by_numpy(shapes: Sequence[Shape]) -> Callable[[], object]:
    lefts, rights = _matrices(shapes)
    outputs = [np.empty((_TOKENS, columns), dtype=np.float32) for _, columns in shapes]
    return lambda: [np.matmul(left, right, output) for left, right, output in zip(lefts, rights, outputs, strict=True)]


def _by_onnxruntime(shapes: Sequence[Shape]) -> Callable[[], object]:
    """The same products as an ONNX graph of their own; the weights are packed once, as in a served model."""
    lefts, rights = _matrices(shapes)
    graph = helper.make_graph(
        [helper.make_node("MatMul", [f"x{n}", f"w{n}"], [f"y{n}"]) for n in range(len(shapes))],
        "products",
        [helper.make_tensor_value_info(f"x{n}", TensorProto.FLOAT, left.shape) for n, left in enumerate(lefts)],
        [helper.make_tensor_value_info(f"y{n}", TensorProto.FLOAT, [_TOKENS, s[1]]) for n, s in enumerate(shapes)],
        [numpy_helper.from_array(right, f"w{n}") for n, right in enumerate(rights)],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    options = ort.SessionOptions()
    options.intra_op_num_threads = usable_cores()
    session = ort.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    feed = {f"x{n}": left for n, left in enumerate(lefts)}
    return lambda: session.run(None, feed)


def _matrices(shapes: Sequence[Shape]) -> tuple[list[Floats], list[Floats]]:
    random = np.random.default_rng(0)
    lefts = [random.standard_normal((_TOKENS, rows), dtype=np.float32) for rows, _ in shapes]
    return lefts, [random.standard_normal(shape, dtype=np.float32) for shape in shapes]


def _config(folder: Path) -> dict[str, Any]:
    config: dict[str, Any] = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    return config


def _pieces(folder: Path, texts: Sequence[str]) -> list[int]:
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.no_padding()
    return [len(encoding.ids) for encoding in tokenizer.encode_batch(list(texts))]
