"""Tags texts with phrases that were marked before, until a model serves."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

from backend.inference.bulk import parts
from backend.inference.tagger import OfferedLabels, Tagging
from backend.store import Store
from converters.document import Span
from converters.phrases import Phrase, PhraseFinder, phrase_key
from converters.words import words

_MAX_TAGGERS = 64
"""Projects without a version whose phrases are in memory."""


class PhraseTagger:
    """Marks the longest phrase at each place of a text. Threads may share it.

    A region's score is the share of the phrase's occurrences in labelled texts that were marked. The score of a whole
    text is 0: phrases do not tell how much they miss.
    """

    labels: tuple[str, ...]

    def __init__(self, phrases: Sequence[Phrase]) -> None:
        self._finder = PhraseFinder(phrases)
        self.labels = tuple(dict.fromkeys(phrase.label for phrase in phrases))

    def tag(self, texts: Sequence[str], labels: OfferedLabels | None = None) -> list[Tagging]:
        """One `Tagging` for each text, in order; ``labels`` are those that each text may have."""
        return [tagging for part in self.tag_parts(texts, labels) for tagging in part]

    def tag_parts(self, texts: Sequence[str], labels: OfferedLabels | None = None) -> Iterator[list[Tagging]]:
        """The same in parts."""
        first = 0
        for part in parts(texts):
            offered = labels[first : first + len(part)] if labels else [None] * len(part)
            yield [Tagging(self._spans(text, of_text), 0.0) for text, of_text in zip(part, offered, strict=True)]
            first += len(part)

    def _spans(self, text: str, labels: Collection[str] | None) -> tuple[Span, ...]:
        text_words = words(text)
        return tuple(
            Span(text_words[match.first].start, text_words[match.end - 1].end, match.phrase.label, match.phrase.share)
            for match in self._finder.longest(phrase_key(text_words), labels)
        )


class PhraseTaggers:
    """The taggers of projects' present phrases; threads may share it."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._taggers: dict[str, tuple[int, PhraseTagger]] = {}

    def get(self, uid: str) -> PhraseTagger:
        """The tagger of a project's phrases, built anew when they have changed."""
        number = self._store.phrases.number(uid)
        built = self._taggers.get(uid)
        if built is None or built[0] != number:
            if len(self._taggers) >= _MAX_TAGGERS:
                self._taggers.clear()
            built = self._taggers[uid] = number, PhraseTagger(self._store.phrases.of(uid))
        return built[1]
