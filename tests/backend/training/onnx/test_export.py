from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import numpy as np
import onnxruntime as ort
import pytest
import torch
from transformers import AutoModelForTokenClassification, AutoTokenizer, PreTrainedModel, pipeline

from backend.errors import TrainingError
from backend.training.base_model.encoder import quiet
from backend.training.onnx import export as module


@pytest.fixture(scope="module")
def model(version_folder: Path) -> PreTrainedModel:
    with quiet():
        model: PreTrainedModel = AutoModelForTokenClassification.from_pretrained(version_folder).eval()
    return model


@pytest.mark.parametrize(("rows", "length"), [(1, 1), (1, 512), (3, 17), (16, 2)])
def test_graph_answers_as_the_model_does(version_folder: Path, model: PreTrainedModel, rows: int, length: int) -> None:
    generator = np.random.default_rng(rows * length)
    input_ids = generator.integers(1000, 30_000, size=(rows, length))
    mask = (np.arange(length) < generator.integers(1, length + 1, size=(rows, 1))).astype(np.int64)
    with torch.no_grad():
        expected = model(input_ids=torch.tensor(input_ids), attention_mask=torch.tensor(mask)).logits.numpy()
    session = ort.InferenceSession(version_folder / "onnx" / "model.onnx", providers=["CPUExecutionProvider"])
    (logits,) = session.run(None, {"input_ids": input_ids, "attention_mask": mask})
    assert logits.shape == expected.shape
    assert np.abs(logits - expected)[mask.astype(bool)].max() < 1e-4


def test_folder_follows_the_hubs_conventions(version_folder: Path) -> None:
    names = {str(path.relative_to(version_folder)) for path in version_folder.rglob("*") if path.is_file()}
    assert names - {"onnx/model_quantized.onnx"} == {
        "README.md",
        "config.json",
        "metrics.json",
        "model.safetensors",
        "onnx/model.onnx",
        "snapshot.conll",
        "tokenizer.json",
        "tokenizer_config.json",
    }
    assert all(path.stat().st_mode & 0o044 == 0o044 for path in version_folder.rglob("*") if path.is_file())


def test_transformers_pipeline_opens_the_folder(version_folder: Path) -> None:
    with quiet():
        options: dict[str, Any] = {"task": "ner", "model": str(version_folder), "aggregation_strategy": "first"}
        recognise = pipeline(**options)
        entities = recognise("find me some Mexican food")
        recognise("find me some Mexican food " * 300)
    assert [(entity["entity_group"], entity["start"], entity["end"]) for entity in entities] == [("Cuisine", 13, 20)]


def test_pieces_are_those_of_the_saved_tokenizer(version_folder: Path) -> None:
    tokenizer = AutoTokenizer.from_pretrained(version_folder)
    assert tokenizer.model_max_length == 512
    assert tokenizer.backend_tokenizer.truncation is None


def test_wrong_graph_is_refused(model: PreTrainedModel, version_folder: Path) -> None:
    bias = cast(Any, model).classifier.bias
    with torch.no_grad():
        bias += 1.0
    try:
        with pytest.raises(TrainingError, match="answers differently"):
            module._verify(model, version_folder / "onnx" / "model.onnx")
    finally:
        with torch.no_grad():
            bias -= 1.0
