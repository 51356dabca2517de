"""Documents as CoNLL-2003 files: one token a line, a tag in the last column."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import TextIO

from converters.bio import Tagged, spans_to_tags
from converters.document import Document, Word

logger = logging.getLogger(__name__)

DOCSTART = "-DOCSTART- -X- -X- O"

# Readers split rows at whitespace and files at whatever ends a line; a lone surrogate has no UTF-8 form
# at all.
_WHITESPACE = re.compile(r"\s")
_UNWRITABLE = re.compile(r"[\s\x00-\x1f\x7f-\x9f\ud800-\udfff]")


def write_conll(documents: Iterable[Document], stream: TextIO) -> None:
    """Write documents in the shape of CoNLL-2003, each as one sentence.

    ``-DOCSTART- -X- -X- O`` and an empty line before each document, ``token -X- _ TAG`` for each word, an
    empty line after each sentence. Whitespace, control characters and lone surrogates inside a token
    become U+FFFD, whitespace inside a label becomes ``_``, so that every row has four columns and any
    UTF-8 stream takes it; two labels that differ in nothing else become one. Spans that cannot become
    tags are counted in one warning of the log.

    ``stream`` is best opened with ``encoding="utf-8", newline="\\n"``. Source: https://aclanthology.org/W03-0419
    """
    spans_lost = 0
    for document in documents:
        tagged = spans_to_tags(document.text, document.spans)
        spans_lost += len(tagged.losses)
        stream.write(f"{DOCSTART}\n\n")
        for sentence in _sentences(tagged):
            stream.writelines(_row(word.text, tag) for word, tag in sentence)
            stream.write("\n")
    if spans_lost:
        logger.warning("%d spans are not in the CoNLL file: they overlap others or cover no word.", spans_lost)


def _sentences(tagged: Tagged) -> Iterator[Sequence[tuple[Word, str]]]:
    """Cut a document into sentences: the whole of it is one, and a text without words has none."""
    if tagged.words:
        yield list(zip(tagged.words, tagged.tags, strict=True))


def _row(token: str, tag: str) -> str:
    return f"{_column(token)} -X- _ {_column(_WHITESPACE.sub('_', tag))}\n"


def _column(value: str) -> str:
    return _UNWRITABLE.sub("\N{REPLACEMENT CHARACTER}", value)
