"""An ONNX graph in float32 becomes one whose matrix products and embeddings are in int8.

Weights get one scale for each output channel, activations one scale and zero point for each tensor, measured on sample
texts (post-training static quantisation, Jacob et al. 2018, arXiv:1712.05877). ONNX Runtime's own dynamic
quantisation takes the activations' scale from the whole batch instead, so that a text's tags depend on the texts
it happens to be computed with: on the corpus, 1 word in 118.
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

Feed = Mapping[str, NDArray[np.int64]]
Range = tuple[float, float]

_SMALL = 1 << 16
"""Tables of fewer numbers, such as those of token types, stay as they are."""


@dataclass(frozen=True, slots=True)
class Product:
    """A matrix product with a constant: ``inputs`` columns go in, ``outputs`` come out. The bias is part of it."""

    node: NodeProto
    bias: NodeProto | None
    inputs: int
    outputs: int


@dataclass(frozen=True, slots=True)
class Recipe:
    """Which parts of a graph become int8: the wider ``inputs`` of a product, the more rounding adds up in it."""

    name: str
    narrowing: bool = True
    embeddings: bool = True

    def takes(self, product: Product) -> bool:
        return self.narrowing or product.inputs <= product.outputs


QUANTIZATION_CONFIGS = (
    Recipe("all matrix products and the embeddings"),
    Recipe("all matrix products", embeddings=False),
    Recipe("all matrix products but those that narrow", narrowing=False, embeddings=False),
)
"""Recipes to try one after the other: the fastest and smallest first, then those that keep more in float32."""


def quantize(fp32: Path, int8: Path, recipe: Recipe, ranges: Mapping[str, Range]) -> None:
    """Write the int8 form of a graph; ``ranges`` are `measure`'s. Inputs and outputs stay the same."""
    model = onnx.load(fp32)
    editor = _Editor(model.graph)
    for product in products(model.graph):
        if recipe.takes(product):
            editor.replace_product(product, ranges[product.node.input[0]])
    if recipe.embeddings:
        for node in [node for node in model.graph.node if editor.is_embedding(node)]:
            editor.replace_embedding(node)
    editor.finish()
    if not any(opset.domain == _MICROSOFT for opset in model.opset_import):
        model.opset_import.append(helper.make_opsetid(_MICROSOFT, 1))
    onnx.save(model, int8)


def measure(fp32: Path, feeds: Iterable[Feed]) -> dict[str, Range]:
    """Least and greatest number that enters each matrix product with a constant, over all ``feeds``."""
    model = onnx.load(fp32)
    names = list(dict.fromkeys(product.node.input[0] for product in products(model.graph)))
    extremes = [(operator, f"{operator} {name}", name) for name in names for operator in ("ReduceMin", "ReduceMax")]
    for operator, output, name in extremes:
        model.graph.node.append(helper.make_node(operator, [name], [output], keepdims=0))
        model.graph.output.append(helper.make_tensor_value_info(output, TensorProto.FLOAT, []))
    session = ort.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    del model
    rows = np.array([session.run([output for _, output, _ in extremes], dict(feed)) for feed in feeds])
    return dict(zip(names, zip(rows[:, ::2].min(axis=0), rows[:, 1::2].max(axis=0), strict=True), strict=True))


def products(graph: GraphProto) -> list[Product]:
    """All matrix products of a tensor with a constant matrix, in the graph's order."""
    constants = {tensor.name: tensor for tensor in graph.initializer}
    users = _users(graph)
    found = []
    for node in graph.node:
        if node.op_type == "MatMul" and len(constants.get(node.input[1], _SCALAR).dims) == 2:
            inputs, outputs = constants[node.input[1]].dims
            found.append(Product(node, _bias(node, users, constants), inputs, outputs))
    return found


def _bias(
    node: NodeProto, users: Mapping[str, Sequence[NodeProto]], constants: Mapping[str, TensorProto]
) -> NodeProto | None:
    """The addition of a constant vector that alone uses a product's result."""
    following = users[node.output[0]]
    if len(following) != 1 or following[0].op_type != "Add":
        return None
    vectors = [name for name in following[0].input if name in constants and len(constants[name].dims) == 1]
    return following[0] if len(vectors) == 1 else None


