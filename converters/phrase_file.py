"""Files of phrases: one a line, a tab, its label.

For example::

    pad thai<TAB>Dish
    Harvard Square<TAB>Location
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple, TextIO

from converters.phrases import MAX_CHARACTERS, MAX_PHRASES, Key, Phrase, phrase_key
from converters.streams import reading_text
from converters.words import words
from label_config import LabelConfig


class PhraseFile(NamedTuple):
    """The phrases of a file, and those that it left out because they have several labels there."""

    phrases: list[Phrase]
    ambiguous: list[str]


def read_phrases(name: str, config: LabelConfig) -> PhraseFile:
    """Read a file of phrases; ``-`` is standard input. Empty lines are skipped.

    Labels are found by name, ``value`` or ``alias``. Raises ``ValueError``, which names the line, where one has not a
    phrase and a label of the configuration.
    """
    phrases: dict[Key, Phrase] = {}
    ambiguous: dict[Key, str] = {}
    with reading_text(name) as lines:
        for number, line in enumerate(lines, start=1):
            if not line.strip():
                continue
            phrase = _phrase(line, f"Line {number} of {name}", config)
            key = phrase_key(words(phrase.text))
            if phrases.setdefault(key, phrase).label != phrase.label:
                ambiguous[key] = phrase.text
    if len(phrases) > MAX_PHRASES:
        raise ValueError(f"{name} has {len(phrases):,} phrases: give at most {MAX_PHRASES:,}.")
    return PhraseFile([phrase for key, phrase in phrases.items() if key not in ambiguous], list(ambiguous.values()))


def write_phrases(phrases: Iterable[Phrase], out: TextIO) -> int:
    """Write phrases in the format that `read_phrases` reads; return how many."""
    number = 0
    for number, phrase in enumerate(phrases, start=1):  # noqa: B007
        out.write(f"{phrase.text}\t{' '.join(phrase.label.split())}\n")
    return number


def _phrase(line: str, place: str, config: LabelConfig) -> Phrase:
    text, tab, rest = line.partition("\t")
    text, label = " ".join(text.split()), rest.strip()
    if not tab or not text or not label or "\t" in label:
        raise ValueError(f"{place} is {line.strip()[:60]!r}: write a phrase, a tab and its label.")
    if len(text) > MAX_CHARACTERS:
        raise ValueError(f"{place} has a phrase of {len(text):,} characters: give at most {MAX_CHARACTERS}.")
    name = next((name for part in config.texts if (name := part.label_named(label))), None)
    if name is None:
        labels = ", ".join(config.labels)
        raise ValueError(f"{place} has the label {label!r}, which the configuration does not have: use {labels}.")
    return Phrase(text, name)
