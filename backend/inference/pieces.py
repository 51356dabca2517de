"""Word pieces: the piece ids of words, each word tokenized once."""

from __future__ import annotations

from collections.abc import Sequence

from tokenizers import Tokenizer

Pieces = tuple[int, ...]

_CACHED_CHARS = 250_000
"""Characters of all cached words, about 30,000 of them: about 10 MB."""

_LONE_SURROGATES = dict.fromkeys(range(0xD800, 0xE000), "\N{REPLACEMENT CHARACTER}")
"""They are not characters, so the tokenizer rejects them."""


def without_surrogates(text: str) -> str:
    """The text with lone surrogates replaced, character by character."""
    return text if text.isascii() else text.translate(_LONE_SURROGATES)


class WordPieces:
    """A tokenizer for single words, with a cache.

    The library tokenizes each word of a pre-tokenized text independently of its neighbours, so the pieces of a word are
    always the same; and since most words of a text are frequent ones, a look-up costs a tenth of tokenizing them again.
    Threads may share an instance.
    """

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._tokenizer = tokenizer
        self._cache: dict[str, Pieces] = {}
        self._chars = 0

    def look_up(self, words: Sequence[str]) -> list[Pieces]:
        """The piece ids of each word, in order; empty for a word of which the tokenizer keeps nothing."""
        # The cache is never emptied, only replaced: other threads may be reading from it.
        cache = self._cache
        new = [word for word in dict.fromkeys(words) if word not in cache]
        if new:
            cache.update(zip(new, self._tokenize(new), strict=True))
            self._chars += sum(map(len, new))
            if self._chars > _CACHED_CHARS:
                self._cache, self._chars = {}, 0
        return [cache[word] for word in words]

    def _tokenize(self, words: Sequence[str]) -> list[Pieces]:
        clean = list(map(without_surrogates, words))
        encoding = self._tokenizer.encode(clean, is_pretokenized=True, add_special_tokens=False)
        pieces: list[list[int]] = [[] for _ in words]
        for piece, word in zip(encoding.ids, encoding.word_ids, strict=True):
            if word is not None:  # only special tokens have none, and they are switched off
                pieces[word].append(piece)
        return list(map(tuple, pieces))
