"""CoNLL files, of any of the usual layouts, as sentences of tokens and BIO tags, and those as documents."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate, chain, islice

from converters.bio import tags_to_spans
from converters.conll_layout import ConllError, Layout, detect_layout, is_header
from converters.document import Document, Span, Word
from converters.schemes import is_tag, to_bio
from converters.sidecar import Entry, SidecarError, fit, read_sidecar

# As much of a file as its layout is told by: the rest is never held.
HEAD_LINES = 10_000


@dataclass(frozen=True, slots=True)
class ConllSentence:
    """Tokens with a BIO tag each; ``repaired`` of the tags were illegal in the file, where it starts at ``line``."""

    tokens: tuple[str, ...]
    tags: tuple[str, ...]
    repaired: int
    line: int


@dataclass(frozen=True, slots=True)
class ConllDocument:
    """The sentences of a document, none of them empty, from ``line`` on; ``layout`` is that of the file."""

    sentences: tuple[ConllSentence, ...]
    layout: Layout | None
    line: int


def read_conll(stream: Iterable[str]) -> Iterator[ConllDocument]:
    """Read a CoNLL file line by line, without holding more than one document and the first `HEAD_LINES` lines.

    Takes the layouts that `detect_layout` tells apart, with blank lines of any number between sentences, any line
    ends and a byte order mark. ``-DOCSTART-`` opens a document that lasts until the next; a sentence before the
    first, or of a file without any, is a document of its own. A file of headers alone has no layout.

    Raises `ConllError`, which names the line, for a row of too many or too few columns, without a token, or with
    something else than a tag.
    """
    lines = _numbered(stream)
    head = list(islice(lines, HEAD_LINES))
    layout = detect_layout(head)
    rows = _rows(chain(head, lines), layout)
    return _documents(rows, layout)


def to_documents(conll: Iterable[ConllDocument], sidecar: Iterable[str] | None = None) -> Iterator[Document]:
    """Turn what `read_conll` gives into documents, with the ids, texts and offsets of the ``sidecar``'s lines.

    Tags count as the CoNLL file has them, edited or not. Without a sidecar the ids are ``"1"``, ``"2"``, … and
    the words are joined by single spaces. Raises `SidecarError` where the two files do not fit each other.
    """
    if sidecar is None:
        for number, document in enumerate(conll, start=1):
            yield _joined(document, str(number))
        return
    entries = read_sidecar(sidecar)
    for document in conll:
        entry = next(entries, None)
        if entry is None:
            raise SidecarError(document.line, "the sidecar ends before this document: write both files anew.")
        yield _restored(document, entry)
    if entry := next(entries, None):
        raise SidecarError(entry.line, f"of the sidecar is document {entry.id!r}, which is not in the CoNLL file.")


def _numbered(stream: Iterable[str]) -> Iterator[tuple[int, str]]:
    for number, line in enumerate(stream, start=1):
        yield number, (line.removeprefix("\ufeff") if number == 1 else line).rstrip("\r\n")


def _rows(lines: Iterable[tuple[int, str]], layout: Layout | None) -> Iterator[tuple[int, list[str]]]:
    """Split the lines into columns; only a row of the right number passes, besides blank lines and headers."""
    for number, line in lines:
        columns = layout.split(line) if layout else line.split()
        if layout and len(columns) != layout.columns and columns and not is_header(columns):
            problem = f"{line!r} has {len(columns)} of the {layout.columns} columns of other rows: mend the row."
            raise ConllError(number, problem)
        yield number, columns


def _documents(rows: Iterable[tuple[int, list[str]]], layout: Layout | None) -> Iterator[ConllDocument]:
    opened: int | None = None
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
        if opened is None and sentences:
            yield ConllDocument((sentences.pop(),), layout, start)
        if columns:
            if opened is not None:
                yield ConllDocument(tuple(sentences), layout, opened)
            opened, sentences = number, []
    if opened is not None:
        yield ConllDocument(tuple(sentences), layout, opened)


def _sentence(rows: Sequence[Sequence[str]], line: int, layout: Layout) -> ConllSentence:
    tokens = tuple([row[layout.token_column] for row in rows])
    tags = [row[layout.tag_column] for row in rows]
    try:
        read = to_bio(tags, layout.scheme)
    except ValueError as error:
        at = next(at for at, tag in enumerate(tags) if not is_tag(tag))
        raise ConllError(line + at, str(error)) from error
    if "" in tokens:
        raise ConllError(line + tokens.index(""), "the token is empty: write one, or leave the line out.")
    return ConllSentence(tokens, read.tags, read.repaired, line)


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
        spans = tuple(Span(it.start, it.end, entry.labels.get(it.label, it.label)) for it in spans)
    return Document(entry.id, entry.text, spans)


def _spans(document: ConllDocument, words: Sequence[Word]) -> tuple[Span, ...]:
    """Read the entities sentence by sentence, since none reaches into the next."""
    spans: list[Span] = []
    at = 0
    for sentence in document.sentences:
        end = at + len(sentence.tags)
        spans += tags_to_spans(words[at:end], sentence.tags)
        at = end
    return tuple(spans)
