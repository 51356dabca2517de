"""Trains only those rows of the embedding table that the texts use."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import torch
from torch import nn
from transformers import PreTrainedModel


@contextmanager
def compact_embeddings(model: PreTrainedModel, used: Iterable[int]) -> Iterator[None]:
    """Inside, ``model`` embeds only the word pieces with the ids ``used``; afterwards its whole table holds what they
    learnt.

    Half of a small encoder is its embedding table, and a corpus uses a tenth of that: no gradient, no optimiser state
    and no step for the rest. The result is the same, because rows that no text uses get no gradient, and embeddings
    no weight decay. A model whose table cannot be replaced is trained as it is.
    """
    full = model.get_input_embeddings()
    if type(full) is not nn.Embedding or any(full.weight is other for other in _others(model, full)):
        yield
        return
    padding = () if full.padding_idx is None else (full.padding_idx,)
    small = _CompactEmbedding(full, sorted({*used, *padding}))
    model.set_input_embeddings(small)
    try:
        yield
    finally:
        with torch.no_grad():
            full.weight[small.rows] = small.weight
        model.set_input_embeddings(full)


def _others(model: PreTrainedModel, table: nn.Embedding) -> Iterator[torch.Tensor]:
    """Weights of other modules, one of which may be tied to the table."""
    for module in model.modules():
        if module is not table:
            yield from module.parameters(recurse=False)


class _CompactEmbedding(nn.Module):
    """Some rows of an embedding, asked for by the ids of the whole table."""

    def __init__(self, full: nn.Embedding, ids: list[int]) -> None:
        super().__init__()
        device = full.weight.device
        self.rows = torch.tensor(ids, device=device)
        self.weight = nn.Parameter(full.weight.detach()[self.rows])
        self._places = torch.zeros(full.num_embeddings, dtype=torch.long, device=device)
        self._places[self.rows] = torch.arange(len(ids), device=device)
        self.padding_idx = None if full.padding_idx is None else ids.index(full.padding_idx)

    def forward(self, input_ids: torch.Tensor) -> torch.Tensor:
        return nn.functional.embedding(self._places[input_ids], self.weight, padding_idx=self.padding_idx)
