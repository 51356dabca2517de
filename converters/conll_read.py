"""Reads CoNLL files of any of the usual layouts as sentences of tokens and BIO tags, and these as documents.

In CoNLL-2003 (other layouts: `converters.conll_layout`)::

    -DOCSTART- -X- O O

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
from converters.conll_detect import detect_layout
from converters.conll_layout import ConllError, ConllOptions, Layout, is_header, split_row, with_whole_tag
from converters.document import Document, Span, Word
from converters.schemes import is_tag, to_bio
from converters.sidecar import Entry, SidecarError, fit, read_sidecar
from converters.tag_forms import PLAIN

_BOM = "\ufeff"

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
    """The sentences of a document, none of them empty; ``line`` is its first line, ``layout`` the file's layout.

    ``header`` tells whether the first line is a ``-DOCSTART-`` row, ``split`` whether `split_only_document` made the
    document.
    """

    sentences: tuple[ConllSentence, ...]
    layout: Layout | None
    line: int
    header: bool = False
    split: bool = False


def read_conll(stream: Iterable[str], options: ConllOptions | None = None) -> Iterator[ConllDocument]:
    """Read a CoNLL file line by line; at most one document and the first `HEAD_LINES` lines are in memory.

    Accepts the layouts that `detect_layout` distinguishes, any number of blank lines between sentences, any line ends
    and byte order marks. Rows that only name the columns, comments (at the beginning of a sentence), and the rows of
    CoNLL-U that are no words are left out. ``-DOCSTART-`` begins a document, which ends at the next; a sentence before
    the first one, or in a file without any, is a document of its own. A file of headers only has no layout.

    Raises `ConllError`, which names the line, for a row with too many or too few columns, without a token, or with
    something other than a tag.
    """
    lines = _numbered(stream)
    head = list(islice(lines, HEAD_LINES))
    layout = detect_layout(head, options)
    rows = _rows(chain(head, lines), layout)
    return _documents(rows, layout)


def split_only_document(documents: Iterable[ConllDocument]) -> Iterator[ConllDocument]:
    """Make each sentence a document where one ``-DOCSTART-`` begins the whole file, and no document follows.

    Such a header is no document: Label Studio's own CoNLL2003 export has one, and then a sentence for each task.
    """
    rest = iter(documents)
    first = next(rest, None)
    if first is None:
        return
    second = next(rest, None)
    if second is None and first.header and first.sentences:
        for sentence in first.sentences:
            yield ConllDocument((sentence,), first.layout, sentence.line, split=True)
        return
    yield first
    if second is not None:
        yield second
    yield from rest


def to_documents(conll: Iterable[ConllDocument], sidecar: Iterable[str] | None = None) -> Iterator[Document]:
    """Convert the documents of `read_conll`, with the ids, texts and offsets in the lines of the ``sidecar``.

    Tags are taken from the CoNLL file, edited or not. Without a sidecar the ids are ``"1"``, ``"2"``, …, words are
    joined by single spaces, sentences by line ends, and a lone header is none (see `split_only_document`). Raises
    `SidecarError` where the two files do not match.
    """
    if sidecar is None:
        for number, document in enumerate(split_only_document(conll), start=1):
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
        if line >= _BOM and line.startswith(_BOM):  # the comparison alone is faster
            line = line.removeprefix(_BOM) if number == 1 else _without_bom(line)
        yield number, line.rstrip("\r\n")


def _without_bom(line: str) -> str:
    """Remove a byte order mark, which files that were joined have in their middle; before a space it is a token."""
    rest = line.lstrip(_BOM)
    return line if rest.startswith((" ", "\t")) and rest.strip() else rest


def _rows(lines: Iterable[tuple[int, str]], layout: Layout | None) -> Iterator[tuple[int, list[str]]]:
    """Split the lines into columns; a row that is not blank and not a header must have the right number."""
    if layout is None:
        yield from ((number, line.split()) for number, line in lines)
        return
    is_plain = not (layout.row_column is not None or layout.names or layout.sentence_column is not None)
    usual, separator = layout.columns, layout.separator
    before: list[str] = []
    sentence = ""
    for number, line in lines:
        columns = split_row(line, separator)
        if columns and not (is_plain and len(columns) == usual and line[0] != "#") and not is_header(columns):
            begins = not before or is_header(before)
            if layout.whole_tag:
                columns = with_whole_tag(line, columns)
            if layout.is_left_out(columns, begins=begins):
                continue
            _check_columns(number, line, columns, layout)
            if layout.sentence_column is not None and (name := columns[layout.sentence_column]):
                if not begins and name != sentence:
                    yield number, []
                sentence = name
        before = columns
        yield number, columns


def _check_columns(number: int, line: str, columns: Sequence[str], layout: Layout) -> None:
    if len(columns) != layout.columns and not layout.is_readable(columns):
        problem = f"{line!r} has {len(columns)} of the {layout.columns} columns of other rows: correct the row."
        if line.startswith("#"):
            problem = f"{problem[:-1]}, or delete it if it is a comment."
        raise ConllError(number, problem)


def _documents(rows: Iterable[tuple[int, list[str]]], layout: Layout | None) -> Iterator[ConllDocument]:
    header: int | None = None
    sentences: list[ConllSentence] = []
    sentence: list[tuple[int, list[str]]] = []
    for row in chain(rows, [(0, [])]):
        number, columns = row
        if columns and not is_header(columns):
            sentence.append(row)
            continue
        if sentence and layout:
            sentences.append(_sentence(sentence, layout))
            sentence = []
        if header is None and sentences:
            only = sentences.pop()
            yield ConllDocument((only,), layout, only.line)
        if columns:
            if header is not None:
                yield ConllDocument(tuple(sentences), layout, header, header=True)
            header, sentences = number, []
    if header is not None:
        yield ConllDocument(tuple(sentences), layout, header, header=True)


def _sentence(rows: Sequence[tuple[int, Sequence[str]]], layout: Layout) -> ConllSentence:
    token_column, tag_column = layout.token_column, layout.tag_column
    tokens = tuple([row[token_column] for _, row in rows])
    tags = [row[tag_column] for _, row in rows]
    if layout.form is not PLAIN:
        tags = [layout.form.plain(tag) or tag for tag in tags]
    try:
        converted = to_bio(tags, layout.scheme)
    except ValueError as error:
        line, tag = next((line, tag) for (line, _), tag in zip(rows, tags, strict=True) if not is_tag(tag))
        raise ConllError(line, f"{error}{_hint(line, tag, layout)}") from error
    if "" in tokens:
        raise ConllError(rows[tokens.index("")][0], "the token is empty: write one, or delete the line.")
    return ConllSentence(tokens, converted.tags, converted.repaired, rows[0][0])


def _hint(line: int, tag: str, layout: Layout) -> str:
    """What a value in place of a tag may be: a type without a prefix, or the column's name."""
    is_name = line == layout.line
    if not layout.has_labels and tag.isalpha():
        names = "; if this row names the columns, delete it" if is_name else ""
        return f" If {tag!r} is a type without a prefix, give --tag-column {layout.tag_column + 1}{names}."
    return " If this row names the columns, delete it." if is_name else ""


