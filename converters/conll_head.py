"""The first lines of a CoNLL file: its rows by sentence, apart from comments and the row that names the columns."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain

from converters.bio import OUTSIDE
from converters.conll_layout import SPACE, TAB, ConllError, is_header, split_row, with_whole_tag
from converters.schemes import is_tag
from converters.tag_forms import detect_form

TOKEN_NAMES = ("token", "tokens", "word", "words", "form", "term", "text", "surface")
TAG_NAMES = (
    *("ner", "ner_tag", "ner_tags", "ner-tag", "nertag", "ne", "entity", "entities"),
    *("iob", "bio", "iob_tag", "bio_tag"),
    *("tag", "tags", "label", "labels", "type", "class", "slot", "gold"),
    *("ne-coarse-lit",),
)

Line = tuple[int, str]
Row = Sequence[str]


@dataclass(frozen=True, slots=True)
class Marked:
    """A line that begins with ``#``, and whether it ``begins`` a sentence."""

    line: str
    begins: bool


@dataclass(frozen=True, slots=True)
class Head:
    """The first rows of a file, by sentence, without comments: ``body`` are those with the usual number of columns.

    ``whole_tag``: all of a row after its third column is the tag, as in Label Studio's own export.
    """

    line: int
    separator: str
    columns: int
    names: tuple[str, ...]
    sentences: Sequence[Sequence[Row]]
    body: Sequence[Row]
    lines: Sequence[Line]
    whole_tag: bool = False

    @classmethod
    def of(cls, sentences: Sequence[Sequence[Line]]) -> Head:
        """Split the rows. Raises `ConllError` where they have only one column."""
        lines = [line for sentence in sentences for _, line in sentence]
        number = sentences[0][0][0]
        names = _column_names(lines[0], lines[1:]) if len(lines) > 1 else ()
        tabs = all(TAB in line.rstrip(" \t") for line in (lines[1:] if names else lines))
        separator = TAB if tabs else SPACE
        rows = [[split_row(line, separator) for _, line in sentence] for sentence in sentences]
        whole_tag = separator == SPACE and all(row[1:3] == ["-X-", "_"] for sentence in rows for row in sentence)
        if whole_tag:
            rows = [
                [with_whole_tag(line, row) for (_, line), row in zip(sentence, of_it, strict=True)]
                for sentence, of_it in zip(sentences, rows, strict=True)
            ]
        if names:
            rows[0] = rows[0][1:]
        columns = Counter(len(row) for sentence in rows for row in sentence).most_common(1)[0][0]
        if columns < 2:
            row = next(row for sentence in rows for row in sentence)
            problem = f"there is only {row[0]!r}: write a token and its tag, with a space or a tab between them."
            raise ConllError(number, problem)
        body = [row for sentence in rows for row in sentence if len(row) == columns]
        return cls(number, separator, columns, names, rows, body, [*chain.from_iterable(sentences)], whole_tag)

    def counts(self, column: int) -> Counter[str]:
        """How often each value of a column occurs."""
        return Counter(row[column] for row in self.body)

    def named(self, names: Sequence[str]) -> int | None:
        """The column that the row of names calls by the first of these."""
        columns = [name.lower() for name in self.names] if len(self.names) == self.columns else []
        return next((columns.index(name) for name in names if name in columns), None)

    def line_of(self, column: int, value: str) -> int:
        """The number of the first line with a value in a column."""
        rows = ((number, split_row(line, self.separator)) for number, line in self.lines)
        return next((number for number, row in rows if row[column : column + 1] == [value]), self.line)

    def padded(self) -> list[list[Row]]:
        """The sentences, their rows filled up to the usual number of columns."""
        filler = [""] * self.columns
        return [[[*row, *filler[len(row) :]] for row in sentence] for sentence in self.sentences if sentence]


def split_sentences(lines: Sequence[Line]) -> tuple[list[list[Line]], list[Marked]]:
    """The rows by sentence, and, apart from them, the lines that begin with ``#``.

    If all lines begin with ``#``, they are rows.
    """
    sentences: list[list[Line]] = [[]]
    marked: list[Marked] = []
    for number, line in lines:
        columns = split_row(line, SPACE)
        if not columns or is_header(columns):
            sentences.append([])
        elif not line.startswith("#"):
            sentences[-1].append((number, line))
        else:
            marked.append(Marked(line, not sentences[-1]))
    rows = [sentence for sentence in sentences if sentence]
    if not rows and marked:
        return [[(number, line) for number, line in lines if line.startswith("#")]], []
    return rows, marked


def _column_names(line: str, rest: Sequence[str]) -> tuple[str, ...]:
    """The names of the columns if a row names them: it names that of the tokens, and holds no tag.

    It also names that of the tags, or has something else than a tag in a column in which the rows below have tags.
    """
    separator = TAB if TAB in line else SPACE
    columns = split_row(line, separator)
    names = [column.lower() for column in columns]
    if {*TOKEN_NAMES}.isdisjoint(names) or any(map(is_tag, columns)):
        return ()
    if not {*TAG_NAMES}.isdisjoint(names):
        return tuple(columns)
    rows = [split_row(row, separator) for row in rest]
    rows = [row for row in rows if len(row) == len(columns)]
    below_tags = (
        name.lower() not in TOKEN_NAMES and _holds_tags(rows, column, name) for column, name in enumerate(columns)
    )
    return tuple(columns) if any(below_tags) else ()


def _holds_tags(rows: Sequence[Row], column: int, name: str) -> bool:
    """Whether most rows have a tag with a prefix in a column in which ``name`` is no tag."""
    counts = Counter(row[column] for row in rows)
    form, size = detect_form(counts)
    has_labels = any(form.plain(value) not in (None, OUTSIDE) for value in counts)
    return has_labels and size * 2 > len(rows) and form.plain(name) is None
