"""How good a model in training is on the validation documents, scored as serving would."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from transformers import PreTrainedModel

from backend.evaluation.evaluate import score
from backend.inference.decode import Viterbi
from backend.training.devices import Devices
from backend.training.emissions import Emissions
from backend.training.examples import Collator, Examples
from converters.bio import starts, tag_set, transitions


@dataclass(frozen=True, slots=True)
class Score:
    """Strict entity F1 of whole words after Viterbi decoding, and mean loss in nats a word."""

    f1: float
    loss: float

    def __gt__(self, other: Score) -> bool:
        """Better: by F1, and between equal ones by the loss."""
        return (self.f1, -self.loss) > (other.f1, -other.loss)


class Validation:
    """The validation documents, ready to be scored again and again; there is at least one window."""

    def __init__(self, held_out: Examples, labels: Sequence[str], devices: Devices, collate: Collator) -> None:
        self._emissions = Emissions(held_out, labels, devices, collate)
        self._tags = tag_set(labels)
        self._viterbi = Viterbi(transitions(self._tags), starts(self._tags))
        self._gold = [[self._tags[tag] for tag in tags] for tags in held_out.gold]

    def score(self, model: PreTrainedModel) -> Score:
        """Score the model, which is put into evaluation mode meanwhile."""
        scores = self._emissions.of_windows(model)
        pairs = zip(scores, self._emissions.gold, strict=True)
        chosen = np.concatenate([rows[np.arange(len(rows)), gold] for rows, gold in pairs])
        found = [[self._tags[tag] for tag in ids] for ids in self._viterbi.decode(self._emissions.of_documents(scores))]
        return Score(f1=score(self._gold, found).f1, loss=float(-chosen.mean()) if chosen.size else 0.0)
