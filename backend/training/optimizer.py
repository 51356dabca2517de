"""AdamW with a learning rate for each depth of the encoder."""

from __future__ import annotations

import re
from collections import defaultdict

import torch
from torch import nn
from transformers import PreTrainedModel

LAYER_DECAY = 0.8
"""A layer's learning rate, as a fraction of that of the layer above it: what lies deep is general already."""

MAX_GRADIENT = 1.0
"""Norm to which longer gradients are cut."""

_NARROW = 512
_LAYER = re.compile(r"\.(?:layers?|h|block)\.(\d+)\.")


def peak_lr(model: PreTrainedModel) -> float:
    """Peak learning rate that suits a model: 5e-4 where it is at most 512 wide, as the embedded encoder, else 5e-5."""
    width = getattr(model.config, "hidden_size", _NARROW + 1)
    return 5e-4 if width <= _NARROW else 5e-5


class Optimizer:
    """Updates a model's trainable parameters; ``rate`` is the peak of the head's learning rate."""

    def __init__(self, model: PreTrainedModel, *, rate: float, weight_decay: float) -> None:
        self._adamw = torch.optim.AdamW(_groups(model, rate, weight_decay), lr=rate, fused=True)
        self._peaks = [group["lr"] for group in self._adamw.param_groups]
        self.parameters: list[nn.Parameter] = [each for group in self._adamw.param_groups for each in group["params"]]

    def step(self, factor: float) -> None:
        """Cut the gradients, update with ``factor`` times the peak rates, and forget the gradients."""
        gradients = [each.grad for each in self.parameters if each.grad is not None]
        norm = nn.utils.get_total_norm(gradients, foreach=True)
        if norm.is_cuda or norm > MAX_GRADIENT:  # a GPU would have to be waited for
            nn.utils.clip_grads_with_norm_(self.parameters, MAX_GRADIENT, norm, foreach=True)
        for group, peak in zip(self._adamw.param_groups, self._peaks, strict=True):
            group["lr"] = peak * factor
        self._adamw.step()
        self.forget()

    def forget(self) -> None:
        """Drop the gradients."""
        self._adamw.zero_grad(set_to_none=True)


def _groups(model: PreTrainedModel, rate: float, weight_decay: float) -> list[dict[str, object]]:
    """Parameters by learning rate and weight decay, which biases, normalisations and embeddings do without."""
    embedding = {id(each) for module in _embeddings(model) for each in module.parameters()}
    layers = 1 + max((_depth(name) for name, _ in model.named_parameters()), default=-1)
    groups: dict[tuple[float, float], list[nn.Parameter]] = defaultdict(list)
    for name, parameter in model.named_parameters():
        if not parameter.requires_grad:
            continue
        in_encoder = name.startswith(f"{model.base_model_prefix}.")
        below = layers - _depth(name) if in_encoder else 0  # the head 0, the top layer 1, embeddings layers + 1
        decay = 0.0 if parameter.ndim < 2 or id(parameter) in embedding else weight_decay
        groups[rate * LAYER_DECAY**below, decay].append(parameter)
    return [{"params": each, "lr": key[0], "weight_decay": key[1]} for key, each in groups.items()]


def _embeddings(model: PreTrainedModel) -> list[nn.Module]:
    return [
        module
        for name, module in model.named_modules()
        if isinstance(module, nn.Embedding) or name.endswith("embeddings") or module is model.get_input_embeddings()
    ]


def _depth(name: str) -> int:
    """Number of a parameter's layer, counted from 0 at the bottom; -1 for what lies below all layers."""
    found = _LAYER.search(name)
    return int(found[1]) if found else -1
