"""The tag probabilities that a model in training gives to the words of documents, computed as serving does."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from transformers import PreTrainedModel

from backend.inference.batches import length_sorted
from backend.inference.decode import Floats, Ints, gather, restrict
from backend.inference.session import log_softmax
from backend.training.fine_tuning.devices import Devices
from backend.training.fine_tuning.examples import Collator, Examples
from converters.bio import OUTSIDE, tag_set

_PIECES = 8192


class Emissions:
    """Documents in batches, to be scored several times, by one model or by several.

    ``gold`` holds, for each window, the tag ids of the words it decides, `IGNORED` where none is known.
    """

    def __init__(self, examples: Examples, labels: Sequence[str], devices: Devices, collate: Collator) -> None:
        self._devices = devices
        self._windows = examples.windows
        self._sizes = [len(tags) for tags in examples.gold]
        self._tags = tag_set(labels)
        self._positions = examples.positions
        self._allowed = examples.allowed
        self.gold: list[Ints] = [examples.gold[document][words] for document, words in examples.windows]
        self._groups = list(length_sorted([len(item["labels"]) for item in examples.items], budget=_PIECES))
        self._batches = [collate([examples.items[index] for index in group]) for group in self._groups]

    @torch.no_grad()
    def by_window(self, model: PreTrainedModel) -> list[Floats]:
        """For each window, the log-probabilities of the words it decides: shape (words, tags).

        Where a text offers some of the labels only, no other tag is possible. The model is in evaluation mode
        meanwhile.
        """
        scores: list[Floats] = [np.empty(0, dtype=np.float32)] * len(self._positions)
        training = model.training
        model.eval()
        for group, batch in zip(self._groups, self._batches, strict=True):
            inputs = {name: batch[name].to(self._devices.device) for name in ("input_ids", "attention_mask")}
            with self._devices.autocast():
                logits = model(**inputs).logits.float().cpu().numpy()
            for row, index in enumerate(group):
                scores[index] = log_softmax(logits[row, self._positions[index]])
                allowed = self._allowed[self._windows[index][0]]
                if allowed is not None:
                    scores[index] = restrict(scores[index], allowed)
        model.train(training)
        return scores

    def by_document(self, scores: Sequence[Floats]) -> list[Floats]:
        """The scores of `by_window` put together: for each document, those of all its words, shape (words, tags)."""
        outside, tags = self._tags.index(OUTSIDE), len(self._tags)
        return gather(self._windows, scores, sizes=self._sizes, outside=outside, tags=tags)
