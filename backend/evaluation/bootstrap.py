"""Confidence intervals of scores by the bootstrap: documents are drawn with replacement, and scored, many times."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from backend.scores import MIN_DOCUMENTS_OF_LABEL, Interval

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

RESAMPLES = 2000

_SEED = 42
_OUTSIDE = 0.05
_DRAWS = 300_000


def resampled_sums(counts: Ints) -> Floats:
    """Sums of each column over documents drawn with replacement: a row for each of `RESAMPLES` resamples.

    ``counts`` has a row for each document, at least one. A resample has as many documents as ``counts``, the same for
    all columns; which ones depends on their number only, so equal counts have equal sums.
    """
    return np.concatenate(
        [multiplicities @ counts.astype(np.float64) for multiplicities in _multiplicities(len(counts))]
    )


def intervals(parts: Ints, wholes: Ints) -> list[Interval | None]:
    """95 % percentile intervals of the ratios Σ part ÷ Σ whole; rows are documents, columns ratios.

    ``None`` where fewer than `MIN_DOCUMENTS_OF_LABEL` documents add to the whole. Where no document has an error, no
    resample has one: a ratio of 1 gets the lower bound of Clopper and Pearson (1934) for as many documents without an
    error, a ratio of 0 their upper bound.
    """
    sums = resampled_sums(np.hstack([parts, wholes]))
    ratios = parts.shape[1]
    return [
        _interval(parts[:, ratio], wholes[:, ratio], sums[:, ratio], sums[:, ratios + ratio]) for ratio in range(ratios)
    ]


def _interval(part: Ints, whole: Ints, part_sums: Floats, whole_sums: Floats) -> Interval | None:
    documents = int(np.count_nonzero(whole))
    if documents < MIN_DOCUMENTS_OF_LABEL:
        return None
    clopper_pearson = (_OUTSIDE / 2) ** (1 / documents)
    if part.sum() == whole.sum():
        return clopper_pearson, 1.0
    if part.sum() == 0:
        return 0.0, 1.0 - clopper_pearson
    drawn = whole_sums > 0
    low, high = np.quantile(part_sums[drawn] / whole_sums[drawn], [_OUTSIDE / 2, 1 - _OUTSIDE / 2])
    return float(low), float(high)


def _multiplicities(documents: int) -> Iterator[Floats]:
    """How often each document (column) is in each resample (row), in blocks that fit into memory."""
    generator = np.random.default_rng(_SEED)
    block = max(1, _DRAWS // documents)
    for start in range(0, RESAMPLES, block):
        resamples = min(block, RESAMPLES - start)
        drawn = generator.integers(documents, size=(resamples, documents))
        drawn += documents * np.arange(resamples)[:, None]
        multiplicities = np.bincount(drawn.ravel(), minlength=drawn.size)
        yield multiplicities.reshape(drawn.shape).astype(np.float64)
