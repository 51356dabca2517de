"""Quantises an ONNX graph: matrix products and embeddings become int8 (post-training static quantisation).

Weights get one scale per output channel, activations one scale and zero point per tensor, computed from the ranges on
sample texts (Jacob et al. 2018, arXiv:1712.05877). ONNX Runtime's dynamic quantisation computes the activations' scale
from the whole batch instead, so that a text's tags depend on the other texts of its batch: on the corpus, those of 1
word in 117.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
from numpy.typing import NDArray
from onnx import GraphProto, NodeProto, TensorProto, helper, numpy_helper

Inputs = Mapping[str, NDArray[np.int64]]
"""Input tensors of the graph by name."""

Range = tuple[float, float]
"""Least and greatest value of a tensor."""

_MIN_TABLE_SIZE = 1 << 16
"""Embedding tables with fewer numbers, such as those of token types, stay in float32."""


@dataclass(frozen=True, slots=True)
class Product:
    """A matrix product with a constant matrix of ``inputs`` × ``outputs``, and the addition of its bias, if any."""

    node: NodeProto
    bias: NodeProto | None
    inputs: int
    outputs: int


@dataclass(frozen=True, slots=True)
class QuantizationConfig:
    """Which parts of a graph become int8.

    ``narrowing`` products have more inputs than outputs: rounding errors add up over the inputs, so these are the least
    exact.
    """

    name: str
    narrowing: bool = True
    embeddings: bool = True

    def includes(self, product: Product) -> bool:
        return self.narrowing or product.inputs <= product.outputs


QUANTIZATION_CONFIGS = (
    QuantizationConfig("all matrix products and the embeddings"),
    QuantizationConfig("all matrix products", embeddings=False),
    QuantizationConfig("all matrix products but those that narrow", narrowing=False, embeddings=False),
)
"""In the order to try them: the fastest and smallest first, then those that keep more in float32."""


def quantize(fp32: Path, int8: Path, config: QuantizationConfig, ranges: Mapping[str, Range]) -> None:
    """Write the int8 form of a graph, with the same inputs and outputs; ``ranges`` are those of `calibrate`."""
    model = onnx.load(fp32)
    editor = _Editor(model.graph)
    for product in products(model.graph):
        if config.includes(product):
            editor.replace_product(product, ranges[product.node.input[0]])
    if config.embeddings:
        for node in [node for node in model.graph.node if editor.is_embedding(node)]:
            editor.replace_embedding(node)
    editor.finish()
    if not any(opset.domain == _MICROSOFT for opset in model.opset_import):
        model.opset_import.append(helper.make_opsetid(_MICROSOFT, 1))
    onnx.save(model, int8)


def calibrate(fp32: Path, samples: Iterable[Inputs]) -> dict[str, Range]:
    """Range of each tensor that is multiplied by a constant matrix, over all ``samples``."""
    model = onnx.load(fp32)
    names = list(dict.fromkeys(product.node.input[0] for product in products(model.graph)))
    extremes = [(operator, f"{operator} {name}", name) for name in names for operator in ("ReduceMin", "ReduceMax")]
    for operator, output, name in extremes:
        model.graph.node.append(helper.make_node(operator, [name], [output], keepdims=0))
        model.graph.output.append(helper.make_tensor_value_info(output, TensorProto.FLOAT, []))
    session = ort.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    del model
    rows = np.array([session.run([output for _, output, _ in extremes], dict(inputs)) for inputs in samples])
    return dict(zip(names, zip(rows[:, ::2].min(axis=0), rows[:, 1::2].max(axis=0), strict=True), strict=True))


def products(graph: GraphProto) -> list[Product]:
    """All matrix products of a tensor with a constant matrix, in the graph's order."""
    constants = {tensor.name: tensor for tensor in graph.initializer}
    users = _users(graph)
    matches = []
    for node in graph.node:
        if node.op_type == "MatMul" and len(constants.get(node.input[1], _SCALAR).dims) == 2:
            inputs, outputs = constants[node.input[1]].dims
            matches.append(Product(node, _bias(node, users, constants), inputs, outputs))
    return matches


def _bias(
    node: NodeProto, users: Mapping[str, Sequence[NodeProto]], constants: Mapping[str, TensorProto]
) -> NodeProto | None:
    """The addition of a constant vector to a product, if nothing else uses the product."""
    product_users = users[node.output[0]]
    if len(product_users) != 1 or product_users[0].op_type != "Add":
        return None
    addition = product_users[0]
    vectors = [name for name in addition.input if name in constants and len(constants[name].dims) == 1]
    return addition if len(vectors) == 1 else None


