"""Fine-tunes a token classifier: a base model, or an earlier version, learns the labelled documents."""

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
from torch.nn.functional import cross_entropy, log_softmax
from transformers import PreTrainedModel, PreTrainedTokenizerFast

from backend.recipe import Recipe
from backend.training.acceleration.dropout import quick_dropout
from backend.training.acceleration.embeddings import compact_embeddings
from backend.training.base_model.encoder import has_same_labels, load_classifier
from backend.training.fine_tuning.average import Average
from backend.training.fine_tuning.devices import Devices
from backend.training.fine_tuning.examples import IGNORED, Collator, Example, make_examples
from backend.training.fine_tuning.optimizer import LAYER_DECAY, Optimizer, peak_lr
from backend.training.fine_tuning.schedule import (
    FIRST_EVALUATION,
    MAX_EVALUATION_STEPS,
    WARMUP,
    default_epochs,
    epoch_batches,
    lr_factor,
)
from backend.training.fine_tuning.validation import Validation, ValidationScore
from converters.tagged import TaggedDocument

LABEL_SMOOTHING = 0.1
"""Share of the target probability that is spread over all tags, so that the model does not memorise doubtful labels
(Szegedy et al. 2016, doi:10.1109/CVPR.2016.308)."""


@dataclass(frozen=True, slots=True)
class EvaluationStep:
    """One point of the training curve, after ``epoch`` epochs.

    ``loss`` is the mean training loss in nats a word since the step before; ``validation`` is the score on the
    validation set, ``None`` if it was not computed at this step.
    """

    epoch: float
    loss: float
    validation: ValidationScore | None


def fine_tune(
    train: Sequence[TaggedDocument],
    validation: Sequence[TaggedDocument],
    *,
    labels: Sequence[str],
    recipe: Recipe,
    progress: Callable[[float], None],
    start: Path | None = None,
) -> tuple[PreTrainedModel, PreTrainedTokenizerFast, dict[str, Any]]:
    """Train a token classifier; return it in evaluation mode, its tokenizer, and the training's parameters and curve.

    Training continues from the version in the folder ``start``, or starts from ``recipe.base``. The returned weights
    are a running average. If there are validation documents and several evaluation steps with a score, they are those
    of the step with the best entity F1 (among equals, the lowest loss); otherwise those at the end. ``progress`` is
    called with the fraction done; an exception it raises stops training and is passed on. On the CPU the same seed
    gives the same model. Under ``accelerate launch`` all processes call this with the same arguments, compute a share
    of each batch, and end with the same weights.
    """
    set_seed(recipe.seed)
    model, tokenizer = load_classifier(recipe.base, labels, start=start)
    examples = make_examples(train, labels=labels, tokenizer=tokenizer)
    held_out = make_examples(validation, labels=labels, tokenizer=tokenizer)
    devices = Devices.detect()
    collate = Collator(pad_id=tokenizer.pad_token_id or 0)
    with ExitStack() as stack:
        torch.nn.Module.to(model, devices.device)
        stack.callback(torch.nn.Module.to, model, "cpu")
        stack.enter_context(compact_embeddings(model, _pieces([*examples.items, *held_out.items])))
        scorer = Validation(held_out, labels, devices, collate) if held_out.items else None
        stack.enter_context(quick_dropout(model))
        warm = start is not None and has_same_labels(start, labels)
        training = _Training(model, examples.items, scorer, recipe=recipe, devices=devices, collate=collate, warm=warm)
        training.run(progress)
    info = {
        "start": start.name if start else None,
        "examples": len(examples.items),
        "epochs": training.epochs,
        "steps": training.steps,
        "learning_rate": training.peak_lr,
        "layer_decay": LAYER_DECAY,
        "label_smoothing": LABEL_SMOOTHING,
        "warm_up": WARMUP,
        "evaluation_steps": [asdict(step) for step in training.evaluation_steps],
        "chosen": training.chosen_epoch,
        "device": devices.name,
        "processes": devices.processes,
        "precision": devices.precision,
    }
    return model.eval(), tokenizer, info


def _pieces(items: Sequence[Example]) -> set[int]:
    return {piece for item in items for piece in item["input_ids"]}


def summed_loss(logits: torch.Tensor, targets: torch.Tensor, allowed: torch.Tensor | None) -> torch.Tensor:
    """The cross-entropy of all words with a target, with label smoothing, summed.

    ``logits`` are of shape (batch, pieces, tags), ``targets`` of shape (batch, pieces). Where only some tags are
    ``allowed`` (shape (batch, 1, tags)), probabilities and smoothing are over these: nothing is learnt about others.
    """
    if allowed is None:
        return cross_entropy(
            logits.flatten(0, 1),
            targets.flatten(),
            ignore_index=IGNORED,
            reduction="sum",
            label_smoothing=LABEL_SMOOTHING,
        )
    scores = log_softmax(logits.masked_fill(~allowed, torch.finfo(logits.dtype).min), dim=-1).masked_fill(~allowed, 0.0)
    decided = targets != IGNORED
    of_target = scores.gather(-1, targets.clamp_min(0).unsqueeze(-1)).squeeze(-1)
    mean = scores.sum(dim=-1) / allowed.sum(dim=-1)
    return -((1 - LABEL_SMOOTHING) * of_target + LABEL_SMOOTHING * mean)[decided].sum()


