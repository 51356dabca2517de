"""How a CoNLL file is laid out: which column holds the tokens, which the tags, and what stands between.

Source of the first such layout: https://aclanthology.org/W03-0419
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

# Readers split rows at whitespace and files at whatever ends a line; a lone surrogate has no UTF-8 form
# at all.
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
    """Where a row holds what: columns count from 0, ``columns`` of them, parted by ``separator``.

    A separator of ``" "`` stands for any run of spaces and tabs, ``"\\t"`` for one tab. ``scheme`` is how the tags
    are written in the file; `read_conll` gives them as BIO.
    """

    name: str
    columns: int
    token_column: int
    tag_column: int
    separator: str
    scheme: Scheme

    def split(self, line: str) -> list[str]:
        """Split a line, without its end, into columns: none where it is blank."""
        return split_row(line, self.separator)


def split_row(line: str, separator: str) -> list[str]:
    """Split a line, without its end, into columns: none where it is blank."""
    if separator == SPACE and line.isprintable():  # has no tab, and no space but the plain one
        return line.split()
    visible = line.strip(" \t")
    if not visible:
        return []
    if separator == SPACE:
        return _BLANKS.split(visible)
    return [column.strip(" ") for column in line.split(TAB)]


def is_header(columns: Sequence[str]) -> bool:
    """Tell whether a row is no token but opens a document: ``-DOCSTART-``, first or after an ``O``."""
    return columns[0] == HEADER or (columns[0] == "O" and columns[1:2] == [HEADER])


def as_column(token: str) -> str:
    """Write a token so that a row stays a row and no header: what would break it becomes U+FFFD."""
    return _UNWRITABLE.sub(_REPLACEMENT, token).replace(HEADER, _REPLACEMENT + HEADER[1:]) or _REPLACEMENT


def detect_layout(lines: Sequence[tuple[int, str]]) -> Layout | None:
    """Tell the layout by a file's first lines, each with its number; ``None`` if they hold no token.

    Tabs part columns where every row has one. The tags are in the last column or else, where more values look like
    tags there, in the first. Raises `ConllError` where neither holds tags, or there is one column only.
    """
    parted = [(number, line) for number, line in lines if not _is_apart(split_row(line, SPACE))]
    if not parted:
        return None
    separator = TAB if all(TAB in line for _, line in parted) else SPACE
    rows = [split_row(line, separator) for _, line in parted]
    columns = Counter(map(len, rows)).most_common(1)[0][0]
    if columns < 2:
        problem = f"{rows[0][0]!r} is all there is: write a token and its tag, a space or a tab between them."
        raise ConllError(parted[0][0], problem)
    tag_column = _tag_column([row for row in rows if len(row) == columns], parted[0][0])
    return Layout(
        name=_name(columns, tag_column),
        columns=columns,
        token_column=0 if tag_column else 1,
        tag_column=tag_column,
        separator=separator,
        scheme=detect_scheme(_tags(lines, separator, columns, tag_column)),
    )


def _is_apart(columns: Sequence[str]) -> bool:
    """Tell whether a row parts sentences or documents and holds no token."""
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
    """Give the tags of each sentence that has no flaw."""
    rows = (split_row(line, separator) for _, line in lines)
    for apart, sentence in groupby(rows, key=_is_apart):
        if not apart:
            tags = [row[tag_column] if len(row) == columns else "" for row in sentence]
            if all(map(is_tag, tags)):
                yield tags