def _joined(document: ConllDocument, name: str) -> Document:
    text = "\n".join([" ".join(sentence.tokens) for sentence in document.sentences])
    tokens = [token for sentence in document.sentences for token in sentence.tokens]
    starts = accumulate((len(token) + 1 for token in tokens), initial=0)
    words = [Word(token, start, start + len(token)) for token, start in zip(tokens, starts, strict=False)]
    return Document(name, text, _spans(document, words), sentence_per_line=True)


def _restored(document: ConllDocument, entry: Entry) -> Document:
    tokens = [token for sentence in document.sentences for token in sentence.tokens]
    words = fit(entry, tokens, document.line)
    spans = _spans(document, words)
    if entry.labels:
        spans = tuple(Span(span.start, span.end, entry.labels.get(span.label, span.label)) for span in spans)
    return Document(entry.id, entry.text, spans, text_name=entry.text_name, sentence_per_line=entry.sentence_per_line)


def _spans(document: ConllDocument, words: Sequence[Word]) -> tuple[Span, ...]:
    """Read the entities sentence by sentence, since no entity continues in the next sentence."""
    spans: list[Span] = []
    start = 0
    for sentence in document.sentences:
        end = start + len(sentence.tags)
        spans += tags_to_spans(words[start:end], sentence.tags)
        start = end
    return tuple(spans)