def _users(graph: GraphProto) -> dict[str, list[NodeProto]]:
    users: dict[str, list[NodeProto]] = defaultdict(list)
    for node in graph.node:
        for name in node.input:
            users[name].append(node)
    return users


_MICROSOFT = "com.microsoft"
_SCALAR = TensorProto()


class _Editor:
    """Collects replacements for nodes of a graph; `finish` applies them."""

    def __init__(self, graph: GraphProto) -> None:
        self._graph = graph
        self._constants = {tensor.name: tensor for tensor in graph.initializer}
        self._replacements: dict[str, list[NodeProto]] = {}
        self._quantized: set[str] = set()

    def replace_product(self, product: Product, input_range: Range) -> None:
        node, bias = product.node, product.bias
        x, matrix = node.input
        before = []
        if x not in self._quantized:
            before = [helper.make_node("QuantizeLinear", [x, f"{x} scale", f"{x} zero"], [f"{x} uint8"])]
            self._quantize_input(x, input_range)
        if f"{matrix} int8" not in self._constants:
            weights, scales = _per_channel(numpy_helper.to_array(self._constants[matrix]))
            self._add(f"{matrix} int8", weights)
            self._add(f"{matrix} scale", scales)
        vector = next((name for name in bias.input if name in self._constants), "") if bias else ""
        names = [f"{x} uint8", f"{matrix} int8", f"{x} scale", f"{matrix} scale", f"{x} zero", "", vector]
        result = (bias or node).output[0]
        self._replacements[node.output[0]] = [
            *before,
            helper.make_node("MatMulIntegerToFloat", names, [result], domain=_MICROSOFT, name=node.name),
        ]
        if bias:
            self._replacements[bias.output[0]] = []

    def is_embedding(self, node: NodeProto) -> bool:
        table = self._constants.get(node.input[0]) if node.op_type == "Gather" else None
        if table is None or table.data_type != TensorProto.FLOAT or len(table.dims) != 2:
            return False
        return table.dims[0] * table.dims[1] >= _MIN_TABLE_SIZE

    def replace_embedding(self, node: NodeProto) -> None:
        table, ids = node.input
        if f"{table} int8" not in self._constants:
            rows, scales = _per_channel(numpy_helper.to_array(self._constants[table]).T)
            self._add(f"{table} int8", np.ascontiguousarray(rows.T))
            self._add(f"{table} scale", scales[:, None])
        result = node.output[0]
        self._replacements[result] = [
            helper.make_node("Gather", [f"{table} int8", ids], [f"{result} rows"]),
            helper.make_node("Cast", [f"{result} rows"], [f"{result} float"], to=TensorProto.FLOAT),
            helper.make_node("Gather", [f"{table} scale", ids], [f"{result} row scale"]),
            helper.make_node("Mul", [f"{result} float", f"{result} row scale"], [result], name=node.name),
        ]

    def finish(self) -> None:
        """Insert the new nodes, and remove the constants that no node uses any more."""
        nodes = [new for node in self._graph.node for new in self._replacements.get(node.output[0], [node])]
        used = {name for node in nodes for name in node.input}
        del self._graph.node[:]
        self._graph.node.extend(nodes)
        kept = [tensor for name, tensor in self._constants.items() if name in used]
        del self._graph.initializer[:]
        self._graph.initializer.extend(kept)

    def _quantize_input(self, x: str, input_range: Range) -> None:
        low, high = min(input_range[0], 0.0), max(input_range[1], 0.0)
        scale = (high - low) / 255 or 1.0
        self._quantized.add(x)
        self._add(f"{x} scale", np.array(scale, dtype=np.float32))
        self._add(f"{x} zero", np.array(round(-low / scale), dtype=np.uint8))

    def _add(self, name: str, values: NDArray[np.generic]) -> None:
        self._constants[name] = numpy_helper.from_array(values, name)


def _per_channel(weights: NDArray[np.float32]) -> tuple[NDArray[np.int8], NDArray[np.float32]]:
    """The matrix as whole numbers in [-127, 127], and the scale of each column."""
    scales = np.abs(weights).max(axis=0) / 127
    scales[scales == 0] = 1.0
    return np.rint(weights / scales).astype(np.int8), scales.astype(np.float32)