class _Training:
    """The optimiser steps of one run; they change the weights of ``model``.

    ``chosen_epoch`` is the epoch whose weights were kept.
    """

    def __init__(
        self,
        model: PreTrainedModel,
        items: Sequence[Example],
        validation: Validation | None,
        *,
        recipe: Recipe,
        devices: Devices,
        collate: Collator,
        warm: bool,
    ) -> None:
        self._model, self._items, self._validation = model, items, validation
        self._recipe, self._devices, self._collate = recipe, devices, collate
        self._lengths = [len(item["input_ids"]) for item in items]
        self._words = [sum(label != IGNORED for label in item["labels"]) for item in items]
        self._micro_batch_size = recipe.batch_size
        self.epochs = recipe.epochs or default_epochs(len(items), recipe.batch_size, warm=warm)
        self.peak_lr = recipe.learning_rate or peak_lr(model)
        self.steps = max(1, round(self.epochs * len(self._epoch(0))))
        self.evaluation_steps: list[EvaluationStep] = []
        self.chosen_epoch = self.epochs

    def run(self, progress: Callable[[float], None]) -> None:
        """Take all optimiser steps, and leave the best of the averaged weights in the model."""
        optimizer = Optimizer(self._model, peak_lr=self.peak_lr, weight_decay=self._recipe.weight_decay)
        average = Average(optimizer.parameters, steps=self.steps)
        ends, scored = self._evaluation_ends()
        loss, words = torch.zeros((), device=self._devices.device), 0
        best: tuple[ValidationScore, list[torch.Tensor]] | None = None
        self._model.train()
        for step, batch in enumerate(islice(self._batches(), self.steps), start=1):
            loss += self._gradients(batch, optimizer)
            words += sum(self._words[index] for index in batch)
            optimizer.step(lr_factor((step - 0.5) / self.steps))
            average.update()
            if step in ends:
                score = self._validate(average) if step in scored else None
                mean_loss = self._devices.sum(loss) / max(words, 1)
                epoch = round(self.epochs * step / self.steps, 2)
                self.evaluation_steps.append(EvaluationStep(epoch, mean_loss, score))
                if score and (best is None or score > best[0]):
                    best, self.chosen_epoch = (score, average.copy()), epoch
                loss, words = torch.zeros_like(loss), 0
            progress(step / self.steps)
        average.restore(best[1] if best else average.copy())

    def _evaluation_ends(self) -> tuple[list[int], list[int]]:
        """The optimiser steps that end an evaluation step, and those of them that are scored on the validation set."""
        interval = math.ceil(self.steps / min(MAX_EVALUATION_STEPS, math.ceil(self.epochs)))
        ends = [step for step in range(1, self.steps + 1) if step % interval == 0 or step == self.steps]
        scored = [step for step in ends if step > FIRST_EVALUATION * self.steps]
        return ends, scored if len(scored) > 1 else []

    def _validate(self, average: Average) -> ValidationScore | None:
        if self._validation is None:
            return None
        with average.applied():
            return self._validation.score(self._model)

    def _batches(self) -> Iterator[list[int]]:
        for epoch in count():
            yield from self._epoch(epoch)

    def _epoch(self, number: int) -> list[list[int]]:
        seed = f"{self._recipe.seed}-{number}"
        return epoch_batches(self._lengths, batch_size=self._recipe.batch_size, seed=seed)

    def _gradients(self, batch: Sequence[int], optimizer: Optimizer) -> torch.Tensor:
        """Leave the gradients of the whole batch's mean loss a word; return this process's part of the summed loss.

        A batch that does not fit into the device's memory is computed in halves; so are all later ones.
        """
        share = self._devices.share(batch)
        while True:
            try:
                loss = self._backward(share, words=sum(self._words[index] for index in batch))
            except RuntimeError as error:
                if not should_reduce_batch_size(error) or self._micro_batch_size == 1:
                    raise
            else:
                self._devices.sum_gradients(optimizer.parameters)
                return loss
            # Outside the handler: its traceback would keep the tensors that filled the memory.
            self._micro_batch_size = math.ceil(min(self._micro_batch_size, len(share)) / 2)
            optimizer.zero_grad()
            clear_device_cache(garbage_collection=True)

    def _backward(self, batch: Sequence[int], *, words: int) -> torch.Tensor:
        total = torch.zeros((), device=self._devices.device)
        for start in range(0, len(batch), self._micro_batch_size):
            items = [self._items[index] for index in batch[start : start + self._micro_batch_size]]
            inputs = {name: values.to(self._devices.device) for name, values in self._collate(items).items()}
            targets, allowed = inputs.pop("labels"), inputs.pop("allowed", None)
            with self._devices.autocast():
                logits = self._model(**inputs).logits
            loss = summed_loss(logits.float(), targets, allowed)
            (loss / max(words, 1)).backward()
            total += loss.detach()
        return total
