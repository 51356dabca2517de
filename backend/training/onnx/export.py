"""A trained model becomes the files of a version, laid out as on the Hugging Face hub."""

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
"""Rounding differs by 1e-5 or so; a wrong graph by whole numbers."""


def export(model: PreTrainedModel, tokenizer: PreTrainedTokenizerFast, folder: Path) -> None:
    """Write ``config.json``, ``model.safetensors``, the tokenizer's files and ``onnx/model.onnx`` into ``folder``.

    The graph takes ``input_ids`` and ``attention_mask`` of shape (batch, sequence), both int64 and of any size, and
    answers ``logits`` of shape (batch, sequence, tags) in float32. ``transformers.pipeline("ner", model=folder)``
    opens the same folder.
    """
    on_cpu = copy.deepcopy(model).cpu().float().eval()
    folder.mkdir(parents=True, exist_ok=True)
    with quiet():
        on_cpu.save_pretrained(folder, safe_serialization=True)
        tokenizer.save_pretrained(folder)
    # Written readable by their owner only, while a web server may run as somebody else.
    (folder / "model.safetensors").chmod(0o644)
    export_onnx(on_cpu, folder / ONNX_FILE)


def export_onnx(model: PreTrainedModel, path: Path) -> None:
    """Write a model that is on the CPU and in evaluation mode as one ONNX file, weights included (below 2 GB)."""
    path.parent.mkdir(parents=True, exist_ok=True)
    # Two texts of several pieces: a size of one would be taken for a constant. Two tensors, or the exporter would
    # take both inputs for one.
    input_ids, attention_mask = torch.full((2, 8), 5), torch.ones((2, 8), dtype=torch.long)
    attention_mask[1, 6:] = 0
    sizes = {0: torch.export.Dim.DYNAMIC, 1: torch.export.Dim.DYNAMIC}
    # Written out, attention is half as many nodes as the fused function falls into: a sixth less time for one text.
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
    """Compare the graph with the model on texts of another number and length than it was exported with."""
    input_ids = torch.arange(3 * 11).reshape(3, 11) % model.config.vocab_size
    attention_mask = (torch.arange(11) < torch.tensor([[11], [7], [2]])).long()
    with torch.no_grad():
        expected = model(input_ids=input_ids, attention_mask=attention_mask).logits.numpy()
    session = ort.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    (found,) = session.run(None, {"input_ids": input_ids.numpy(), "attention_mask": attention_mask.numpy()})
    seen = attention_mask.numpy().astype(bool)
    difference = float(np.abs(found - expected)[seen].max())
    if not difference <= _TOLERANCE:  # also where it is not a number
        raise TrainingError(
            f"The ONNX export of this {model.config.model_type} model answers differently from the model itself "
            f"(logits differ by {difference:.2g}): choose another BASELINE_MODEL_NAME."
        )


class _Logits(nn.Module):
    """A classifier whose signature is the graph's."""

    def __init__(self, model: PreTrainedModel) -> None:
        super().__init__()
        self.model = model

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
        logits: torch.Tensor = self.model(input_ids=input_ids, attention_mask=attention_mask).logits
        return logits


@contextlib.contextmanager
def _silence() -> Iterator[None]:
    """The exporter prints its steps and warns about its own internals; neither is news to anyone here."""
    disabled = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(disabled)
