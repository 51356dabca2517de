"""Words become word pieces here, for training and for serving alike.

A text longer than the model is cut at word boundaries into overlapping windows. Every word is *decided* by exactly
one of them, the one that sees the most context on the word's poorer side; in the others it is context only.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

Ints = NDArray[np.int64]

OVERLAP = 4
"""Neighbouring windows share up to one ``OVERLAP``-th of their pieces."""

_MAX_WORD_CHARS = 1000
"""A longer word is cut before the tokenizer sees it: a megabyte without a space must not cost a megabyte of pieces."""

_LONE_SURROGATES = dict.fromkeys(range(0xD800, 0xE000), "\N{REPLACEMENT CHARACTER}")
"""Not characters, so the tokenizer refuses them; one code point for one, hence offsets stay."""


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


class WindowEncoder:
    """Encodes lists of words with one tokenizer into windows of at most ``max_length`` pieces.

    The tokenizer is used as it is given, so its own padding and truncation must be off. An instance holds no state
    between calls and may be shared by threads.
    """

    def __init__(self, tokenizer: Tokenizer, *, max_length: int) -> None:
        self._tokenizer = tokenizer
        self._prefix, self._suffix = _special_tokens(tokenizer)
        self._capacity = max_length - len(self._prefix) - len(self._suffix)
        if self._capacity < 1:
            raise ValueError(f"a model length of {max_length} leaves no room beside the special tokens")

    def encode(self, texts: Sequence[Sequence[str]]) -> list[Window]:
        """Cut texts, given as lists of words, into windows; those of one text follow each other in order.

        A text without a single piece (empty, or nothing but characters the tokenizer drops) has no window.
        """
        clean = [[_clean(word) for word in words] for words in texts]
        encodings = self._tokenizer.encode_batch(clean, is_pretokenized=True, add_special_tokens=False)
        windows: list[Window] = []
        for text, encoding in enumerate(encodings):
            ids = np.asarray(encoding.ids, dtype=np.int64)
            owners = np.asarray(encoding.word_ids, dtype=np.int64)
            windows += self._cut(text, ids, owners)
        return windows

    def _cut(self, text: int, ids: Ints, owners: Ints) -> list[Window]:
        if not len(ids):
            return []
        firsts = np.flatnonzero(np.diff(owners, prepend=-1))
        words = owners[firsts]
        if len(ids) <= self._capacity:
            return [self._window(text, ids, words, firsts)]
        counts = np.diff(firsts, append=len(ids))
        ids = ids[np.arange(len(ids)) - np.repeat(firsts, counts) < self._capacity]
        offsets = np.concatenate(([0], np.cumsum(np.minimum(counts, self._capacity))))
        bounds = window_bounds(offsets, self._capacity)
        edges = decided_ranges(offsets, bounds)
        return [
            self._window(text, ids[offsets[start] : offsets[end]], words[a:b], offsets[a:b] - offsets[start])
            for (start, end), (a, b) in zip(bounds, edges, strict=True)
            if a < b
        ]

    def _window(self, text: int, ids: Ints, words: Ints, firsts: Ints) -> Window:
        input_ids = np.concatenate((self._prefix, ids, self._suffix))
        return Window(text=text, input_ids=input_ids, words=words, positions=firsts + len(self._prefix))


def window_bounds(offsets: Ints, capacity: int) -> list[tuple[int, int]]:
    """Cover words greedily with overlapping windows; return the ``(first, end)`` word of each.

    ``offsets`` holds where each word's pieces start, and the total at the end; no word is larger than ``capacity``.
    Starts and ends both grow strictly, and the last window reaches back as far as it can.
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
    """Divide the words among overlapping windows, each overlap in its middle; return ``(first, end)`` words.

    The ranges cover every word exactly once. A word nearer to the left window's end than to the right window's start
    goes right, where it sees more on its poorer side.
    """
    cuts = [0]
    middles = (offsets[:-1] + offsets[1:]) / 2
    for (_, left_end), (right_start, _) in pairwise(bounds):
        middle = (offsets[right_start] + offsets[left_end]) / 2
        cut = int(np.searchsorted(middles, middle, side="right"))
        cuts.append(max(cuts[-1], min(max(cut, right_start), left_end)))
    cuts.append(len(offsets) - 1)
    return list(pairwise(cuts))


def _clean(word: str) -> str:
    word = word[:_MAX_WORD_CHARS]
    return word if word.isascii() else word.translate(_LONE_SURROGATES)


def _special_tokens(tokenizer: Tokenizer) -> tuple[Ints, Ints]:
    """What the tokenizer's post-processor puts before and after a text, found by encoding a probe."""
    bare = tokenizer.encode(["a"], is_pretokenized=True, add_special_tokens=False).ids
    full = tokenizer.encode(["a"], is_pretokenized=True).ids
    for start in range(len(full) - len(bare) + 1):
        if full[start : start + len(bare)] == bare:
            after = full[start + len(bare) :]
            return np.asarray(full[:start], dtype=np.int64), np.asarray(after, dtype=np.int64)
    raise ValueError("the tokenizer changes a text's pieces when it adds its special tokens")
