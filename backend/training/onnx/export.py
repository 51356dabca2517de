"""Writes a trained model in the layout of the Hugging Face Hub, with an ONNX graph."""

from __future__ import annotations

import contextlib
import copy
import io
import logging
import warnings
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import onnxruntime as ort
import torch
from torch import nn
from transformers import PreTrainedModel, PreTrainedTokenizerFast

from backend.errors import TrainingError
from backend.inference.tagger import ONNX_FILE
from backend.training.base_model.encoder import quiet

_OPSET = 20

_TOLERANCE = 1e-2
"""Largest difference of a logit: rounding differs by about 1e-5, a wrong graph by whole numbers."""


def export(model: PreTrainedModel, tokenizer: PreTrainedTokenizerFast, folder: Path) -> None:
    """Write ``config.json``, ``model.safetensors``, the tokenizer's files and ``onnx/model.onnx`` into ``folder``.

    The graph's inputs are ``input_ids`` and ``attention_mask`` of shape (batch, sequence), int64, of any size; its
    output is ``logits`` of shape (batch, sequence, tags), float32. ``transformers.pipeline("ner", model=folder)`` opens
    the folder too. Raises `TrainingError` if graph and model differ.
    """
    on_cpu = copy.deepcopy(model).cpu().float().eval()
    folder.mkdir(parents=True, exist_ok=True)
    with quiet():
        on_cpu.save_pretrained(folder, safe_serialization=True)
        tokenizer.save_pretrained(folder)
    # safetensors makes the file readable by its owner only; the web server may run as another user.
    (folder / "model.safetensors").chmod(0o644)
    export_onnx(on_cpu, folder / ONNX_FILE)


def export_onnx(model: PreTrainedModel, path: Path) -> None:
    """Write a model that is on the CPU and in evaluation mode as one ONNX file, weights included (below 2 GB)."""
    path.parent.mkdir(parents=True, exist_ok=True)
    # The exporter treats a size of 1 as a constant, and two equal tensors as the same input.
    input_ids, attention_mask = torch.full((2, 8), 5), torch.ones((2, 8), dtype=torch.long)
    attention_mask[1, 6:] = 0
    sizes = {0: torch.export.Dim.DYNAMIC, 1: torch.export.Dim.DYNAMIC}
    # Eager attention exports to half as many nodes as the fused function: a sixth less time for one text.
    attention = model.config._attn_implementation
    model.set_attn_implementation("eager")
    with _silence(), torch.no_grad():
        torch.onnx.export(
            _Logits(model),
            (input_ids, attention_mask),
            path,
            input_names=["input_ids", "attention_mask"],
            output_names=["logits"],
            dynamic_shapes=(sizes, sizes),
            opset_version=_OPSET,
            dynamo=True,
            external_data=False,
            verbose=False,
        )
    model.set_attn_implementation(attention)
    _verify(model, path)


def _verify(model: PreTrainedModel, path: Path) -> None:
    """Compare graph and model on inputs of another shape than those of the export; raise `TrainingError`."""
    input_ids = torch.arange(3 * 11).reshape(3, 11) % model.config.vocab_size
    attention_mask = (torch.arange(11) < torch.tensor([[11], [7], [2]])).long()
    with torch.no_grad():
        expected = model(input_ids=input_ids, attention_mask=attention_mask).logits.numpy()
    session = ort.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    (logits,) = session.run(None, {"input_ids": input_ids.numpy(), "attention_mask": attention_mask.numpy()})
    attended = attention_mask.numpy().astype(bool)
    difference = float(np.abs(logits - expected)[attended].max())
    if not difference <= _TOLERANCE:  # also true for NaN
        raise TrainingError(
            f"The ONNX export of this {model.config.model_type} model answers differently from the model itself "
            f"(logits differ by {difference:.2g}): choose another BASELINE_MODEL_NAME."
        )


class _Logits(nn.Module):
    """The model with the inputs and the output of the graph only."""

    def __init__(self, model: PreTrainedModel) -> None:
        super().__init__()
        self.model = model

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
        logits: torch.Tensor = self.model(input_ids=input_ids, attention_mask=attention_mask).logits
        return logits


@contextlib.contextmanager
def _silence() -> Iterator[None]:
    """Suppress what the exporter prints, and its warnings about its own internals."""
    disabled = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(disabled)
