"""The entities in decoded tags, and how sure the model is of them and of each text."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from converters.bio import split_tag

Ints = NDArray[np.int64]
Scores = NDArray[np.float64]


class EntityFinder:
    """Finds the entities of legal tag sequences, for all texts of a part at once.

    ``tags`` are the names of the tags, by id. What it finds is what `converters.bio.tags_to_spans` reads from the same
    tags: that function goes word by word, which is the larger part of the work where most words are outside.
    """

    def __init__(self, tags: Sequence[str]) -> None:
        prefixes, labels = zip(*map(split_tag, tags), strict=True)
        self._begins = np.array([prefix == "B" for prefix in prefixes])
        self._continues = np.array([prefix == "I" for prefix in prefixes])
        self.labels: tuple[str, ...] = labels

    def find(self, tags: Ints) -> tuple[Ints, Ints]:
        """First words of the entities, and the words after their last.

        ``tags`` are the ids of texts that lie one after the other. Since no legal text begins with ``I-``, no entity
        reaches into the next text.
        """
        firsts = np.flatnonzero(self._begins[tags])
        others = np.append(np.flatnonzero(~self._continues[tags]), len(tags))
        return firsts, others[np.searchsorted(others, firsts, side="right")]


def region_scores(chosen: NDArray[np.floating], firsts: Ints, ends: Ints) -> Scores:
    """How sure the model is of each region, in [0, 1].

    ``chosen`` are the log-probabilities of the decoded tags. The score of a region of the *n* words from ``first`` to
    before ``end`` is their geometric mean, exp(1/n · Σ log p(tag of word i)): one doubtful word lowers it, length alone
    does not.
    """
    return _geometric_means(chosen, firsts, ends)


def prediction_scores(chosen: NDArray[np.floating], sizes: Ints) -> Scores:
    """How sure the model is of each whole text, in [0, 1]; the lowest is the best next text to label.

    ``chosen`` are the log-probabilities of the decoded tags of all texts, ``sizes`` how many words each text has. The
    score of *n* words is exp(1/n · Σ log p(tag of word i)), the normalised log-probability of Shen et al. 2018
    (arXiv:1707.05928), which does not prefer long texts as the plain sum would. A text without words has nothing to
    label: 1.0.
    """
    ends = np.cumsum(sizes)
    return _geometric_means(chosen, ends - sizes, ends)


def _geometric_means(logarithms: NDArray[np.floating], firsts: Ints, ends: Ints) -> Scores:
    """Geometric means of stretches, given by their logarithms; 1.0 for an empty stretch."""
    if not len(firsts):
        return np.zeros(0)
    # A stretch's sum stands at the index of its start, and none of them may start at the very end.
    padded = np.append(logarithms.astype(np.float64), 0.0)
    sums = np.add.reduceat(padded, np.stack((firsts, ends), axis=1).ravel())[::2]
    sizes = ends - firsts
    means = np.exp(np.where(sizes > 0, sums / np.maximum(sizes, 1), 0.0))
    return np.clip(means, 0.0, 1.0)
