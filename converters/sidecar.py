"""The sidecar of a CoNLL file: document ids, exact texts and the offset of each token, which CoNLL cannot hold.

One line of JSON per document, in the order of the CoNLL file::

    {"id": "7", "text": "Yelp in Boston", "words": [[[0, 4], [5, 7], [8, 14]]], "labels": {"Name_1": "Name 1"}}

``words`` are the offsets of the words, sentence by sentence; ``labels`` are the real names of labels that had to be
written differently; ``"sentences": "lines"`` means that each line of the text is a sentence, and
``"text_name"`` is the ``<Text>`` of a task that has several. A string that JSON cannot represent (two lone surrogates
that would be read as one character) is written as a list of strings to be joined.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any, NamedTuple

import orjson

from converters.conll_layout import ConllError, as_column
from converters.document import LINES, Document, Word

_encode = json.JSONEncoder(separators=(",", ":")).encode

# Some programs treat these characters as line ends.
_LINE_END = re.compile("[\x85\u2028\u2029]")

_SPLIT_PAIR = re.compile("(?<=[\ud800-\udbff])(?=[\udc00-\udfff])")


class SidecarError(ConllError):
    """A sidecar that cannot be read or belongs to another CoNLL file; the message names the document."""


class Entry(NamedTuple):
    """One line of the sidecar; ``offsets`` are those of the words of all sentences."""

    id: str
    text: str
    offsets: list[tuple[int, int]]
    labels: Mapping[str, str]
    sentence_per_line: bool
    text_name: str
    line: int


def sidecar_line(document: Document, sentences: Iterable[Sequence[Word]], labels: Mapping[str, str]) -> str:
    """Write a document's line; ``labels`` maps labels as written to their real names, where these differ."""
    offsets = [[word[1:] for word in sentence] for sentence in sentences]
    entry: dict[str, Any] = {"id": document.id, "text": document.text, "words": offsets}
    if labels:
        entry["labels"] = labels
    if document.sentence_per_line:
        entry["sentences"] = LINES
    if document.text_name:
        entry["text_name"] = document.text_name
    with suppress(TypeError):  # raised for lone surrogates, which UTF-8 cannot encode
        line = orjson.dumps(entry).decode()
        if line.isascii() or not _LINE_END.search(line):
            return line + "\n"
    entry |= {"id": _exact(document.id), "text": _exact(document.text)}
    if labels:
        entry["labels"] = {written: _exact(label) for written, label in labels.items()}
    return _encode(entry) + "\n"


def read_sidecar(lines: Iterable[str]) -> Iterator[Entry]:
    """Read a sidecar line by line, without blank lines. Raises `SidecarError` for a line that is not an entry."""
    for number, line in enumerate(lines, start=1):
        if line.strip():
            try:
                yield _entry(json.loads(line), number)
            except json.JSONDecodeError as error:
                raise _unreadable(number, "it is not JSON") from error
            except (ValueError, TypeError, KeyError, AttributeError) as error:
                raise _unreadable(number, "it does not hold an id, a text and the offsets of its words") from error


def _unreadable(line: int, reason: str) -> SidecarError:
    return SidecarError(line, f"of the sidecar cannot be read, since {reason}: export both files again.")


def fit(entry: Entry, tokens: Sequence[str], line: int) -> list[Word]:
    """The document's words as they are in its text, for the tokens from ``line`` of the CoNLL file on.

    Raises `SidecarError` if the tokens differ, or their number.
    """
    name = f"document {entry.id!r}"
    if len(tokens) != len(entry.offsets):
        problem = f"{name} has {len(tokens)} tokens, {len(entry.offsets)} in the sidecar: edit only the tags."
        raise SidecarError(line, problem)
    words = [Word(entry.text[start:end], start, end) for start, end in entry.offsets]
    for word, token in zip(words, tokens, strict=True):
        if word.text != token and as_column(word.text).lstrip("\ufeff") != token.lstrip("\ufeff"):
            problem = f"{name} has the token {token!r}, {word.text!r} in the sidecar: edit only the tags."
            raise SidecarError(line, problem)
    return words


def _exact(value: str) -> str | list[str]:
    parts = _SPLIT_PAIR.split(value)
    return value if len(parts) == 1 else parts


def _string(value: Any) -> str:
    return value if isinstance(value, str) else "".join(value)


def _entry(value: Any, line: int) -> Entry:
    return Entry(
        id=_string(value["id"]),
        text=_string(value["text"]),
        offsets=[(int(start), int(end)) for sentence in value["words"] for start, end in sentence],
        labels={written: _string(label) for written, label in value.get("labels", {}).items()},
        sentence_per_line=value.get("sentences") == LINES,
        text_name=_string(value.get("text_name", "")),
        line=line,
    )
