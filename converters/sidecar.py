"""The file beside a CoNLL file that says what the rows cannot: ids, texts and where each token stands.

One line of JSON a document, in the CoNLL file's order: ``{"id": …, "text": …, "words": [[[0, 5], [6, 11]], …]}``
with the offsets of the words, sentence by sentence, and ``"labels": {"Restaurant_Name": "Restaurant Name"}`` where a
label is written otherwise than it is called. A string that JSON cannot carry (two lone surrogates that would read as
one character) is a list of strings to be joined.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any, NamedTuple

import orjson

from converters.conll_layout import ConllError, as_column
from converters.document import Word

_encode = json.JSONEncoder(separators=(",", ":")).encode

# What some readers of lines take for the end of one.
_LINE_END = re.compile("[\x85\u2028\u2029]")

_SPLIT_PAIR = re.compile("(?<=[\ud800-\udbff])(?=[\udc00-\udfff])")


class SidecarError(ConllError):
    """A sidecar that cannot be read or is of another CoNLL file; the message names the document."""


class Entry(NamedTuple):
    """What a line of the sidecar says of a document; ``offsets`` has the words of all its sentences."""

    id: str
    text: str
    offsets: list[tuple[int, int]]
    labels: Mapping[str, str]
    line: int


def sidecar_line(id: str, text: str, sentences: Iterable[Sequence[Word]], labels: Mapping[str, str]) -> str:
    """Write a document's line; ``labels`` gives the real names of those that are written otherwise."""
    entry: dict[str, Any] = {"id": id, "text": text, "words": [[word[1:] for word in each] for each in sentences]}
    if labels:
        entry["labels"] = labels
    with suppress(TypeError):  # lone surrogates, which UTF-8 does not have
        line = orjson.dumps(entry).decode()
        if line.isascii() or not _LINE_END.search(line):
            return line + "\n"
    entry |= {"id": _exact(id), "text": _exact(text)}
    if labels:
        entry["labels"] = {written: _exact(label) for written, label in labels.items()}
    return _encode(entry) + "\n"


def read_sidecar(lines: Iterable[str]) -> Iterator[Entry]:
    """Read a sidecar line by line, blank ones left out. Raises `SidecarError` for what is none."""
    for number, line in enumerate(lines, start=1):
        if line.strip():
            try:
                yield _entry(json.loads(line), number)
            except (ValueError, TypeError, KeyError, AttributeError) as error:
                raise SidecarError(number, f"of the sidecar is no document ({error!r}): write it anew.") from error


def fit(entry: Entry, tokens: Sequence[str], line: int) -> list[Word]:
    """Give a document's words as they stand in its text, for the tokens from ``line`` of the CoNLL file on.

    Raises `SidecarError` where they are others, or not as many.
    """
    name = f"document {entry.id!r}"
    if len(tokens) != len(entry.offsets):
        problem = f"{name} has {len(tokens)} tokens, in the sidecar {len(entry.offsets)}: only tags may be edited."
        raise SidecarError(line, problem)
    words = [Word(entry.text[start:end], start, end) for start, end in entry.offsets]
    for word, token in zip(words, tokens, strict=True):
        if word.text != token and as_column(word.text) != token:
            problem = f"{name} has the token {token!r}, in the sidecar {word.text!r}: only tags may be edited."
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
        line=line,
    )
