"""Reads CoNLL files of any of the usual layouts as sentences of tokens and BIO tags, and these as documents.

In CoNLL-2003 (other layouts: `converters.conll_layout`)::

    -DOCSTART- -X- -X- O

    Yelp NNP B-NP B-ORG
    in IN B-PP O
    Boston NNP B-NP B-LOC

becomes a `ConllDocument` of one sentence with the tokens ``Yelp``, ``in``, ``Boston``, and then, without a sidecar, the
`Document` ``"Yelp in Boston"`` with the spans 0 to 4 (ORG) and 8 to 14 (LOC).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate, chain, islice

from converters.bio import tags_to_spans
from converters.conll_layout import ConllError, Layout, detect_layout, is_header
from converters.document import Document, Span, Word
from converters.schemes import is_tag, to_bio
from converters.sidecar import Entry, SidecarError, fit, read_sidecar

HEAD_LINES = 10_000
"""The lines from which the layout is detected; the rest of a file is never held in memory."""


@dataclass(frozen=True, slots=True)
class ConllSentence:
    """Tokens with one BIO tag each; ``repaired`` is the number of tags that were illegal, ``line`` the first line."""

    tokens: tuple[str, ...]
    tags: tuple[str, ...]
    repaired: int
    line: int


@dataclass(frozen=True, slots=True)
class ConllDocument:
    """The sentences of a document, none of them empty; ``line`` is its first line, ``layout`` the file's layout."""

    sentences: tuple[ConllSentence, ...]
    layout: Layout | None
    line: int


def read_conll(stream: Iterable[str]) -> Iterator[ConllDocument]:
    """Read a CoNLL file line by line; at most one document and the first `HEAD_LINES` lines are in memory.

    Accepts the layouts that `detect_layout` distinguishes, any number of blank lines between sentences, any line ends
    and a byte order mark. ``-DOCSTART-`` begins a document, which ends at the next; a sentence before the first one, or
    in a file without any, is a document of its own. A file of headers only has no layout.

    Raises `ConllError`, which names the line, for a row with too many or too few columns, without a token, or with
    something other than a tag.
    """
    lines = _numbered(stream)
    head = list(islice(lines, HEAD_LINES))
    layout = detect_layout(head)
    rows = _rows(chain(head, lines), layout)
    return _documents(rows, layout)


def to_documents(conll: Iterable[ConllDocument], sidecar: Iterable[str] | None = None) -> Iterator[Document]:
    """Convert the documents of `read_conll`, with the ids, texts and offsets in the lines of the ``sidecar``.

    Tags are taken from the CoNLL file, edited or not. Without a sidecar the ids are ``"1"``, ``"2"``, … and the words
    are joined by single spaces. Raises `SidecarError` where the two files do not match.
    """
    if sidecar is None:
        for number, document in enumerate(conll, start=1):
            yield _joined(document, str(number))
        return
    entries = read_sidecar(sidecar)
    for document in conll:
        entry = next(entries, None)
        if entry is None:
            raise SidecarError(document.line, "the sidecar ends before this document: export both files again.")
        yield _restored(document, entry)
    if entry := next(entries, None):
        raise SidecarError(entry.line, f"of the sidecar is document {entry.id!r}, which is not in the CoNLL file.")


def _numbered(stream: Iterable[str]) -> Iterator[tuple[int, str]]:
    for number, line in enumerate(stream, start=1):
        yield number, (line.removeprefix("\ufeff") if number == 1 else line).rstrip("\r\n")


def _rows(lines: Iterable[tuple[int, str]], layout: Layout | None) -> Iterator[tuple[int, list[str]]]:
    """Split the lines into columns; a row that is not blank and not a header must have the right number."""
    for number, line in lines:
        columns = layout.split(line) if layout else line.split()
        if layout and len(columns) != layout.columns and columns and not is_header(columns):
            problem = f"{line!r} has {len(columns)} of the {layout.columns} columns of other rows: correct the row."
            raise ConllError(number, problem)
        yield number, columns


def _documents(rows: Iterable[tuple[int, list[str]]], layout: Layout | None) -> Iterator[ConllDocument]:
    header: int | None = None
    sentences: list[ConllSentence] = []
    sentence: list[list[str]] = []
    start = 0
    for number, columns in chain(rows, [(0, [])]):
        if columns and not is_header(columns):
            start = start if sentence else number
            sentence.append(columns)
            continue
        if sentence and layout:
            sentences.append(_sentence(sentence, start, layout))
            sentence = []
        if header is None and sentences:
            yield ConllDocument((sentences.pop(),), layout, start)
        if columns:
            if header is not None:
                yield ConllDocument(tuple(sentences), layout, header)
            header, sentences = number, []
    if header is not None:
        yield ConllDocument(tuple(sentences), layout, header)


def _sentence(rows: Sequence[Sequence[str]], line: int, layout: Layout) -> ConllSentence:
    tokens = tuple([row[layout.token_column] for row in rows])
    tags = [row[layout.tag_column] for row in rows]
    try:
        converted = to_bio(tags, layout.scheme)
    except ValueError as error:
        row = next(row for row, tag in enumerate(tags) if not is_tag(tag))
        raise ConllError(line + row, str(error)) from error
    if "" in tokens:
        raise ConllError(line + tokens.index(""), "the token is empty: write one, or delete the line.")
    return ConllSentence(tokens, converted.tags, converted.repaired, line)


def _joined(document: ConllDocument, name: str) -> Document:
    tokens = [token for sentence in document.sentences for token in sentence.tokens]
    starts = accumulate((len(token) + 1 for token in tokens), initial=0)
    words = [Word(token, start, start + len(token)) for token, start in zip(tokens, starts, strict=False)]
    return Document(name, " ".join(tokens), _spans(document, words))


def _restored(document: ConllDocument, entry: Entry) -> Document:
    tokens = [token for sentence in document.sentences for token in sentence.tokens]
    words = fit(entry, tokens, document.line)
    spans = _spans(document, words)
    if entry.labels:
        spans = tuple(Span(span.start, span.end, entry.labels.get(span.label, span.label)) for span in spans)
    return Document(entry.id, entry.text, spans)


def _spans(document: ConllDocument, words: Sequence[Word]) -> tuple[Span, ...]:
    """Read the entities sentence by sentence, since no entity continues in the next sentence."""
    spans: list[Span] = []
    start = 0
    for sentence in document.sentences:
        end = start + len(sentence.tags)
        spans += tags_to_spans(words[start:end], sentence.tags)
        start = end
    return tuple(spans)
