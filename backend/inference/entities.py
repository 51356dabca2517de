"""The entities in decoded tags, and the scores of entities and of whole texts."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from converters.bio import split_tag

Ints = NDArray[np.int64]
Scores = NDArray[np.float64]


class EntityFinder:
    """Finds the entities of legal tag sequences, for many texts at once.

    ``tags`` are the names of the tags, by id. It finds the same entities as `converters.bio.tags_to_spans`, which goes
    word by word and so spends most of its time on words outside of entities.
    """

    def __init__(self, tags: Sequence[str]) -> None:
        prefixes, labels = zip(*map(split_tag, tags), strict=True)
        self._begins = np.array([prefix == "B" for prefix in prefixes])
        self._continues = np.array([prefix == "I" for prefix in prefixes])
        self.labels: tuple[str, ...] = labels

    def find(self, tags: Ints) -> tuple[Ints, Ints]:
        """The first word of each entity, and the word after its last.

        ``tags`` are the tag ids of concatenated texts. Since no legal text begins with ``I-``, no entity continues into
        the next text.
        """
        firsts = np.flatnonzero(self._begins[tags])
        ends = np.append(np.flatnonzero(~self._continues[tags]), len(tags))
        return firsts, ends[np.searchsorted(ends, firsts, side="right")]


def region_scores(chosen: NDArray[np.floating], firsts: Ints, ends: Ints) -> Scores:
    """The model's confidence in each region, in [0, 1].

    ``chosen`` are the log-probabilities of the decoded tags. The score of a region of *n* words, from ``firsts`` to
    before ``ends``, is their geometric mean, exp(1/n · Σ log p(tag of word i)): an uncertain word lowers it, length
    alone does not.
    """
    return _geometric_means(chosen, firsts, ends)


def prediction_scores(chosen: NDArray[np.floating], sizes: Ints) -> Scores:
    """The model's confidence in each whole text, in [0, 1]; the lowest is the best next text to label.

    ``chosen`` are the log-probabilities of the decoded tags of all texts, ``sizes`` the number of words of each text.
    The score of *n* words is exp(1/n · Σ log p(tag of word i)), the normalised log-probability of Shen et al. 2018
    (arXiv:1707.05928), which unlike the plain sum does not prefer long texts. A text without words has score 1.0: there
    is nothing to label.
    """
    ends = np.cumsum(sizes)
    return _geometric_means(chosen, ends - sizes, ends)


def _geometric_means(logarithms: NDArray[np.floating], firsts: Ints, ends: Ints) -> Scores:
    """The geometric mean of each range, from the logarithms; 1.0 for an empty range."""
    if not len(firsts):
        return np.zeros(0)
    # `reduceat` does not accept a range that starts at the end of the array.
    padded = np.append(logarithms.astype(np.float64), 0.0)
    sums = np.add.reduceat(padded, np.stack((firsts, ends), axis=1).ravel())[::2]
    sizes = ends - firsts
    means = np.exp(np.where(sizes > 0, sums / np.maximum(sizes, 1), 0.0))
    return np.clip(means, 0.0, 1.0)
