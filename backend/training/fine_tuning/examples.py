"""Turns tagged documents into training examples, with the same words and windows as in serving."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from transformers import PreTrainedTokenizerFast

from backend.inference.decode import Ints, Mask, tag_mask
from backend.inference.windows import WindowEncoder
from converters.bio import tag_set
from converters.tagged import UNKNOWN, TaggedDocument

IGNORED = -100
"""PyTorch's cross-entropy skips this label: later pieces of a word, special tokens, words decided by other windows, and
words of which no tag is known."""

Example = dict[str, list[int]]
"""``input_ids`` and ``labels`` of a window, and ``allowed`` where its text offers some of the labels only: of each tag,
whether its words may have it."""


@dataclass(frozen=True, slots=True)
class Examples:
    """Windows of documents with their labels.

    ``items`` are the ``input_ids`` and ``labels`` of each window. ``windows`` has, for each, the index of its document
    and the indices of the words it decides, ``positions`` their places in the window; ``gold`` has the tag ids of all
    words of each document, `IGNORED` where none is known, and ``tasks`` the task of each document. Where a document's
    text offers some of the labels only, ``allowed`` says of each tag whether its words may have it.
    """

    items: list[Example]
    windows: list[tuple[int, Ints]]
    positions: list[Ints]
    gold: list[Ints]
    tasks: list[str]
    allowed: list[Mask | None]


def window_encoder(tokenizer: PreTrainedTokenizerFast) -> WindowEncoder:
    """The same encoder as serving builds from the saved tokenizer."""
    return WindowEncoder(tokenizer.backend_tokenizer, max_length=tokenizer.model_max_length)


def make_examples(
    documents: Sequence[TaggedDocument], *, labels: Sequence[str], tokenizer: PreTrainedTokenizerFast
) -> Examples:
    """Turn documents into windows whose labels are tag ids on the first piece of each word they decide.

    All tags must be of ``labels``, or unknown. Each word is a label once, in however many windows it occurs.
    """
    tags = tag_set(labels)
    ids = {tag: index for index, tag in enumerate(tags)} | {UNKNOWN: IGNORED}
    gold = [np.array([ids[tag] for tag in document.tags], dtype=np.int64) for document in documents]
    windows = window_encoder(tokenizer).encode([[word.text for word in document.words] for document in documents])
    allowed = [None if document.labels is None else tag_mask(tags, document.labels) for document in documents]
    items: list[Example] = []
    for window in windows:
        target = np.full(len(window.input_ids), IGNORED, dtype=np.int64)
        target[window.positions] = gold[window.text][window.words]
        item = {"input_ids": window.input_ids.tolist(), "labels": target.tolist()}
        if (mask := allowed[window.text]) is not None:
            item["allowed"] = mask.tolist()
        items.append(item)
    return Examples(
        items=items,
        windows=[(window.text, window.words) for window in windows],
        positions=[window.positions for window in windows],
        gold=gold,
        tasks=[document.id for document in documents],
        allowed=allowed,
    )


@dataclass(frozen=True, slots=True)
class Collator:
    """Pads a batch of examples to its longest: ``input_ids`` with ``pad_id``, which the attention mask excludes."""

    pad_id: int

    def __call__(self, batch: Sequence[Example]) -> dict[str, torch.Tensor]:
        """Return ``input_ids``, ``attention_mask`` and ``labels``, each of shape (batch, longest).

        If any example's text offers some of the labels only, ``allowed`` is of shape (batch, 1, tags).
        """
        longest = max(len(item["input_ids"]) for item in batch)
        input_ids = torch.full((len(batch), longest), self.pad_id)
        attention_mask = torch.zeros((len(batch), longest), dtype=torch.long)
        labels = torch.full((len(batch), longest), IGNORED)
        for row, item in enumerate(batch):
            length = len(item["input_ids"])
            input_ids[row, :length] = torch.tensor(item["input_ids"])
            attention_mask[row, :length] = 1
            labels[row, :length] = torch.tensor(item["labels"])
        batch_tensors = {"input_ids": input_ids, "attention_mask": attention_mask, "labels": labels}
        masks = [item.get("allowed") for item in batch]
        if tags := next((len(mask) for mask in masks if mask), 0):
            batch_tensors["allowed"] = torch.tensor([mask or [True] * tags for mask in masks]).unsqueeze(1)
        return batch_tensors
