"""A trained model becomes the files of a version, laid out as on the Hugging Face hub."""

from __future__ import annotations

import contextlib
import copy
import io
import logging
import warnings
from collections.abc import Iterator
from pathlib import Path

import torch
from torch import nn
from transformers import PreTrainedModel, PreTrainedTokenizerFast

from backend.inference.tagger import ONNX_FILE
from backend.training.encoder import quiet

_OPSET = 20


def export(model: PreTrainedModel, tokenizer: PreTrainedTokenizerFast, folder: Path) -> None:
    """Write ``config.json``, ``model.safetensors``, the tokenizer's files and ``onnx/model.onnx`` into ``folder``.

    The graph takes ``input_ids`` and ``attention_mask`` of shape (batch, sequence), both int64 and of any size, and
    answers ``logits`` of shape (batch, sequence, tags) in float32. ``transformers.pipeline("ner", model=folder)``
    opens the same folder.
    """
    on_cpu = copy.deepcopy(model).to(device="cpu", dtype=torch.float32).eval()
    folder.mkdir(parents=True, exist_ok=True)
    with quiet():
        on_cpu.save_pretrained(folder, safe_serialization=True)
        tokenizer.save_pretrained(folder)
    export_onnx(on_cpu, folder / ONNX_FILE)


def export_onnx(model: PreTrainedModel, path: Path) -> None:
    """Write a model that is on the CPU and in evaluation mode as one ONNX file, weights included (below 2 GB)."""
    path.parent.mkdir(parents=True, exist_ok=True)
    # Two texts of several pieces: a size of one would be taken for a constant.
    example = torch.ones((2, 8), dtype=torch.long)
    sizes = {0: torch.export.Dim.DYNAMIC, 1: torch.export.Dim.DYNAMIC}
    with _silence(), torch.no_grad():
        torch.onnx.export(
            _Logits(model),
            (example, example),
            path,
            input_names=["input_ids", "attention_mask"],
            output_names=["logits"],
            dynamic_shapes=(sizes, sizes),
            opset_version=_OPSET,
            dynamo=True,
            external_data=False,
            verbose=False,
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
