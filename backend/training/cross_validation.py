"""Cross-validation: each fold of the documents is scored by a model that was trained on the other folds."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace

import torch

from backend.errors import NotEnoughLabels
from backend.inference.decode import Floats
from backend.recipe import Recipe
from backend.training.fine_tuning.devices import Devices
from backend.training.fine_tuning.emissions import Emissions
from backend.training.fine_tuning.examples import Collator, make_examples
from backend.training.fine_tuning.fine_tune import fine_tune
from backend.training.split import bucket
from converters.tagged import TaggedDocument

FOLDS = 4

_MIN_EPOCHS, _MAX_EPOCHS = 2, 30

_USEFUL_STEPS = 100
"""Optimiser steps after which a model ranks label issues as well as one that is trained to the end."""


def cross_validate(
    documents: Sequence[TaggedDocument],
    *,
    labels: Sequence[str],
    recipe: Recipe,
    progress: Callable[[float], None],
    folds: int = FOLDS,
) -> list[Floats]:
    """For each document, the log-probabilities of its words' tags, by a model trained on the other folds alone.

    Each is of shape (words, tags), as serving computes it; tags are those of ``labels``. Training starts from the
    recipe's base model and is no longer than ranking needs. ``progress`` is called with the fraction done; an
    exception it raises stops the work and is passed on. Raises `TrainingError`.
    """
    tasks = [document.id for document in documents]
    fold_of = [bucket(task, folds) for task in tasks]
    if len(set(fold_of)) < 2:
        raise NotEnoughLabels(
            f"Looking for wrong labels compares each task with models trained on other tasks, and {len(set(tasks))} "
            "labelled tasks are too few for that: label more."
        )
    scores: dict[int, Floats] = {}
    for fold in range(folds):
        held_out = [index for index, number in enumerate(fold_of) if number == fold]
        train = [document for document, number in zip(documents, fold_of, strict=True) if number != fold]
        if not held_out:
            continue

        def report(fraction: float, done: int = fold) -> None:
            progress((done + fraction) / folds)

        fold_scores = _scores(train, [documents[index] for index in held_out], labels, recipe, report)
        scores.update(zip(held_out, fold_scores, strict=True))
    return [scores[index] for index in range(len(documents))]


def _scores(
    train: Sequence[TaggedDocument],
    held_out: Sequence[TaggedDocument],
    labels: Sequence[str],
    recipe: Recipe,
    progress: Callable[[float], None],
) -> list[Floats]:
    short = replace(recipe, epochs=_epochs(len(train), recipe))
    model, tokenizer, _ = fine_tune(train, (), labels=labels, recipe=short, progress=progress)
    devices = Devices.detect()
    examples = make_examples(held_out, labels=labels, tokenizer=tokenizer)
    emissions = Emissions(examples, labels, devices, Collator(pad_id=tokenizer.pad_token_id or 0))
    torch.nn.Module.to(model, devices.device)
    return emissions.by_document(emissions.by_window(model))


def _epochs(documents: int, recipe: Recipe) -> float:
    """At least two epochs, or as many as make `_USEFUL_STEPS`; at most those of the recipe."""
    steps = max(1, math.ceil(documents / recipe.batch_size))
    epochs = float(min(_MAX_EPOCHS, max(_MIN_EPOCHS, math.ceil(_USEFUL_STEPS / steps))))
    return min(recipe.epochs or epochs, epochs)
