from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper

from backend.errors import ModelError
from backend.inference import session as module
from backend.inference.session import Device, OnnxSession, cuda_available, int8_is_exact, log_softmax
from backend.inference.windows import Window
from tests.devices import DEVICES

TABLE = np.array([[0, 0, 0], [1, 2, 3], [5, 0, 0], [0, 9, 0]], dtype=np.float32)


def make_graph(path: Path, *, inputs: tuple[str, ...] = ("input_ids",), table: NDArray[np.float32] = TABLE) -> Path:
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


@pytest.mark.parametrize("device", DEVICES)
def test_scores_are_those_of_the_first_pieces(tmp_path: Path, device: Device) -> None:
    session = OnnxSession(make_graph(tmp_path / "model.onnx"), threads=1, device=device)
    assert session.on_gpu == (device == "cuda")
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
    with pytest.raises(ModelError, match="not a token classifier"):
        OnnxSession(make_graph(tmp_path / "model.onnx", inputs=("pixels",)))


def test_damaged_file_is_refused_in_one_line(tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(b"not a graph")
    with pytest.raises(ModelError, match=r"cannot be loaded") as caught:
        OnnxSession(path)
    assert "\n" not in str(caught.value)


def test_scores_that_are_not_finite_are_refused(tmp_path: Path) -> None:
    session = OnnxSession(make_graph(tmp_path / "model.onnx", table=np.full((2, 3), np.nan, dtype=np.float32)))
    with pytest.raises(ModelError, match="not finite"):
        session.log_probabilities([window([1], [0])])


@pytest.mark.skipif(cuda_available(), reason="this ONNX Runtime has CUDA")
def test_cuda_without_its_provider_is_refused_with_the_remedy(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="onnxruntime-gpu"):
        OnnxSession(make_graph(tmp_path / "model.onnx"), device="cuda")


@pytest.mark.skipif(cuda_available(), reason="this ONNX Runtime has CUDA")
def test_no_provider_no_warning(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    assert not OnnxSession(make_graph(tmp_path / "model.onnx"), device="auto").on_gpu
    assert not caplog.records


@pytest.mark.skipif(cuda_available(), reason="this ONNX Runtime has CUDA")
@pytest.mark.filterwarnings("ignore:Specified provider")
def test_cuda_without_a_driver_falls_back_once_with_a_warning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(module, "cuda_available", lambda: True)
    module._warn_once.cache_clear()
    path = make_graph(tmp_path / "model.onnx")
    for _ in range(2):
        assert not OnnxSession(path, device="auto").on_gpu
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert "onnxruntime-gpu" in caplog.text
    with pytest.raises(ModelError, match="DEVICE=cpu"):
        OnnxSession(path, device="cuda")


@pytest.mark.parametrize(
    ("machine", "flags", "exact"),
    [
        ("x86_64", "fpu avx512_vnni", True),
        ("x86_64", "fpu avx_vnni", True),
        ("x86_64", "fpu avx2 avx512f", False),
        ("AMD64", None, False),
        ("aarch64", None, True),
        ("arm64", "fp asimd", True),
    ],
)
def test_int8_is_exact_where_the_processor_does_not_overflow(
    machine: str, flags: str | None, exact: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module.platform, "machine", lambda: machine)
    if flags is not None:
        (tmp_path / "proc").mkdir()
        (tmp_path / "proc" / "cpuinfo").write_text(f"processor\t: 0\nflags\t\t: {flags}\n")
    assert int8_is_exact(root=tmp_path) is exact
