"""AdamW with a learning rate for each depth of the encoder."""

from __future__ import annotations

import re
from collections import defaultdict

import torch
from torch import nn
from transformers import PreTrainedModel

LAYER_DECAY = 0.8
"""A layer's learning rate as a fraction of the next higher layer's: lower layers are general and need less training."""

MAX_GRADIENT_NORM = 1.0
"""Gradients with a larger norm are scaled down to it."""

_NARROW = 512
_LAYER = re.compile(r"\.(?:layers?|h|block)\.(\d+)\.")


def peak_lr(model: PreTrainedModel) -> float:
    """Default peak learning rate: 5e-4 for a model at most 512 wide, as the embedded encoder is, else 5e-5."""
    width = getattr(model.config, "hidden_size", _NARROW + 1)
    return 5e-4 if width <= _NARROW else 5e-5


class Optimizer:
    """Updates a model's trainable parameters; ``peak_lr`` is that of the head."""

    def __init__(self, model: PreTrainedModel, *, peak_lr: float, weight_decay: float) -> None:
        self._adamw = torch.optim.AdamW(_groups(model, peak_lr, weight_decay), lr=peak_lr, fused=True)
        self._peaks = [group["lr"] for group in self._adamw.param_groups]
        self.parameters: list[nn.Parameter] = [
            parameter for group in self._adamw.param_groups for parameter in group["params"]
        ]

    def step(self, factor: float) -> None:
        """Clip the gradients, update with ``factor`` times the peak learning rates, and drop the gradients."""
        gradients = [parameter.grad for parameter in self.parameters if parameter.grad is not None]
        norm = nn.utils.get_total_norm(gradients, foreach=True)
        if norm.is_cuda or norm > MAX_GRADIENT_NORM:  # comparing the norm would wait for the GPU
            nn.utils.clip_grads_with_norm_(self.parameters, MAX_GRADIENT_NORM, norm, foreach=True)
        for group, peak in zip(self._adamw.param_groups, self._peaks, strict=True):
            group["lr"] = peak * factor
        self._adamw.step()
        self.zero_grad()

    def zero_grad(self) -> None:
        """Drop the gradients."""
        self._adamw.zero_grad(set_to_none=True)


def _groups(model: PreTrainedModel, peak_lr: float, weight_decay: float) -> list[dict[str, object]]:
    """Parameters by learning rate and weight decay; biases, normalisations and embeddings have no weight decay."""
    embedding = {id(parameter) for module in _embeddings(model) for parameter in module.parameters()}
    layers = 1 + max((_depth(name) for name, _ in model.named_parameters()), default=-1)
    groups: dict[tuple[float, float], list[nn.Parameter]] = defaultdict(list)
    for name, parameter in model.named_parameters():
        if not parameter.requires_grad:
            continue
        in_encoder = name.startswith(f"{model.base_model_prefix}.")
        below = layers - _depth(name) if in_encoder else 0  # the head 0, the top layer 1, embeddings layers + 1
        decay = 0.0 if parameter.ndim < 2 or id(parameter) in embedding else weight_decay
        groups[peak_lr * LAYER_DECAY**below, decay].append(parameter)
    return [{"params": parameters, "lr": lr, "weight_decay": decay} for (lr, decay), parameters in groups.items()]


def _embeddings(model: PreTrainedModel) -> list[nn.Module]:
    return [
        module
        for name, module in model.named_modules()
        if isinstance(module, nn.Embedding) or name.endswith("embeddings") or module is model.get_input_embeddings()
    ]


def _depth(name: str) -> int:
    """Number of a parameter's layer, counted from 0 at the bottom; -1 for embeddings and what else is below them."""
    match = _LAYER.search(name)
    return int(match[1]) if match else -1
