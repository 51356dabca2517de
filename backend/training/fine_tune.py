"""Fine-tuning: a base model, or the current version, learns the labelled documents."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from itertools import count, islice
from pathlib import Path
from typing import Any

import torch
from accelerate.utils import set_seed
from accelerate.utils.memory import clear_device_cache, should_reduce_batch_size
from torch.nn.functional import cross_entropy
from transformers import PreTrainedModel, PreTrainedTokenizerFast

from backend.recipe import Recipe
from backend.training.acceleration.dropout import quick_dropout
from backend.training.acceleration.embeddings import compact_embeddings
from backend.training.average import Average
from backend.training.base_model.encoder import has_learnt, load_classifier
from backend.training.devices import Devices
from backend.training.examples import IGNORED, Collator, Example, make_examples
from backend.training.optimizer import LAYER_DECAY, Optimizer, peak_lr
from backend.training.schedule import (
    FIRST_EVALUATION,
    MAX_EVALUATION_STEPS,
    WARMUP,
    default_epochs,
    epoch_batches,
    lr_factor,
)
from backend.training.validation import Score, Validation
from converters.document import Document

LABEL_SMOOTHING = 0.1
"""Probability that training gives to all tags alike, which keeps the model from learning doubtful labels by heart
(Szegedy et al. 2016, doi:10.1109/CVPR.2016.308)."""


@dataclass(frozen=True, slots=True)
class EvaluationStep:
    """What training looked like after ``epoch`` passes: mean loss in nats a word since the last lap, and the score on
    the validation documents, if it was asked for."""

    epoch: float
    loss: float
    validation: Score | None


def fine_tune(
    train: Sequence[Document],
    validation: Sequence[Document],
    *,
    labels: Sequence[str],
    recipe: Recipe,
    progress: Callable[[float], None],
    start: Path | None = None,
) -> tuple[PreTrainedModel, PreTrainedTokenizerFast, dict[str, Any]]:
    """Train a token classifier; return it in evaluation mode, its tokenizer and what was actually done.

    It goes on from the version in the folder ``start``, or begins with ``recipe.base``. What is returned is a running
    average of the weights: with validation documents, as it was at the look with the best entity F1 on them, ties going
    to the lower loss; without, or where training is too short for several looks, at the end. ``progress`` is called
    with the fraction done; whatever it raises stops training and is passed on. On the CPU the same seed gives the same
    model. Under ``accelerate launch`` all processes call this with the same arguments, share each batch and end with
    the same weights.
    """
    set_seed(recipe.seed)
    model, tokenizer = load_classifier(recipe.base, labels, start=start)
    examples = make_examples(train, labels=labels, tokenizer=tokenizer)
    held_out = make_examples(validation, labels=labels, tokenizer=tokenizer)
    devices = Devices.found()
    collate = Collator(pad_id=tokenizer.pad_token_id or 0)
    with ExitStack() as stack:
        torch.nn.Module.to(model, devices.device)
        stack.callback(torch.nn.Module.to, model, "cpu")
        stack.enter_context(compact_embeddings(model, _pieces([*examples.items, *held_out.items])))
        judge = Validation(held_out, labels, devices, collate) if held_out.items else None
        stack.enter_context(quick_dropout(model))
        warm = start is not None and has_learnt(start, labels)
        training = _Training(model, examples.items, judge, recipe=recipe, devices=devices, collate=collate, warm=warm)
        training.carry_out(progress)
    info = {
        "start": start.name if start else None,
        "examples": len(examples.items),
        "epochs": training.epochs,
        "steps": training.steps,
        "learning_rate": training.rate,
        "layer_decay": LAYER_DECAY,
        "label_smoothing": LABEL_SMOOTHING,
        "warm_up": WARMUP,
        "evaluation_steps": [asdict(lap) for lap in training.evaluation_steps],
        "chosen": training.chosen,
        "device": devices.name,
        "processes": devices.processes,
        "precision": devices.precision,
    }
    return model.eval(), tokenizer, info


def _pieces(items: Sequence[Example]) -> set[int]:
    return {piece for item in items for piece in item["input_ids"]}


class _Training:
    """The optimiser steps of one run over one model, whose weights they change.

    ``evaluation_steps`` tells what was seen on the way, ``chosen`` the epoch whose weights were kept.
    """

    def __init__(
        self,
        model: PreTrainedModel,
        items: Sequence[Example],
        judge: Validation | None,
        *,
        recipe: Recipe,
        devices: Devices,
        collate: Collator,
        warm: bool,
    ) -> None:
        self._model, self._items, self._judge = model, items, judge
        self._recipe, self._devices, self._collate = recipe, devices, collate
        self._lengths = [len(item["input_ids"]) for item in items]
        self._words = [sum(label != IGNORED for label in item["labels"]) for item in items]
        self._at_once = recipe.batch_size
        self.epochs = recipe.epochs or default_epochs(len(items), recipe.batch_size, warm=warm)
        self.rate = recipe.learning_rate or peak_lr(model)
        self.steps = max(1, round(self.epochs * len(self._epoch(0))))
        self.evaluation_steps: list[EvaluationStep] = []
        self.chosen = self.epochs

    def carry_out(self, progress: Callable[[float], None]) -> None:
        """Take all steps, looking at the validation documents on the way, and leave the best weights in the model."""
        optimizer = Optimizer(self._model, rate=self.rate, weight_decay=self._recipe.weight_decay)
        average = Average(optimizer.parameters, steps=self.steps)
        lap_length = math.ceil(self.steps / min(MAX_EVALUATION_STEPS, math.ceil(self.epochs)))
        ends = [step for step in range(1, self.steps + 1) if step % lap_length == 0 or step == self.steps]
        candidates = [step for step in ends if step > FIRST_EVALUATION * self.steps]
        loss, words = torch.zeros((), device=self._devices.device), 0
        best: tuple[Score, list[torch.Tensor]] | None = None
        self._model.train()
        for step, batch in enumerate(islice(self._batches(), self.steps), start=1):
            loss += self._gradients(batch, optimizer)
            words += sum(self._words[index] for index in batch)
            optimizer.step(lr_factor((step - 0.5) / self.steps))
            average.update()
            if step in ends:
                found = self._look(average) if len(candidates) > 1 and step in candidates else None
                mean_loss = self._devices.sum(loss) / max(words, 1)
                self.evaluation_steps.append(
                    EvaluationStep(round(self.epochs * step / self.steps, 2), mean_loss, found)
                )
                if found and (best is None or found > best[0]):
                    best, self.chosen = (found, average.copy()), self.evaluation_steps[-1].epoch
                loss, words = torch.zeros_like(loss), 0
            progress(step / self.steps)
        average.put(best[1] if best else average.copy())

    def _look(self, average: Average) -> Score | None:
        if self._judge is None:
            return None
        with average.applied():
            return self._judge.score(self._model)

    def _batches(self) -> Iterator[list[int]]:
        for epoch in count():
            yield from self._epoch(epoch)

    def _epoch(self, number: int) -> list[list[int]]:
        seed = f"{self._recipe.seed}-{number}"
        return epoch_batches(self._lengths, batch_size=self._recipe.batch_size, seed=seed)

    def _gradients(self, batch: Sequence[int], optimizer: Optimizer) -> torch.Tensor:
        """Leave the gradients of the mean loss a word of the whole batch; return this process's part of its sum.

        A batch that does not fit into the device's memory is computed in halves, from then on.
        """
        mine = self._devices.share(batch)
        while True:
            try:
                loss = self._backward(mine, words=sum(self._words[index] for index in batch))
            except RuntimeError as error:
                if not should_reduce_batch_size(error) or self._at_once == 1:
                    raise
            else:
                self._devices.sum_gradients(optimizer.parameters)
                return loss
            # Outside the handler, whose traceback would keep the tensors that filled the memory.
            self._at_once = math.ceil(min(self._at_once, len(mine)) / 2)
            optimizer.forget()
            clear_device_cache(garbage_collection=True)

    def _backward(self, batch: Sequence[int], *, words: int) -> torch.Tensor:
        total = torch.zeros((), device=self._devices.device)
        for start in range(0, len(batch), self._at_once):
            items = [self._items[index] for index in batch[start : start + self._at_once]]
            inputs = {name: each.to(self._devices.device) for name, each in self._collate(items).items()}
            targets = inputs.pop("labels").flatten()
            with self._devices.autocast():
                logits = self._model(**inputs).logits
            loss = cross_entropy(
                logits.float().flatten(0, 1),
                targets,
                ignore_index=IGNORED,
                reduction="sum",
                label_smoothing=LABEL_SMOOTHING,
            )
            (loss / max(words, 1)).backward()
            total += loss.detach()
        return total
