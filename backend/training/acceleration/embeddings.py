"""Trains only the rows of the embedding table that occur in the texts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import torch
from torch import nn
from transformers import PreTrainedModel


@contextmanager
def compact_embeddings(model: PreTrainedModel, used: Iterable[int]) -> Iterator[None]:
    """Inside the block, ``model`` has an embedding table of the word pieces with the ids ``used`` only.

    At the end their trained rows are copied into the full table. Half of a small encoder is its embedding table, and a
    corpus uses a tenth of it: the other rows need no gradient, no optimiser state and no update. The result is the
    same, since rows that do not occur have no gradient, and embeddings no weight decay. A model whose table cannot be
    replaced (it is tied to another layer) is trained unchanged.
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
    """The weights of other modules; one may be tied to the table."""
    for module in model.modules():
        if module is not table:
            yield from module.parameters(recurse=False)


class _CompactEmbedding(nn.Module):
    """Some rows of an embedding table; inputs are ids of the full table."""

    def __init__(self, full: nn.Embedding, ids: list[int]) -> None:
        super().__init__()
        device = full.weight.device
        self.rows = torch.tensor(ids, device=device)
        self.weight = nn.Parameter(full.weight.detach()[self.rows])
        self._row_of = torch.zeros(full.num_embeddings, dtype=torch.long, device=device)
        self._row_of[self.rows] = torch.arange(len(ids), device=device)
        self.padding_idx = None if full.padding_idx is None else ids.index(full.padding_idx)

    def forward(self, input_ids: torch.Tensor) -> torch.Tensor:
        return nn.functional.embedding(self._row_of[input_ids], self.weight, padding_idx=self.padding_idx)
