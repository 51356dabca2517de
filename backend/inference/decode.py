"""From log-probabilities of tags to the best legal tag sequence, and how sure it is."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]


class Viterbi:
    """Finds the most probable tag sequence that the BIO transition table allows.

    ``legal[i][j]`` says whether tag ``j`` may follow tag ``i``, ``starts[j]`` whether a text may begin with it. Tags
    of neighbouring words count as independent, so a path's score is the sum of its words' log-probabilities
    (Viterbi 1967, doi:10.1109/TIT.1967.1054010).
    """

    def __init__(self, legal: Sequence[Sequence[bool]], starts: Sequence[bool]) -> None:
        self._moves = np.where(np.asarray(legal, dtype=bool), 0.0, -np.inf).astype(np.float32)
        self._starts = np.where(np.asarray(starts, dtype=bool), 0.0, -np.inf).astype(np.float32)

    def decode(self, batch: Sequence[Floats]) -> list[Ints]:
        """Decode texts of any lengths at once: log-probabilities of shape (words, tags) in, tag ids per word out."""
        lengths = np.array([len(scores) for scores in batch], dtype=np.int64)
        longest = int(lengths.max(initial=0))
        if longest == 0:
            return [np.zeros(0, dtype=np.int64) for _ in batch]
        padded = np.zeros((longest, len(batch), len(self._starts)), dtype=np.float32)
        for row, scores in enumerate(batch):
            padded[: len(scores), row] = scores
        best, came_from = self._forward(padded, lengths)
        return _backward(best, came_from, lengths)

    def _forward(self, padded: Floats, lengths: Ints) -> tuple[Floats, NDArray[np.int16]]:
        """Best score of a path ending in each tag at each text's last word, and the tag before it, word by word."""
        # float64: a sum over 100,000 words would lose the difference between two paths in float32.
        best = (self._starts + padded[0]).astype(np.float64)
        came_from = np.zeros(padded.shape, dtype=np.int16)
        for step in range(1, len(padded)):
            paths = best[:, :, None] + self._moves
            came_from[step] = paths.argmax(axis=1)
            alive = (lengths > step)[:, None]
            best = np.where(alive, paths.max(axis=1) + padded[step], best)
        return best, came_from


def _backward(best: Floats, came_from: NDArray[np.int16], lengths: Ints) -> list[Ints]:
    """Follow the best path of each text from its last word to its first."""
    rows = np.arange(len(lengths))
    tags = np.zeros((len(came_from), len(lengths)), dtype=np.int64)
    current = best.argmax(axis=1)
    for step in range(len(came_from) - 1, -1, -1):
        tags[step] = current
        current = np.where(step < lengths, came_from[step, rows, current], current)
    return [tags[:length, row] for row, length in enumerate(lengths)]


def region_score(chosen: NDArray[np.floating]) -> float:
    """How sure the model is of a region, in [0, 1].

    ``chosen`` are the log-probabilities of the decoded tags of its *n* words. The score is their geometric mean,
    exp(1/n · Σ log p(tag of word i)): one doubtful word lowers it, length alone does not.
    """
    return _geometric_mean(chosen)


def prediction_score(chosen: NDArray[np.floating]) -> float:
    """How sure the model is of a whole text, in [0, 1]; the lowest is the best next text to label.

    ``chosen`` are the log-probabilities of the decoded tags of all *n* words, and the score is
    exp(1/n · Σ log p(tag of word i)), the normalised log-probability of Shen et al. 2018 (arXiv:1707.05928), which
    does not prefer long texts as the plain sum would. A text without words has nothing to label: 1.0.
    """
    return _geometric_mean(chosen)


def _geometric_mean(logarithms: NDArray[np.floating]) -> float:
    if not len(logarithms):
        return 1.0
    return float(np.clip(np.exp(np.mean(logarithms, dtype=np.float64)), 0.0, 1.0))


def gather(
    windows: Sequence[tuple[int, Ints]], scores: Sequence[Floats], *, sizes: Sequence[int], outside: int, tags: int
) -> list[Floats]:
    """Put what the windows decided back together: one array of shape (words, tags) for each text.

    ``windows`` are (text, word indices) pairs, ``scores`` the log-probabilities they decided, ``sizes`` the number of
    words of each text. A word that no window decides, because the tokenizer sees nothing in it, is surely
    ``outside``.
    """
    texts: list[Floats] = [np.full((size, tags), -np.inf, dtype=np.float32) for size in sizes]
    for emissions in texts:
        emissions[:, outside] = 0.0
    for (text, words), decided in zip(windows, scores, strict=True):
        texts[text][words] = decided
    return texts