def _users(graph: GraphProto) -> dict[str, list[NodeProto]]:
    users: dict[str, list[NodeProto]] = defaultdict(list)
    for node in graph.node:
        for name in node.input:
            users[name].append(node)
    return users


_MICROSOFT = "com.microsoft"
_SCALAR = TensorProto()


class _Editor:
    """Replaces nodes of a graph, and writes the graph anew at the end."""

    def __init__(self, graph: GraphProto) -> None:
        self._graph = graph
        self._constants = {tensor.name: tensor for tensor in graph.initializer}
        self._instead: dict[str, list[NodeProto]] = {}
        self._quantized: set[str] = set()

    def replace_product(self, product: Product, measured: Range) -> None:
        node, bias = product.node, product.bias
        x, matrix = node.input
        before = []
        if x not in self._quantized:
            before = [helper.make_node("QuantizeLinear", [x, f"{x} scale", f"{x} zero"], [f"{x} uint8"])]
            self._quantize_input(x, measured)
        if f"{matrix} int8" not in self._constants:
            weights, scales = _per_channel(numpy_helper.to_array(self._constants[matrix]))
            self._add(f"{matrix} int8", weights)
            self._add(f"{matrix} scale", scales)
        vector = next((name for name in bias.input if name in self._constants), "") if bias else ""
        names = [f"{x} uint8", f"{matrix} int8", f"{x} scale", f"{matrix} scale", f"{x} zero", "", vector]
        result = (bias or node).output[0]
        self._instead[node.output[0]] = [
            *before,
            helper.make_node("MatMulIntegerToFloat", names, [result], domain=_MICROSOFT, name=node.name),
        ]
        if bias:
            self._instead[bias.output[0]] = []

    def is_embedding(self, node: NodeProto) -> bool:
        table = self._constants.get(node.input[0]) if node.op_type == "Gather" else None
        if table is None or table.data_type != TensorProto.FLOAT or len(table.dims) != 2:
            return False
        return table.dims[0] * table.dims[1] >= _SMALL

    def replace_embedding(self, node: NodeProto) -> None:
        table, ids = node.input
        if f"{table} int8" not in self._constants:
            rows, scales = _per_channel(numpy_helper.to_array(self._constants[table]).T)
            self._add(f"{table} int8", np.ascontiguousarray(rows.T))
            self._add(f"{table} scale", scales[:, None])
        result = node.output[0]
        self._instead[result] = [
            helper.make_node("Gather", [f"{table} int8", ids], [f"{result} rows"]),
            helper.make_node("Cast", [f"{result} rows"], [f"{result} float"], to=TensorProto.FLOAT),
            helper.make_node("Gather", [f"{table} scale", ids], [f"{result} row scale"]),
            helper.make_node("Mul", [f"{result} float", f"{result} row scale"], [result], name=node.name),
        ]

    def finish(self) -> None:
        """Put the new nodes in, and leave out the constants that nothing uses any more."""
        nodes = [new for node in self._graph.node for new in self._instead.get(node.output[0], [node])]
        used = {name for node in nodes for name in node.input}
        del self._graph.node[:]
        self._graph.node.extend(nodes)
        kept = [tensor for name, tensor in self._constants.items() if name in used]
        del self._graph.initializer[:]
        self._graph.initializer.extend(kept)

    def _quantize_input(self, x: str, measured: Range) -> None:
        low, high = min(measured[0], 0.0), max(measured[1], 0.0)
        scale = (high - low) / 255 or 1.0
        self._quantized.add(x)
        self._add(f"{x} scale", np.array(scale, dtype=np.float32))
        self._add(f"{x} zero", np.array(round(-low / scale), dtype=np.uint8))

    def _add(self, name: str, values: NDArray[np.generic]) -> None:
        self._constants[name] = numpy_helper.from_array(values, name)


def _per_channel(weights: NDArray[np.float32]) -> tuple[NDArray[np.int8], NDArray[np.float32]]:
    """Round a matrix to whole numbers in [-127, 127], and the scale of each of its columns."""
    scales = np.abs(weights).max(axis=0) / 127
    scales[scales == 0] = 1.0
    return np.rint(weights / scales).astype(np.int8), scales.astype(np.float32)
