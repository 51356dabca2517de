from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from backend.training.onnx.quantize import QUANTIZATION_CONFIGS, QuantizationConfig, calibrate, products, quantize

Floats = NDArray[np.float32]

EVERYTHING, NO_EMBEDDINGS, WIDENING = QUANTIZATION_CONFIGS


@pytest.fixture
def fp32(tmp_path: Path) -> Path:
    """A graph with embeddings, products that widen and narrow, and one of two computed tensors."""
    random = np.random.default_rng(0)
    constants: dict[str, Floats] = {
        "table": random.normal(size=(2048, 32)).astype(np.float32),
        "wide": random.normal(size=(32, 64)).astype(np.float32),
        "other": random.normal(size=(32, 64)).astype(np.float32),
        "wide_bias": random.normal(size=64).astype(np.float32),
        "narrow": random.normal(size=(64, 3)).astype(np.float32),
        "narrow_bias": random.normal(size=3).astype(np.float32),
    }
    nodes = [
        helper.make_node("Gather", ["table", "input_ids"], ["x"]),
        helper.make_node("MatMul", ["x", "wide"], ["h"]),
        helper.make_node("Add", ["wide_bias", "h"], ["h1"]),
        helper.make_node("MatMul", ["x", "other"], ["h2"]),
        helper.make_node("Mul", ["h1", "h2"], ["h3"]),
        helper.make_node("Transpose", ["h3"], ["h4"], perm=[0, 2, 1]),
        helper.make_node("MatMul", ["h3", "h4"], ["scores"]),
        helper.make_node("Softmax", ["scores"], ["shares"]),
        helper.make_node("MatMul", ["shares", "h3"], ["mixed"]),
        helper.make_node("MatMul", ["mixed", "narrow"], ["y"]),
        helper.make_node("Add", ["y", "narrow_bias"], ["logits"]),
    ]
    graph = helper.make_graph(
        nodes,
        "small",
        [helper.make_tensor_value_info("input_ids", TensorProto.INT64, ["batch", "sequence"])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch", "sequence", 3])],
        [numpy_helper.from_array(values, name) for name, values in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
    onnx.save(model, tmp_path / "model.onnx")
    return tmp_path / "model.onnx"


def ids(rows: int, length: int = 7) -> NDArray[np.int64]:
    return np.random.default_rng(rows).integers(0, 2048, size=(rows, length))


def quantized(fp32: Path, config: QuantizationConfig) -> Path:
    path = fp32.with_name("int8.onnx")
    quantize(fp32, path, config, calibrate(fp32, [{"input_ids": ids(16)}]))
    return path


def run(path: Path, input_ids: NDArray[np.int64]) -> Floats:
    session = ort.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    logits: Floats = session.run(["logits"], {"input_ids": input_ids})[0]
    return logits


def operators(path: Path) -> Counter[str]:
    return Counter(node.op_type for node in onnx.load(path).graph.node)


@pytest.mark.parametrize("config", QUANTIZATION_CONFIGS, ids=lambda config: config.name)
def test_logits_are_nearly_the_same(fp32: Path, config: QuantizationConfig) -> None:
    expected, logits = run(fp32, ids(16)), run(quantized(fp32, config), ids(16))
    assert logits.shape == expected.shape
    # A processor without VNNI may overflow; `decide_precision` checks that.
    assert np.corrcoef(logits.ravel(), expected.ravel())[0, 1] > 0.99


@pytest.mark.parametrize(
    ("config", "int8", "fp32_left", "inputs"),
    [(EVERYTHING, 3, 2, 2), (NO_EMBEDDINGS, 3, 2, 2), (WIDENING, 2, 3, 1)],
    ids=["everything", "no embeddings", "widening"],
)
def test_config_says_what_becomes_int8(
    fp32: Path, config: QuantizationConfig, int8: int, fp32_left: int, inputs: int
) -> None:
    counts = operators(quantized(fp32, config))
    assert (counts["MatMulIntegerToFloat"], counts["MatMul"]) == (int8, fp32_left)
    assert counts["QuantizeLinear"] == inputs
    assert counts["Cast"] == config.embeddings


def test_file_is_smaller_and_has_no_weights_twice(fp32: Path) -> None:
    path = quantized(fp32, EVERYTHING)
    assert path.stat().st_size < fp32.stat().st_size / 3
    assert "table" not in {tensor.name for tensor in onnx.load(path).graph.initializer}


@pytest.mark.parametrize("config", QUANTIZATION_CONFIGS, ids=lambda config: config.name)
def test_logits_do_not_depend_on_the_other_texts_of_a_batch(fp32: Path, config: QuantizationConfig) -> None:
    path, texts = quantized(fp32, config), ids(16)
    assert np.allclose(run(path, texts)[3], run(path, texts[3:4])[0], atol=1e-4)


def test_values_outside_the_range_are_clipped(fp32: Path) -> None:
    path = fp32.with_name("int8.onnx")
    quantize(fp32, path, NO_EMBEDDINGS, dict.fromkeys(calibrate(fp32, [{"input_ids": ids(1)}]), (0.0, 0.0)))
    assert np.isfinite(run(path, ids(4))).all()


def test_ranges_are_the_extremes_over_all_texts(fp32: Path) -> None:
    table = numpy_helper.to_array(onnx.load(fp32).graph.initializer[0])
    low, high = calibrate(fp32, [{"input_ids": ids(2)}, {"input_ids": ids(5)}])["x"]
    rows = table[np.concatenate((ids(2), ids(5)))]
    assert (low, high) == (rows.min(), rows.max())


def test_bias_is_found_on_either_side(fp32: Path) -> None:
    graph = onnx.load(fp32).graph
    assert [(product.inputs, product.outputs, product.bias is not None) for product in products(graph)] == [
        (32, 64, True),
        (32, 64, False),
        (64, 3, True),
    ]
