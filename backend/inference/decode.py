"""Decoding: from log-probabilities of tags to the best legal tag sequence."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from backend.inference.batches import length_sorted
from converters.bio import split_tag

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]
Mask = NDArray[np.bool_]


_PADDED_WORDS = 65_536
"""Padded words that are searched at once; more would need memory and save no time."""


class Viterbi:
    """Finds the most probable tag sequence that is legal BIO.

    ``legal[i][j]`` says whether tag ``j`` may follow tag ``i``, ``starts[j]`` whether a text may begin with it. Tags
    of neighbouring words count as independent, so a path's score is the sum of its words' log-probabilities
    (Viterbi 1967, doi:10.1109/TIT.1967.1054010).
    """

    def __init__(self, legal: Sequence[Sequence[bool]], starts: Sequence[bool]) -> None:
        self._legal = np.asarray(legal, dtype=bool)
        self._may_start = np.asarray(starts, dtype=bool)
        self._moves = np.where(self._legal, 0.0, -np.inf).astype(np.float32)
        self._starts = np.where(self._may_start, 0.0, -np.inf).astype(np.float32)

    def decode(self, batch: Sequence[Floats]) -> list[Ints]:
        """Decode texts of any lengths at once: log-probabilities of shape (words, tags) in, tag ids per word out."""
        if not batch:
            return []
        sizes = np.array([len(scores) for scores in batch], dtype=np.int64)
        return np.split(self.best_tags(np.concatenate(batch), sizes), np.cumsum(sizes)[:-1])

    def best_tags(self, scores: Floats, sizes: Ints) -> Ints:
        """Decode concatenated texts: ``scores`` of shape (words of all texts, tags), ``sizes`` in words per text.

        Where the most probable tag of every word makes a legal sequence, no sequence is better and no search is needed:
        this is the case for nearly all texts of a trained model.
        """
        tags: Ints = scores.argmax(axis=1)
        ends = np.cumsum(sizes)
        for group in self._illegal(tags, sizes, ends):
            padded = np.zeros((int(sizes[group[0]]), len(group), scores.shape[1]), dtype=np.float32)
            for row, text in enumerate(group):
                padded[: sizes[text], row] = scores[ends[text] - sizes[text] : ends[text]]
            for text, path in zip(group, self._search(padded, sizes[group]), strict=True):
                tags[ends[text] - sizes[text] : ends[text]] = path
        return tags

    def _illegal(self, tags: Ints, sizes: Ints, ends: Ints) -> Iterator[list[int]]:
        """The texts whose tags are not a legal sequence, in groups of similar length."""
        illegal = np.ones(len(tags), dtype=bool)
        illegal[1:] = ~self._legal[tags[:-1], tags[1:]]
        firsts = (ends - sizes)[sizes > 0]
        illegal[firsts] = ~self._may_start[tags[firsts]]
        texts = np.unique(np.searchsorted(ends, np.flatnonzero(illegal), side="right"))
        for group in length_sorted(sizes[texts].tolist(), budget=_PADDED_WORDS):
            yield texts[group].tolist()

    def _search(self, padded: Floats, lengths: Ints) -> list[Ints]:
        best, came_from = self._forward(padded, lengths)
        return _backward(best, came_from, lengths)

    def _forward(self, padded: Floats, lengths: Ints) -> tuple[Floats, NDArray[np.int16]]:
        """The best score of a path ending in each tag at each text's last word, and for each word the tag before it."""
        # float64: in float32 a sum over 100,000 words would lose the difference between two paths.
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


def gather(
    windows: Sequence[tuple[int, Ints]], scores: Sequence[Floats], *, sizes: Sequence[int], outside: int, tags: int
) -> list[Floats]:
    """Combine the windows' scores: one array of shape (words, tags) for each text.

    ``windows`` are (text, word indices) pairs, ``scores`` their log-probabilities for these words, ``sizes`` the number
    of words of each text. A word that is in no window, because it has no pieces, is ``outside`` with certainty.
    """
    if not sizes:
        return []
    combined = gather_all(windows, scores, sizes=np.asarray(sizes, dtype=np.int64), outside=outside, tags=tags)
    return np.split(combined, np.cumsum(sizes)[:-1])


def gather_all(
    windows: Sequence[tuple[int, Ints]], scores: Sequence[Floats], *, sizes: Ints, outside: int, tags: int
) -> Floats:
    """As `gather`, with all texts concatenated: one array of shape (words of all texts, tags)."""
    combined = np.full((int(sizes.sum()), tags), -np.inf, dtype=np.float32)
    combined[:, outside] = 0.0
    if windows:
        starts = (np.cumsum(sizes) - sizes).tolist()
        places = np.concatenate([words + starts[text] for text, words in windows])
        combined[places] = np.concatenate(scores)
    return combined


def tag_mask(tags: Sequence[str], labels: Collection[str] | None) -> Mask:
    """Which of ``tags`` a text may have that offers only ``labels``: theirs and ``O``; all tags for ``None``."""
    return np.array([tag == "O" or labels is None or split_tag(tag)[1] in labels for tag in tags], dtype=bool)


def restrict(scores: Floats, allowed: Mask) -> Floats:
    """The log-probabilities given that each word has one of the ``allowed`` tags; all others become minus infinity.

    ``scores`` are log-probabilities of shape (words, tags), in which an allowed tag of each word is finite. ``allowed``
    has that shape, or that of one word. The exponentials of the result sum to one for each word.
    """
    masked = np.where(allowed, scores, -np.inf).astype(np.float32)
    shifted = masked - masked.max(axis=1, keepdims=True)
    result: Floats = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    return result
