"""The tag probabilities that a model in training gives to the words of documents, computed as serving does."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from transformers import PreTrainedModel

from backend.inference.batches import length_sorted
from backend.inference.decode import Floats, Ints, gather
from backend.inference.session import log_softmax
from backend.training.fine_tuning.devices import Devices
from backend.training.fine_tuning.examples import IGNORED, Collator, Examples
from converters.bio import OUTSIDE, tag_set

_PIECES = 8192


class Emissions:
    """Documents in batches, to be scored several times, by one model or by several.

    ``gold`` holds, for each window, the tag ids of the words it decides.
    """

    def __init__(self, examples: Examples, labels: Sequence[str], devices: Devices, collate: Collator) -> None:
        self._devices = devices
        self._windows = examples.windows
        self._sizes = [len(tags) for tags in examples.gold]
        self._tags = tag_set(labels)
        targets = [np.array(item["labels"], dtype=np.int64) for item in examples.items]
        self._decides = [target != IGNORED for target in targets]
        self.gold: list[Ints] = [target[decides] for target, decides in zip(targets, self._decides, strict=True)]
        self._groups = list(length_sorted([len(target) for target in targets], budget=_PIECES))
        self._batches = [collate([examples.items[index] for index in group]) for group in self._groups]

    @torch.no_grad()
    def by_window(self, model: PreTrainedModel) -> list[Floats]:
        """For each window, the log-probabilities of the words it decides: shape (words, tags).

        The model is in evaluation mode meanwhile.
        """
        scores: list[Floats] = [np.empty(0, dtype=np.float32)] * len(self._decides)
        training = model.training
        model.eval()
        for group, batch in zip(self._groups, self._batches, strict=True):
            inputs = {name: batch[name].to(self._devices.device) for name in ("input_ids", "attention_mask")}
            with self._devices.autocast():
                logits = model(**inputs).logits.float().cpu().numpy()
            for row, index in enumerate(group):
                decides = self._decides[index]
                scores[index] = log_softmax(logits[row, : len(decides)][decides])
        model.train(training)
        return scores

    def by_document(self, scores: Sequence[Floats]) -> list[Floats]:
        """The scores of `by_window` put together: for each document, those of all its words, shape (words, tags)."""
        outside, tags = self._tags.index(OUTSIDE), len(self._tags)
        return gather(self._windows, scores, sizes=self._sizes, outside=outside, tags=tags)
