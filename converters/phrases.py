"""Phrases: words that were marked in labelled texts, found again in other texts.

A phrase counts if it was marked in at least half of the places where its words occur.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from operator import attrgetter
from typing import NamedTuple

from converters.document import Span, Word
from converters.tagged import UNKNOWN, TaggedDocument
from converters.words import words

MIN_SHARE = 0.5
"""Share of a phrase's occurrences that must be marked."""

MAX_PHRASES = 50_000
"""Phrases of a project, the most frequently marked ones."""

MAX_CHARACTERS = 200
"""Longer regions are whole sentences, which hardly occur again."""

# PostgreSQL and UTF-8 cannot store them.
_NOT_STORABLE = re.compile(r"[\x00\ud800-\udfff]")

Key = tuple[str, ...]
"""The words of a phrase as they are compared (`phrase_key`)."""


class Phrase(NamedTuple):
    """Words with a label, ``marked`` so often among their ``occurrences`` in labelled texts."""

    text: str
    label: str
    marked: int = 1
    occurrences: int = 1

    @property
    def share(self) -> float:
        """The share of the occurrences that were marked, in [0, 1]."""
        return min(1.0, self.marked / self.occurrences)


class Match(NamedTuple):
    """The words from ``first`` to ``end`` (exclusive) are a phrase."""

    first: int
    end: int
    phrase: Phrase


def phrase_key(text_words: Iterable[Word]) -> Key:
    """The words without the difference of case, but those that begin with two capitals as written.

    So "Thai" matches "thai", and "US" does not match "us". ``docs/phrases.md`` has the measurements.
    """
    return tuple(map(_folded, (word.text for word in text_words)))


def _folded(word: str) -> str:
    return word if len(word) > 1 and word[:2].isupper() else word.casefold()


class _Node:
    """A place in the tree of all phrases, after some words; ``phrase`` is the one that ends there."""

    __slots__ = ("next", "phrase")

    def __init__(self) -> None:
        self.next: dict[str, _Node] = {}
        self.phrase: Phrase | None = None


class PhraseFinder:
    """Finds phrases in the words of a text; the time does not depend on the number of phrases."""

    def __init__(self, phrases: Iterable[Phrase]) -> None:
        self._root = _Node()
        for phrase in phrases:
            node = self._root
            for word in phrase_key(words(phrase.text)):
                node = node.next.setdefault(word, _Node())
            if node is not self._root:
                node.phrase = phrase

    def longest(self, key: Sequence[str], labels: Collection[str] | None = None) -> Iterator[Match]:
        """From left to right, the longest phrase at each place, without overlaps; only with ``labels``, if given."""
        first = 0
        while first < len(key):
            match = max(self._at(key, first, labels), key=attrgetter("end"), default=None)
            if match:
                yield match
            first = match.end if match else first + 1

    def all(self, key: Sequence[str], labels: Collection[str] | None = None) -> Iterator[Match]:
        """Every place of every phrase, inside of longer ones too."""
        for first in range(len(key)):
            yield from self._at(key, first, labels)

    def _at(self, key: Sequence[str], first: int, labels: Collection[str] | None) -> Iterator[Match]:
        node: _Node | None = self._root
        for end in range(first, len(key)):
            node = node.next.get(key[end]) if node else None
            if node is None:
                return
            if node.phrase and (labels is None or node.phrase.label in labels):
                yield Match(first, end + 1, node.phrase)


def count_phrases(documents: Sequence[TaggedDocument], given: Iterable[Phrase] = ()) -> list[Phrase]:
    """The phrases of labelled documents that count, the most frequently marked ones first, at most `MAX_PHRASES`.

    Of several labels the most frequent one wins. Regions that end inside a word are no phrases, and places whose tags
    are not known are no occurrences. ``given`` phrases count as if they had been marked once more.
    """
    marks: dict[Key, Counter[str]] = {}
    texts: dict[Key, str] = {}
    for phrase in given:
        key = phrase_key(words(phrase.text))
        texts.setdefault(key, phrase.text)
        marks.setdefault(key, Counter())[phrase.label] += 1
    occurrences = Counter(dict.fromkeys(marks, 1))
    text_words = [words(document.text) for document in documents]
    for document, its_words in zip(documents, text_words, strict=True):
        for span, key in _marked(document, its_words):
            texts.setdefault(key, " ".join(document.text[span.start : span.end].split()))
            marks.setdefault(key, Counter())[span.label] += 1
    candidates = {key: Phrase(texts[key], *labels.most_common(1)[0]) for key, labels in marks.items()}
    finder = PhraseFinder(candidates.values())
    for document, its_words in zip(documents, text_words, strict=True):
        occurrences.update(_occurrences(finder, document, its_words))
    counted = [phrase._replace(occurrences=max(1, occurrences[key])) for key, phrase in candidates.items()]
    phrases = [phrase for phrase in counted if phrase.marked >= MIN_SHARE * phrase.occurrences]
    return sorted(phrases, key=lambda phrase: (-phrase.marked, phrase.text))[:MAX_PHRASES]


def _marked(document: TaggedDocument, text_words: Sequence[Word]) -> Iterator[tuple[Span, Key]]:
    """The regions that begin and end with a word and can be stored, with their words."""
    starts = {word.start: number for number, word in enumerate(text_words)}
    ends = {word.end: number + 1 for number, word in enumerate(text_words)}
    for span in document.spans:
        first, end = starts.get(span.start), ends.get(span.end)
        if first is None or end is None or span.end - span.start > MAX_CHARACTERS:
            continue
        if not _NOT_STORABLE.search(document.text, span.start, span.end):
            yield span, phrase_key(text_words[first:end])


def _occurrences(finder: PhraseFinder, document: TaggedDocument, text_words: Sequence[Word]) -> Iterator[Key]:
    unknown = [word for word, tag in zip(document.words, document.tags, strict=True) if tag == UNKNOWN]
    key = phrase_key(text_words)
    for match in finder.all(key, document.labels):
        start, end = text_words[match.first].start, text_words[match.end - 1].end
        if not any(word.start < end and word.end > start for word in unknown):
            yield key[match.first : match.end]
