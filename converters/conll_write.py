"""Documents as CoNLL-2003 files: one token a line, a tag in the last column."""

from __future__ import annotations

import logging
import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from converters.bio import OUTSIDE, Loss, Tagged, spans_to_tags, split_tag
from converters.conll_layout import HEADER, HEADER_ROW, as_column
from converters.document import Document, Span
from converters.sentences import split_sentences
from converters.sidecar import sidecar_line
from converters.streams import Writable
from converters.tagged import TaggedDocument
from converters.words import Tokenizer
from converters.words import words as unicode_words

logger = logging.getLogger(__name__)

_WHITESPACE = re.compile(r"\s")


@dataclass(slots=True)
class Written:
    """What went into a CoNLL file, and ``losses``: the spans that did not, by reason."""

    documents: int = 0
    sentences: int = 0
    tokens: int = 0
    spans: int = 0
    losses: Counter[str] = field(default_factory=Counter)

    def add(self, later: Written) -> None:
        """Take in what was written right after."""
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
    sentences: bool = True,
    language: str = "en",
    labels: Iterable[str] = (),
    on_loss: Callable[[Document, Loss], None] | None = None,
) -> Written:
    """Write documents in the shape of CoNLL-2003, one after the other, without holding more than one.

    ``-DOCSTART- -X- -X- O`` and an empty line before each document, ``token -X- _ TAG`` for each word, an
    empty line after each sentence; ``sentences=False`` makes each document one, ``language`` is for their ends.
    Whitespace, control characters and lone surrogates inside a token become U+FFFD, whitespace inside a label
    becomes ``_``, so that every row has four columns and any UTF-8 stream takes it; labels stay different, and files
    that are written in parts agree on them where ``labels`` names all there can be. To ``sidecar`` goes what makes
    the way back exact (see `converters.sidecar`). Spans that cannot become tags are given to ``on_loss`` one by one,
    or else are counted in one warning of the log.

    Streams are best opened with ``encoding="utf-8", newline="\\n"``. Source: https://aclanthology.org/W03-0419
    """
    written = Written()
    columns = _TagColumns(labels)
    for document in documents:
        tagged = spans_to_tags(document.text, document.spans, tokenizer=tokenizer)
        for loss in tagged.losses:
            written.losses[loss.reason] += 1
            if on_loss:
                on_loss(document, loss)
        cuts = _cuts(document.text, tagged, sentences, language)
        stream.write(_block(tagged, cuts, columns))
        if sidecar:
            parts = (tagged.words[cut.start : cut.stop] for cut in cuts)
            sidecar.write(sidecar_line(document.id, document.text, parts, columns.renamed(document.spans)))
        written.documents += 1
        written.sentences += len(cuts)
        written.tokens += len(tagged.words)
        written.spans += len(document.spans) - len(tagged.losses)
    if not on_loss and (lost := written.losses.total()):
        logger.warning("%d spans are not in the CoNLL file: they overlap others or cover no word.", lost)
    return written


def write_tagged(documents: Iterable[TaggedDocument], stream: Writable) -> None:
    """Write documents that are tagged already, as `write_conll` writes them."""
    columns = _TagColumns(())
    for document in documents:
        stream.write(_block(document, _cuts(document.text, document, sentences=True, language="en"), columns))


def _cuts(text: str, tagged: Tagged | TaggedDocument, sentences: bool, language: str) -> Sequence[range]:
    """Cut a document into sentences; a text without words has none."""
    if sentences:
        return split_sentences(tagged.words, tagged.tags, text, language=language)
    return [range(len(tagged.words))] if tagged.words else []


def _block(tagged: Tagged | TaggedDocument, cuts: Iterable[range], columns: _TagColumns) -> str:
    """Lay out a document: its header and its sentences."""
    tokens = [word.text for word in tagged.words]
    together = "".join(tokens)
    # What is printable has no whitespace but the plain space.
    if not together.isprintable() or " " in together or HEADER in together or "" in tokens:
        tokens = [as_column(token) for token in tokens]
    rows = [f"{token} -X- _ {columns[tag]}\n" for token, tag in zip(tokens, tagged.tags, strict=True)]
    return "".join([f"{HEADER_ROW}\n\n", *("".join(rows[cut.start : cut.stop]) + "\n" for cut in cuts)])


class _TagColumns(dict[str, str]):
    """The column that stands for each tag seen so far; ``labels`` are those of tags, each written in its own way."""

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
        """Tell which labels of some spans are written otherwise, by what is written."""
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
