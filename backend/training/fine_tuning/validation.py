"""Scores a model in training on the validation set, as serving would."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from transformers import PreTrainedModel

from backend.evaluation.evaluate import by_task, score
from backend.inference.decode import Ints, Viterbi
from backend.training.fine_tuning.devices import Devices
from backend.training.fine_tuning.emissions import Emissions
from backend.training.fine_tuning.examples import IGNORED, Collator, Examples
from converters.bio import starts, tag_set, transitions
from converters.tagged import UNKNOWN


@dataclass(frozen=True, slots=True)
class ValidationScore:
    """Strict entity F1 of whole words after Viterbi decoding, and mean loss in nats a word."""

    f1: float
    loss: float

    def __gt__(self, other: ValidationScore) -> bool:
        """Whether it is better: a higher F1 or, with the same F1, a lower loss."""
        return (self.f1, -self.loss) > (other.f1, -other.loss)


class Validation:
    """The validation set, ready to be scored several times; it has at least one window."""

    def __init__(self, held_out: Examples, labels: Sequence[str], devices: Devices, collate: Collator) -> None:
        self._emissions = Emissions(held_out, labels, devices, collate)
        self._tags = tag_set(labels)
        self._viterbi = Viterbi(transitions(self._tags), starts(self._tags))
        self._tasks = held_out.tasks
        self._gold = by_task(self._tasks, map(self._names, held_out.gold))

    def score(self, model: PreTrainedModel) -> ValidationScore:
        """Score the model; it is in evaluation mode meanwhile."""
        scores = self._emissions.by_window(model)
        pairs = zip(scores, self._emissions.gold, strict=True)
        of_gold = np.concatenate([rows[gold >= 0, gold[gold >= 0]] for rows, gold in pairs])
        decoded = self._viterbi.decode(self._emissions.by_document(scores))
        predicted = by_task(self._tasks, map(self._names, decoded))
        loss = float(-of_gold.mean()) if of_gold.size else 0.0
        return ValidationScore(f1=score(self._gold, predicted).f1, loss=loss)

    def _names(self, ids: Ints) -> list[str]:
        return [UNKNOWN if tag == IGNORED else self._tags[tag] for tag in ids]
