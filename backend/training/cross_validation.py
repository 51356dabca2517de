"""What models say of documents that they have not seen: each fold is read by a model trained on the others."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace

import torch

from backend.errors import NotEnoughLabels
from backend.inference.decode import Floats
from backend.recipe import Recipe
from backend.training.devices import Devices
from backend.training.emissions import Emissions
from backend.training.examples import Collator, make_examples
from backend.training.fine_tune import fine_tune
from backend.training.split import part
from converters.document import Document

FOLDS = 4

_MIN_EPOCHS, _MAX_EPOCHS = 2, 30

_USEFUL_STEPS = 100
"""Optimiser steps after which a model ranks label issues as well as one that is trained to the end."""


def cross_validate(
    documents: Sequence[Document],
    *,
    labels: Sequence[str],
    recipe: Recipe,
    progress: Callable[[float], None],
    folds: int = FOLDS,
) -> list[Floats]:
    """For each document, the log-probabilities of its words' tags, by a model trained on the other folds alone.

    Each is of shape (words, tags), as serving would compute it; words are those of `converters.bio.spans_to_tags`,
    tags those of ``labels``. Models begin with the recipe's base and are trained no longer than ranking needs.
    ``progress`` is called with the fraction done; whatever it raises stops the work and is passed on. Raises
    `TrainingError`.
    """
    numbers = [part(document.id, folds) for document in documents]
    if len(set(numbers)) < 2:
        raise NotEnoughLabels(f"{len(documents)} labelled tasks are too few to check each by the others: label more.")
    scores: dict[int, Floats] = {}
    for number in range(folds):
        inside = [index for index, each in enumerate(numbers) if each == number]
        outside = [document for document, each in zip(documents, numbers, strict=True) if each != number]
        if not inside:
            continue

        def report(fraction: float, done: int = number) -> None:
            progress((done + fraction) / folds)

        held_out = [documents[index] for index in inside]
        scores.update(zip(inside, _scores(outside, held_out, labels, recipe, report), strict=True))
    return [scores[index] for index in range(len(documents))]


def _scores(
    train: Sequence[Document],
    held_out: Sequence[Document],
    labels: Sequence[str],
    recipe: Recipe,
    progress: Callable[[float], None],
) -> list[Floats]:
    short = replace(recipe, epochs=_epochs(len(train), recipe))
    model, tokenizer, _ = fine_tune(train, (), labels=labels, recipe=short, progress=progress)
    devices = Devices.found()
    examples = make_examples(held_out, labels=labels, tokenizer=tokenizer)
    emissions = Emissions(examples, labels, devices, Collator(pad_id=tokenizer.pad_token_id or 0))
    torch.nn.Module.to(model, devices.device)
    return emissions.of_documents(emissions.of_windows(model))


def _epochs(documents: int, recipe: Recipe) -> float:
    """Two passes, or as many as make `_USEFUL_STEPS`; never more than the recipe asks for."""
    steps = max(1, math.ceil(documents / recipe.batch_size))
    wanted = float(min(_MAX_EPOCHS, max(_MIN_EPOCHS, math.ceil(_USEFUL_STEPS / steps))))
    return min(recipe.epochs or wanted, wanted)
