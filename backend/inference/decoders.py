"""From the scores of words to regions, for the versions that this service trains."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Protocol

from backend.inference.decode import Floats, Ints, Mask, Viterbi, tag_mask
from backend.inference.entities import EntityFinder
from converters.bio import OUTSIDE, starts, transitions


class Decoder(Protocol):
    """Turns scores into tags, and tags into regions. Texts are concatenated; ``sizes`` are the words of each.

    ``labels`` are those that it finds, ``width`` is the number of tags, ``outside`` the id of ``O``.
    """

    labels: tuple[str, ...]
    width: int
    outside: int

    def mask(self, labels: Collection[str] | None) -> Mask:
        """Which tags, of shape (tags,), a text may have that offers only ``labels``; ``None``: it offers all."""

    def best_tags(self, scores: Floats, sizes: Ints, /) -> Ints:
        """The tag id of each word; ``scores`` are log-probabilities of shape (words, tags)."""

    def regions(self, tags: Ints, sizes: Ints, /) -> tuple[Ints, Ints, list[str]]:
        """For each region, in order: its first word, the word after its last, and its label."""


class BioDecoder:
    """Finds the best legal sequence of BIO tags, and its entities."""

    def __init__(self, tags: Sequence[str]) -> None:
        self._tags = tuple(tags)
        self.width = len(tags)
        self.outside = self._tags.index(OUTSIDE)
        self.labels: tuple[str, ...] = tuple(dict.fromkeys(tag[2:] for tag in tags if tag != OUTSIDE))
        self._viterbi = Viterbi(transitions(list(tags)), starts(list(tags)))
        self._entities = EntityFinder(tags)

    def mask(self, labels: Collection[str] | None) -> Mask:
        return tag_mask(self._tags, labels)

    def best_tags(self, scores: Floats, sizes: Ints) -> Ints:
        return self._viterbi.best_tags(scores, sizes)

    def regions(self, tags: Ints, _sizes: Ints, /) -> tuple[Ints, Ints, list[str]]:
        first, after = self._entities.find(tags)
        names = self._entities.labels
        return first, after, [names[tag] for tag in tags[first].tolist()]
