"""The order of the examples in a fine-tuning run, its length, and its learning rate."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence

MIN_EPOCHS = 3
MAX_EPOCHS = 30

USEFUL_STEPS = 240
"""Optimiser steps that a new head needs to converge; with few examples there are more epochs to reach them."""

WARM_SHARE = 1 / 2
"""Share of the epochs that a model needs which has learnt the same labels already."""

MAX_PIECES = 4096
"""Maximum number of padded word pieces in a batch: 8 windows of 512, or 32 of up to 128."""

MAX_EVALUATION_STEPS = 10
"""Maximum number of evaluation steps in a run; they are at least one epoch apart."""

FIRST_EVALUATION = 2 / 3
"""From this share of training on, an evaluation step scores the model on the validation documents, if there are several
such steps. Before, the learning rate is so high that the best score is only luck."""

WARMUP = 0.1
"""Share of training in which the learning rate rises."""

_POOL_BATCHES = 50


def default_epochs(examples: int, batch_size: int, *, warm: bool = False) -> float:
    """Number of epochs: `MIN_EPOCHS`, or as many as make `USEFUL_STEPS`, at most `MAX_EPOCHS`.

    ``warm``: training continues from a version that has learnt the same labels, and half of that is enough.
    """
    steps = math.ceil(examples / batch_size)
    epochs = min(MAX_EPOCHS, max(MIN_EPOCHS, math.ceil(USEFUL_STEPS / steps)))
    return epochs * (WARM_SHARE if warm else 1.0)


def epoch_batches(lengths: Sequence[int], *, batch_size: int, seed: str) -> list[list[int]]:
    """Indices of all examples, once each, in batches of similar length and in random order.

    ``lengths`` are in word pieces. A batch has at most ``batch_size`` examples and `MAX_PIECES` padded pieces, but at
    least one example. The examples are shuffled and divided into pools of fifty batches; within a pool they are sorted
    by length, so that there is little padding and the batches still differ between epochs. The same ``seed`` gives the
    same batches.
    """
    rng = random.Random(seed)  # noqa: S311
    order = list(range(len(lengths)))
    rng.shuffle(order)
    batches: list[list[int]] = []
    for start in range(0, len(order), _POOL_BATCHES * batch_size):
        pool = sorted(order[start : start + _POOL_BATCHES * batch_size], key=lengths.__getitem__)
        batches += _into_batches(pool, lengths, batch_size)
    rng.shuffle(batches)
    return batches


def _into_batches(pool: Sequence[int], lengths: Sequence[int], batch_size: int) -> list[list[int]]:
    batches: list[list[int]] = []
    for index in pool:  # sorted by length, so the next example is the longest of its batch
        fits = batches and len(batches[-1]) < batch_size and (len(batches[-1]) + 1) * lengths[index] <= MAX_PIECES
        if fits:
            batches[-1].append(index)
        else:
            batches.append([index])
    return batches


def lr_factor(done: float) -> float:
    """Learning rate after the fraction ``done`` of training, relative to its peak: linear rise, then linear fall."""
    return done / WARMUP if done < WARMUP else (1 - done) / (1 - WARMUP)
