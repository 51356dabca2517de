"""Windows of word pieces, the model's input, the same for training and for inference.

A text longer than the model's maximum is cut at word boundaries into overlapping windows. Every word is *decided* by
exactly one window, the one with the most context on the word's poorer side; in other windows it is only context.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, pairwise

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from backend.inference.pieces import WordPieces
from converters.document import Word
from converters.words import words as split_words

Ints = NDArray[np.int64]

OVERLAP = 4
"""Neighbouring windows share up to 1/``OVERLAP`` of their pieces."""

_MAX_WORD_CHARS = 1000
"""Longer words are cut before tokenization: a megabyte without a space must not become a megabyte of pieces."""


@dataclass(frozen=True, slots=True)
class Window:
    """A stretch of one text that fits the model.

    ``input_ids`` are its pieces with the special tokens around them; ``text`` is the index of the text it belongs to.
    ``words`` are the indices of the words this window decides and ``positions``, equally long, where in ``input_ids``
    the first piece of each stands. Words without pieces are in no window.
    """

    text: int
    input_ids: Ints
    words: Ints
    positions: Ints


@dataclass(frozen=True, slots=True)
class EncodedTexts:
    """Texts as a model gets them: their words, and the windows of all.

    ``sizes`` is the number of words of each text that the windows decide. Where they decide pieces instead, it is that
    of the pieces, and ``pieces`` has the number of pieces of each word. ``untrimmed`` are the texts, if words may begin
    or end with spaces.
    """

    words: list[list[Word]]
    windows: list[Window]
    sizes: Ints
    pieces: Ints | None = None
    untrimmed: Sequence[str] | None = None


class WindowEncoder:
    """Encodes lists of words into windows of at most ``max_length`` pieces.

    The tokenizer's own padding and truncation must be off. Threads may share an instance.
    """

    def __init__(self, tokenizer: Tokenizer, *, max_length: int) -> None:
        self._pieces = WordPieces(tokenizer)
        self._prefix, self._suffix = _special_tokens(tokenizer)
        self._capacity = max_length - len(self._prefix) - len(self._suffix)
        if self._capacity < 1:
            raise ValueError(f"a maximum length of {max_length} leaves no room besides the special tokens")

    def count_pieces(self, words: Sequence[str]) -> list[int]:
        """The number of pieces of each word; 0 where the tokenizer keeps nothing of it."""
        return list(map(len, self._pieces.look_up([word[:_MAX_WORD_CHARS] for word in words])))

    def encode_texts(self, texts: Sequence[str]) -> EncodedTexts:
        """Split texts into words, and these into windows."""
        words = [split_words(text) for text in texts]
        windows = self.encode([[word.text for word in sequence] for sequence in words])
        return EncodedTexts(words, windows, np.array([len(sequence) for sequence in words], dtype=np.int64))

    def encode(self, texts: Sequence[Sequence[str]]) -> list[Window]:
        """Cut texts, given as lists of words, into windows; the windows of a text are consecutive and in order.

        A text without a single piece (empty, or only characters that the tokenizer drops) has no window.
        """
        flat = [word[:_MAX_WORD_CHARS] for words in texts for word in words]
        pieces = self._pieces.look_up(flat)
        counts = np.fromiter(map(len, pieces), dtype=np.int64, count=len(pieces))
        ids = np.fromiter(chain.from_iterable(pieces), dtype=np.int64, count=int(counts.sum()))
        sizes = np.array([len(words) for words in texts], dtype=np.int64)
        return self.encode_pieces(ids, counts, sizes)

    def encode_pieces(self, ids: Ints, counts: Ints, sizes: Ints) -> list[Window]:
        """The same for concatenated texts: piece ids, the number of pieces per word, the number of words per text."""
        return list(self._windows(ids, counts, sizes))

    def _windows(self, ids: Ints, counts: Ints, sizes: Ints) -> Iterator[Window]:
        """Windows of concatenated texts.

        Everything is computed for all texts at once and then split: most texts are a single window of about ten words,
        and small arrays for each of them would cost more than tokenizing them.
        """
        ends = np.cumsum(sizes)
        starts = ends - sizes
        offsets = np.concatenate(([0], np.cumsum(counts)))
        with_pieces = np.flatnonzero(counts)
        text_starts = np.repeat(starts, sizes)[with_pieces]
        words = with_pieces - text_starts
        firsts = offsets[with_pieces] - offsets[text_starts]
        positions = firsts + len(self._prefix)
        word_bounds = np.searchsorted(with_pieces, starts).tolist(), np.searchsorted(with_pieces, ends).tolist()
        piece_bounds = offsets[starts].tolist(), offsets[ends].tolist()
        for text, (a, b, start, end) in enumerate(zip(*word_bounds, *piece_bounds, strict=True)):
            if end - start > self._capacity:
                yield from self._cut(text, ids[start:end], words[a:b], firsts[a:b])
            elif a < b:
                yield Window(text, self._with_special_tokens(ids[start:end]), words[a:b], positions[a:b])

    def _cut(self, text: int, ids: Ints, words: Ints, firsts: Ints) -> Iterator[Window]:
        """Windows of a text that is too long for one; ``firsts`` is where the pieces of each of its ``words`` begin."""
        counts = np.diff(firsts, append=len(ids))
        ids = ids[np.arange(len(ids)) - np.repeat(firsts, counts) < self._capacity]
        offsets = np.concatenate(([0], np.cumsum(np.minimum(counts, self._capacity))))
        bounds = window_bounds(offsets, self._capacity)
        for (start, end), (a, b) in zip(bounds, decided_ranges(offsets, bounds), strict=True):
            if a < b:
                positions = offsets[a:b] - offsets[start] + len(self._prefix)
                yield Window(text, self._with_special_tokens(ids[offsets[start] : offsets[end]]), words[a:b], positions)

    def _with_special_tokens(self, ids: Ints) -> Ints:
        return np.concatenate((self._prefix, ids, self._suffix))


def window_bounds(offsets: Ints, capacity: int) -> list[tuple[int, int]]:
    """Cover words greedily with overlapping windows; return the ``(first, end)`` words of each.

    ``offsets`` are where each word's pieces start, and the total at the end; no word is larger than ``capacity``.
    Starts and ends both increase strictly, and the last window begins as early as possible.
    """
    total = len(offsets) - 1
    bounds: list[tuple[int, int]] = []
    start = 0
    while True:
        end = int(np.searchsorted(offsets, offsets[start] + capacity, side="right")) - 1
        if end >= total:
            start = int(np.searchsorted(offsets, offsets[total] - capacity))
            return [*bounds, (start, total)]
        bounds.append((start, end))
        # The next window shares some pieces with this one, but must have room for at least one new word.
        room = max(offsets[end] - capacity // OVERLAP, offsets[end + 1] - capacity)
        start = int(np.searchsorted(offsets, room))


def decided_ranges(offsets: Ints, bounds: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """Divide the words among overlapping windows, each overlap in the middle; return ``(first, end)`` words.

    The ranges cover every word exactly once. A word nearer to the left window's end than to the right window's start
    goes to the right window, which has more context on its poorer side.
    """
    cuts = [0]
    middles = (offsets[:-1] + offsets[1:]) / 2
    for (_, left_end), (right_start, _) in pairwise(bounds):
        middle = (offsets[right_start] + offsets[left_end]) / 2
        cut = int(np.searchsorted(middles, middle, side="right"))
        cuts.append(max(cuts[-1], min(max(cut, right_start), left_end)))
    cuts.append(len(offsets) - 1)
    return list(pairwise(cuts))


def _special_tokens(tokenizer: Tokenizer) -> tuple[Ints, Ints]:
    """The ids that the tokenizer's post-processor adds before and after a text, found by encoding a probe."""
    bare = tokenizer.encode(["a"], is_pretokenized=True, add_special_tokens=False).ids
    full = tokenizer.encode(["a"], is_pretokenized=True).ids
    for start in range(len(full) - len(bare) + 1):
        if full[start : start + len(bare)] == bare:
            after = full[start + len(bare) :]
            return np.asarray(full[:start], dtype=np.int64), np.asarray(after, dtype=np.int64)
    raise ValueError("the tokenizer changes a text's pieces when it adds its special tokens")
