"""Writes documents as CoNLL-2003: one token per line, its tag in the last column.

``Document("7", "Yelp in Boston", (Span(0, 4, "ORG"), Span(8, 14, "LOC")))`` becomes::

    -DOCSTART- -X- O O

    Yelp -X- _ B-ORG
    in -X- _ O
    Boston -X- _ B-LOC

and the line of `converters.sidecar` that holds its id, its exact text and the offsets.
"""

from __future__ import annotations

import logging
import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Literal

from converters.bio import OUTSIDE, Loss, Tagged, spans_to_tags, split_tag
from converters.conll_layout import HEADER, HEADER_ROW, as_column
from converters.document import Document, Span
from converters.sentences import split_lines, split_sentences
from converters.sidecar import sidecar_line
from converters.streams import Writable
from converters.tagged import TaggedDocument
from converters.words import Tokenizer
from converters.words import words as unicode_words

logger = logging.getLogger(__name__)

Sentences = bool | Literal["lines"]

_WHITESPACE = re.compile(r"\s")


@dataclass(slots=True)
class Written:
    """Counts of what was written to a CoNLL file; ``losses`` are the spans that were not written, by reason."""

    documents: int = 0
    sentences: int = 0
    tokens: int = 0
    spans: int = 0
    losses: Counter[str] = field(default_factory=Counter)

    def add(self, later: Written) -> None:
        """Add what was written after this."""
        self.documents += later.documents
        self.sentences += later.sentences
        self.tokens += later.tokens
        self.spans += later.spans
        self.losses += later.losses


def write_conll(
    documents: Iterable[Document],
    stream: Writable,
    *,
    sidecar: Writable | None = None,
    tokenizer: Tokenizer = unicode_words,
    sentences: Sentences = True,
    language: str = "en",
    labels: Iterable[str] = (),
    on_loss: Callable[[Document, Loss], None] | None = None,
) -> Written:
    """Write documents as CoNLL-2003, one after the other; at most one is in memory.

    ``-DOCSTART- -X- O O`` and an empty line before each document, ``token -X- _ TAG`` for each word, an empty line
    after each sentence. ``sentences=False`` writes each document as one sentence, ``sentences="lines"`` each line;
    ``language`` is used to find sentence ends, unless the document has a sentence per line. Whitespace, control
    characters and lone surrogates inside a token become U+FFFD and whitespace inside a label becomes ``_``, so that
    every row has four columns and can be encoded as UTF-8. Labels stay distinct; in files that are written in parts
    they are the same in every part if ``labels`` lists all of them. ``sidecar`` gets the lines from which documents can
    be restored exactly (see `converters.sidecar`). ``on_loss`` is called for every span that cannot become tags;
    without it they are counted in one warning of the log.

    Open streams with ``encoding="utf-8", newline="\\n"``. Source: https://aclanthology.org/W03-0419
    """
    written = Written()
    columns = _TagColumns(labels)
    for document in documents:
        tagged = spans_to_tags(document.text, document.spans, tokenizer=tokenizer)
        for loss in tagged.losses:
            written.losses[loss.reason] += 1
            if on_loss:
                on_loss(document, loss)
        cuts = cut_sentences(document, tagged, sentences, language)
        stream.write(_block(tagged, cuts, columns))
        if sidecar:
            parts = (tagged.words[cut.start : cut.stop] for cut in cuts)
            sidecar.write(sidecar_line(document, parts, columns.renamed(document.spans)))
        written.documents += 1
        written.sentences += len(cuts)
        written.tokens += len(tagged.words)
        written.spans += len(document.spans) - len(tagged.losses)
    if not on_loss and (lost := written.losses.total()):
        logger.warning("%d spans are not in the CoNLL file: they overlap others or cover no word.", lost)
    return written


def write_tagged(documents: Iterable[TaggedDocument], stream: Writable) -> None:
    """Write documents that are tagged already, in the format of `write_conll`; without those with an unknown tag."""
    columns = _TagColumns(())
    for document in documents:
        if document.is_complete:
            stream.write(_block(document, cut_sentences(document, document, sentences=True, language="en"), columns))


def cut_sentences(
    document: Document | TaggedDocument, tagged: Tagged | TaggedDocument, sentences: Sentences, language: str
) -> Sequence[range]:
    """Split a document into sentences; a text without words has none."""
    if sentences == "lines" or (sentences and document.sentence_per_line):
        return split_lines(tagged.words, tagged.tags, document.text)
    if sentences:
        return split_sentences(tagged.words, tagged.tags, document.text, language=language)
    return [range(len(tagged.words))] if tagged.words else []


def _block(tagged: Tagged | TaggedDocument, cuts: Iterable[range], columns: _TagColumns) -> str:
    """The rows of a document: its header and its sentences."""
    tokens = [word.text for word in tagged.words]
    joined = "".join(tokens)
    # Printable text has no whitespace except U+0020.
    if not joined.isprintable() or " " in joined or HEADER in joined.upper() or "" in tokens:
        tokens = [as_column(token) for token in tokens]
    rows = [f"{token} -X- _ {columns[tag]}\n" for token, tag in zip(tokens, tagged.tags, strict=True)]
    return "".join([f"{HEADER_ROW}\n\n", *("".join(rows[cut.start : cut.stop]) + "\n" for cut in cuts)])


class _TagColumns(dict[str, str]):
    """Maps tags to the text of their column; ``labels`` maps labels to how they are written, all distinct."""

    def __init__(self, labels: Iterable[str]) -> None:
        super().__init__({OUTSIDE: OUTSIDE})
        self.labels: dict[str, str] = {}
        self._renamed: dict[str, str] = {}
        for label in labels:
            self._name(label)

    def __missing__(self, tag: str) -> str:
        prefix, label = split_tag(tag)
        self._name(label)
        self[tag] = f"{prefix}-{self.labels[label]}"
        return self[tag]

    def renamed(self, spans: Iterable[Span]) -> dict[str, str]:
        """The labels of some spans that are written differently, by how they are written."""
        if not self._renamed:
            return {}
        return {self._renamed[span.label]: span.label for span in spans if span.label in self._renamed}

    def _name(self, label: str) -> None:
        if label not in self.labels:
            self.labels[label] = self._free(as_column(_WHITESPACE.sub("_", label)) if label else "")
            if self.labels[label] != label:
                self._renamed[label] = self.labels[label]

    def _free(self, wanted: str) -> str:
        taken = set(self.labels.values())
        numbered = (f"{wanted}_{number}" for number in range(2, len(taken) + 3))
        return wanted if wanted not in taken else next(name for name in numbered if name not in taken)
