"""How far a score may be off: its documents are drawn again, with replacement, and scored anew, many times."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from backend.scores import Interval

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

MIN_DOCUMENTS_OF_LABEL = 10
"""Those of them that must hold what an interval is of. With so many, 90 of 100 intervals or more hold the truth."""

RESAMPLES = 2000

_SEED = 42
_OUTSIDE = 0.05
_DRAWS = 300_000


def resampled_sums(counts: Ints) -> Floats:
    """Sums of each column over as many documents as there are, drawn with replacement: a row for each resample.

    ``counts`` has a row for each document, at least one. All columns are summed over the same draws, which depend on
    the number of rows alone: the same counts have the same sums, and what stands side by side is compared in pairs.
    """
    return np.concatenate([times @ counts.astype(np.float64) for times in _times_drawn(len(counts))])


def intervals(parts: Ints, wholes: Ints) -> list[Interval | None]:
    """95 % percentile intervals of Σ part ÷ Σ whole; of both, a row is a document and a column a ratio.

    ``None`` where fewer than `MIN_DOCUMENTS_OF_LABEL` documents add to the whole. No resample shows a mistake that was
    never made, so a ratio of 1 has the lower bound of Clopper and Pearson (1934) for as many documents without
    mistake, and a ratio of 0 their upper one.
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
    flawless = (_OUTSIDE / 2) ** (1 / documents)
    if part.sum() == whole.sum():
        return flawless, 1.0
    if part.sum() == 0:
        return 0.0, 1.0 - flawless
    drawn = whole_sums > 0
    low, high = np.quantile(part_sums[drawn] / whole_sums[drawn], [_OUTSIDE / 2, 1 - _OUTSIDE / 2])
    return float(low), float(high)


def _times_drawn(documents: int) -> Iterator[Floats]:
    """How often each document (column) is in each resample (row), in blocks that fit memory."""
    generator = np.random.default_rng(_SEED)
    block = max(1, _DRAWS // documents)
    for start in range(0, RESAMPLES, block):
        resamples = min(block, RESAMPLES - start)
        drawn = generator.integers(documents, size=(resamples, documents))
        drawn += documents * np.arange(resamples)[:, None]
        times = np.bincount(drawn.ravel(), minlength=drawn.size)
        yield times.reshape(drawn.shape).astype(np.float64)
