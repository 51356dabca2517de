from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from backend.errors import ModelError
from backend.inference.session import OnnxSession, log_softmax
from backend.inference.windows import Window

TABLE = np.array([[0, 0, 0], [1, 2, 3], [5, 0, 0], [0, 9, 0]], dtype=np.float32)


def make_graph(path: Path, *, inputs: tuple[str, ...] = ("input_ids",), table: np.ndarray = TABLE) -> Path:
    """A graph that looks each piece's logits up in a table."""
    declared = [helper.make_tensor_value_info(name, TensorProto.INT64, ["batch", "sequence"]) for name in inputs]
    output = helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch", "sequence", table.shape[1]])
    node = helper.make_node("Gather", ["table", inputs[0]], ["logits"])
    weights = helper.make_tensor("table", TensorProto.FLOAT, table.shape, table.flatten())
    graph = helper.make_graph([node], "lookup", declared, [output], [weights])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10), path)
    return path


def window(ids: list[int], positions: list[int]) -> Window:
    return Window(
        text=0, input_ids=np.array(ids), words=np.arange(len(positions)), positions=np.array(positions, dtype=np.int64)
    )


def test_scores_are_those_of_the_first_pieces(tmp_path: Path) -> None:
    session = OnnxSession(make_graph(tmp_path / "model.onnx"), threads=1)
    first, second = session.log_probabilities([window([1, 2, 3], [0, 2]), window([2], [0])])
    assert np.exp(first).sum(axis=1) == pytest.approx([1, 1])
    assert first.argmax(axis=1).tolist() == [2, 1]
    assert np.allclose(second, log_softmax(TABLE[[2]]))
    assert session.width == 3


@pytest.mark.parametrize(
    "inputs",
    [("input_ids",), ("input_ids", "attention_mask"), ("input_ids", "attention_mask", "token_type_ids")],
)
def test_only_declared_inputs_are_fed(tmp_path: Path, inputs: tuple[str, ...]) -> None:
    session = OnnxSession(make_graph(tmp_path / "model.onnx", inputs=inputs))
    assert len(session.log_probabilities([window([1], [0])])) == 1


def test_other_graph_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="no token classifier"):
        OnnxSession(make_graph(tmp_path / "model.onnx", inputs=("pixels",)))


def test_damaged_file_is_refused_in_one_line(tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(b"not a graph")
    with pytest.raises(ModelError, match=r"cannot be loaded") as caught:
        OnnxSession(path)
    assert "\n" not in str(caught.value)


def test_answers_that_are_no_numbers_are_refused(tmp_path: Path) -> None:
    session = OnnxSession(make_graph(tmp_path / "model.onnx", table=np.full((2, 3), np.nan, dtype=np.float32)))
    with pytest.raises(ModelError, match="not finite"):
        session.log_probabilities([window([1], [0])])
