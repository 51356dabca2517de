"""Words to the ids of their pieces, each word cut once."""

from __future__ import annotations

from collections.abc import Sequence

from tokenizers import Tokenizer

Pieces = tuple[int, ...]

_REMEMBERED_CHARS = 250_000
"""Characters of all remembered words, some 30,000 of them: about 10 MB."""

_LONE_SURROGATES = dict.fromkeys(range(0xD800, 0xE000), "\N{REPLACEMENT CHARACTER}")
"""Not characters, so the tokenizer refuses them."""


class WordPieces:
    """A tokenizer for words given one by one, which remembers the words it has seen.

    The library cuts each word of a pre-tokenized text by itself, whatever stands around it, so the pieces of a word
    are always the same; and since most words of a text are frequent ones, looking them up costs a tenth of cutting
    them again. Threads may share an instance.
    """

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._tokenizer = tokenizer
        self._known: dict[str, Pieces] = {}
        self._chars = 0

    def look_up(self, words: Sequence[str]) -> list[Pieces]:
        """The ids of each word's pieces, in order; none for a word of which the tokenizer keeps nothing."""
        # Never emptied, only replaced: what another thread is looking up stays where it is.
        known = self._known
        fresh = [word for word in dict.fromkeys(words) if word not in known]
        if fresh:
            known.update(zip(fresh, self._cut(fresh), strict=True))
            self._chars += sum(map(len, fresh))
            if self._chars > _REMEMBERED_CHARS:
                self._known, self._chars = {}, 0
        return [known[word] for word in words]

    def _cut(self, words: Sequence[str]) -> list[Pieces]:
        clean = [word if word.isascii() else word.translate(_LONE_SURROGATES) for word in words]
        encoding = self._tokenizer.encode(clean, is_pretokenized=True, add_special_tokens=False)
        pieces: list[list[int]] = [[] for _ in words]
        for piece, owner in zip(encoding.ids, encoding.word_ids, strict=True):
            if owner is not None:  # it is only for special tokens, which are not asked for
                pieces[owner].append(piece)
        return [tuple(each) for each in pieces]
