"""The order in which a fine-tuning run sees its examples, and the learning rate meanwhile."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence

MIN_EPOCHS = 3
MAX_EPOCHS = 30

USEFUL_STEPS = 240
"""Optimiser steps within which a new head settles; few examples are passed over more often to reach them."""

WARM_SHARE = 1 / 2
"""Of the passes, for a model that has learnt the same labels already."""

MAX_PIECES = 4096
"""Padded word pieces in a batch: 8 windows of 512, or 32 of up to 128."""

MAX_EVALUATION_STEPS = 10
"""Maximum number of evaluation steps in a run; they are at least one epoch apart."""

FIRST_EVALUATION = 2 / 3
"""From this share of training on, an evaluation step scores the model on the validation documents, if there are several
such steps. Before, the learning rate is so high that the best score is only luck."""

WARMUP = 0.1
"""Share of training in which the learning rate rises."""

_POOL = 50


def default_epochs(examples: int, batch_size: int, *, warm: bool = False) -> float:
    """Passes over the training examples: three, or as many as make `USEFUL_STEPS`, but never over `MAX_EPOCHS`.

    ``warm``: the model goes on from one that has learnt the same labels, and half of that is enough.
    """
    steps = math.ceil(examples / batch_size)
    epochs = min(MAX_EPOCHS, max(MIN_EPOCHS, math.ceil(USEFUL_STEPS / steps)))
    return epochs * (WARM_SHARE if warm else 1.0)


def epoch_batches(lengths: Sequence[int], *, batch_size: int, seed: str) -> list[list[int]]:
    """Indices of all examples, once each, in batches of similar length and in random order.

    ``lengths`` are in word pieces. A batch holds at most ``batch_size`` examples and `MAX_PIECES` padded pieces, but
    at least one example. Within a pool of fifty batches' random examples, neighbours in length share a batch, so next
    to nothing is padded and the batches of two epochs still differ. The same ``seed`` gives the same batches.
    """
    choice = random.Random(seed)  # noqa: S311
    order = list(range(len(lengths)))
    choice.shuffle(order)
    batches: list[list[int]] = []
    for start in range(0, len(order), _POOL * batch_size):
        pool = sorted(order[start : start + _POOL * batch_size], key=lengths.__getitem__)
        batches += _cut(pool, lengths, batch_size)
    choice.shuffle(batches)
    return batches


def _cut(pool: Sequence[int], lengths: Sequence[int], batch_size: int) -> list[list[int]]:
    batches: list[list[int]] = []
    for index in pool:  # from short to long: the newcomer is the longest of its batch
        fits = batches and len(batches[-1]) < batch_size and (len(batches[-1]) + 1) * lengths[index] <= MAX_PIECES
        if fits:
            batches[-1].append(index)
        else:
            batches.append([index])
    return batches


def lr_factor(done: float) -> float:
    """Learning rate after the fraction ``done`` of training, as a fraction of its peak: up for a tenth, then down."""
    return done / WARMUP if done < WARMUP else (1 - done) / (1 - WARMUP)
