"""The layout of a CoNLL file: which column holds the tokens, which the tags, and how columns are separated.

Three of the layouts, for "Yelp in Boston"::

    -DOCSTART- -X- -X- O        Yelp<TAB>B-ORG       B-ORG Yelp
                                in<TAB>O             O in
    Yelp NNP B-NP B-ORG         Boston<TAB>B-LOC     B-LOC Boston
    in IN B-PP O
    Boston NNP B-NP B-LOC

    CoNLL-2003                  2 columns            tag first

Source of CoNLL-2003: https://aclanthology.org/W03-0419
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from converters.schemes import Scheme, detect_scheme, is_tag

HEADER = "-DOCSTART-"
HEADER_ROW = f"{HEADER} -X- -X- O"

SPACE, TAB = " ", "\t"

# Readers split rows at whitespace and files at any line end; UTF-8 cannot encode a lone surrogate.
_UNWRITABLE = re.compile(r"[\s\x00-\x1f\x7f-\x9f\ud800-\udfff]")
_REPLACEMENT = "\N{REPLACEMENT CHARACTER}"

_BLANKS = re.compile(r"[ \t]+")


class ConllError(ValueError):
    """A file that cannot be read; the message names the line and the remedy. ``line`` counts from 1."""

    def __init__(self, line: int, problem: str) -> None:
        super().__init__(f"Line {line}: {problem}")
        self.line = line


@dataclass(frozen=True, slots=True)
class Layout:
    """The columns of a row, counted from 0: ``columns`` of them, separated by ``separator``.

    A separator of ``" "`` means any run of spaces and tabs, ``"\\t"`` one tab. ``scheme`` is the scheme of the tags in
    the file; `read_conll` returns them as BIO.
    """

    name: str
    columns: int
    token_column: int
    tag_column: int
    separator: str
    scheme: Scheme

    def split(self, line: str) -> list[str]:
        """Split a line, without its line end, into columns; a blank line has none."""
        return split_row(line, self.separator)


def split_row(line: str, separator: str) -> list[str]:
    """Split a line, without its line end, into columns; a blank line has none."""
    if separator == SPACE and line.isprintable():  # then it has no tab, and no space but U+0020
        return line.split()
    visible = line.strip(" \t")
    if not visible:
        return []
    if separator == SPACE:
        return _BLANKS.split(visible)
    return [column.strip(" ") for column in line.split(TAB)]


def is_header(columns: Sequence[str]) -> bool:
    """Whether a row begins a document instead of holding a token: ``-DOCSTART-``, first or after an ``O``."""
    return columns[0] == HEADER or (columns[0] == "O" and columns[1:2] == [HEADER])


def as_column(token: str) -> str:
    """Write a token so that the row stays one row and is not a header: other characters become U+FFFD."""
    return _UNWRITABLE.sub(_REPLACEMENT, token).replace(HEADER, _REPLACEMENT + HEADER[1:]) or _REPLACEMENT


def detect_layout(lines: Sequence[tuple[int, str]]) -> Layout | None:
    """Detect the layout from a file's first lines, each with its number; ``None`` if they hold no token.

    Columns are separated by tabs if every row has one. The tags are in the last column or, if more values look like
    tags there, in the first. Raises `ConllError` if neither holds tags, or if there is only one column.
    """
    token_lines = [(number, line) for number, line in lines if not _is_separator(split_row(line, SPACE))]
    if not token_lines:
        return None
    separator = TAB if all(TAB in line for _, line in token_lines) else SPACE
    rows = [split_row(line, separator) for _, line in token_lines]
    columns = Counter(map(len, rows)).most_common(1)[0][0]
    if columns < 2:
        problem = f"there is only {rows[0][0]!r}: write a token and its tag, with a space or a tab between them."
        raise ConllError(token_lines[0][0], problem)
    tag_column = _tag_column([row for row in rows if len(row) == columns], token_lines[0][0])
    return Layout(
        name=_name(columns, tag_column),
        columns=columns,
        token_column=0 if tag_column else 1,
        tag_column=tag_column,
        separator=separator,
        scheme=detect_scheme(_tags(lines, separator, columns, tag_column)),
    )


def _is_separator(columns: Sequence[str]) -> bool:
    """Whether a row separates sentences or documents instead of holding a token."""
    return not columns or is_header(columns)


def _tag_column(rows: Sequence[Sequence[str]], line: int) -> int:
    last = len(rows[0]) - 1
    in_last, in_first = (sum(is_tag(row[column]) for row in rows) for column in (last, 0))
    if max(in_last, in_first) * 2 <= len(rows):
        problem = f"neither {rows[0][0]!r} nor {rows[0][last]!r} is a tag: write O or B-LABEL in the last column."
        raise ConllError(line, problem)
    return last if in_last >= in_first else 0


def _name(columns: int, tag_column: int) -> str:
    if tag_column == 0:
        return "tag first"
    return "CoNLL-2003" if columns == 4 else f"{columns} columns"


def _tags(lines: Sequence[tuple[int, str]], separator: str, columns: int, tag_column: int) -> Iterator[list[str]]:
    """The tags of each sentence in which every row has the right number of columns and a tag."""
    rows = (split_row(line, separator) for _, line in lines)
    for separates, sentence in groupby(rows, key=_is_separator):
        if not separates:
            tags = [row[tag_column] if len(row) == columns else "" for row in sentence]
            if all(map(is_tag, tags)):
                yield tags
