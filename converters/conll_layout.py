"""The layout of a CoNLL file: which column holds the tokens, which the tags, and how columns are separated.

Three of the layouts, for "Yelp in Boston"::

    -DOCSTART- -X- O O          Yelp<TAB>B-ORG       B-ORG Yelp
                                in<TAB>O             O in
    Yelp NNP B-NP B-ORG         Boston<TAB>B-LOC     B-LOC Boston
    in IN B-PP O
    Boston NNP B-NP B-LOC

    CoNLL-2003                  2 columns            tag first

`converters.conll_detect` finds the layout of a file. Source of CoNLL-2003: https://aclanthology.org/W03-0419
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from converters.row_numbers import is_range
from converters.schemes import Scheme, is_tag
from converters.tag_forms import PLAIN, TagForm

HEADER = "-DOCSTART-"

HEADER_ROW = f"{HEADER} -X- O O"
"""The form that spaCy's ``convert`` takes as the beginning of a document."""

SPACE, TAB = " ", "\t"

# Readers split rows at whitespace and files at any line end; UTF-8 cannot encode a lone surrogate.
_UNWRITABLE = re.compile(r"[\s\x00-\x1f\x7f-\x9f\ud800-\udfff]")
_REPLACEMENT = "\N{REPLACEMENT CHARACTER}"

_HEADER = re.compile(r"-(DOCSTART-)", re.IGNORECASE)

_BLANKS = re.compile(r"[ \t]+")

# The usual comment of CoNLL-U and HIPE: # key = value
_KEY = re.compile(r"# \S+ =(?: |$)")

_may_lead = re.compile(r"O|[0-9]+").fullmatch


class ConllError(ValueError):
    """A file that cannot be read; the message names the line and the remedy. ``line`` counts from 1."""

    def __init__(self, line: int, problem: str) -> None:
        super().__init__(f"Line {line}: {problem}")
        self.line = line


@dataclass(frozen=True, slots=True)
class ConllOptions:
    """What is known about a CoNLL file; the rest is detected.

    Columns count from 1, or from the end if negative. ``label`` is that of tags which are only ``B``, ``I`` and ``O``.
    """

    token_column: int | None = None
    tag_column: int | None = None
    label: str | None = None


@dataclass(frozen=True, slots=True)
class Layout:
    """The columns of a row, counted from 0: ``columns`` of them, separated by ``separator``.

    A separator of ``" "`` means any run of spaces and tabs, ``"\\t"`` one tab. ``form`` is how tags are written and
    ``scheme`` their scheme; `read_conll` returns them as BIO. The first ``leading`` columns hold no words:
    ``row_column`` counts the rows, ``sentence_column`` holds a sentence's number or name. If ``whole_tag``, all of a
    row after its third column is the tag. ``names`` is the row that names the columns. ``comments``
    tells whether lines that begin with ``#`` and are not words are comments, and ``full_comments`` whether so are those
    with as many columns as rows, and no known type; ``types`` are the labels of a file whose
    tags are types without a prefix. ``other_tag_columns`` hold tags too, and are not read.
    ``has_labels`` tells whether the first lines have a tag other than ``O``. ``line`` is the first row's.
    """

    name: str
    columns: int
    token_column: int
    tag_column: int
    separator: str
    scheme: Scheme
    form: TagForm = PLAIN
    leading: int = 0
    row_column: int | None = None
    sentence_column: int | None = None
    names: tuple[str, ...] = ()
    comments: bool = False
    full_comments: bool = False
    types: frozenset[str] = frozenset()
    other_tag_columns: tuple[int, ...] = ()
    whole_tag: bool = False
    has_labels: bool = True
    line: int = 1

    def split(self, line: str) -> list[str]:
        """Split a line, without its line end, into columns; a blank line has none."""
        columns = split_row(line, self.separator)
        return with_whole_tag(line, columns) if self.whole_tag else columns

    def is_left_out(self, columns: Sequence[str], *, begins: bool) -> bool:
        """Whether a row holds no word: a range, a comment, or, where a sentence ``begins``, the columns' names."""
        if (self.comments and self.is_comment(columns, begins=begins)) or (begins and self._are_names(columns)):
            return True
        return self.row_column is not None and is_range(columns[self.row_column])

    def is_comment(self, columns: Sequence[str], *, begins: bool) -> bool:
        """Whether a row is a comment: it begins with ``#`` and cannot hold a word.

        A row whose last column is a tag, with a wrong number of columns, is no comment, unless it is ``# key = value``.
        Where no sentence ``begins``, neither is a row with as many columns as others, or with a word after the ``#``.
        """
        first = columns[0]
        if not first.startswith("#"):
            return False
        if _KEY.match(" ".join(columns[:3])):
            return begins or len(columns) != self.columns or not self.is_known_tag(columns[self.tag_column])
        if len(columns) != self.columns:
            is_short = len(columns) < self.columns and (first == "#" or first.startswith("# "))
            return (begins or is_short) and not self.is_known_tag(columns[-1])
        tag = columns[self.tag_column]
        if not begins or self.is_known_tag(tag):
            return False
        return first == "#" or self.form.plain(tag) is None or self.full_comments

    def is_known_tag(self, value: str) -> bool:
        """Whether a value is a tag of this file; types without a prefix must have occurred."""
        plain = self.form.plain(value)
        return plain is not None and (not self.types or plain == "O" or value in self.types)

    def is_readable(self, columns: Sequence[str]) -> bool:
        """Whether a row with too many or too few columns has certainly its token and its tag in the usual columns.

        That is so where tabs separate them, the other columns are on the right, and none of those is a tag.
        """
        last = max(self.token_column, self.tag_column)
        return (
            self.separator == TAB
            and last < min(len(columns), self.columns)
            and self.form.plain(columns[self.tag_column]) is not None
            and not any(self.is_known_tag(column) for column in columns[self.columns :])
        )

    def _are_names(self, columns: Sequence[str]) -> bool:
        return " ".join(columns).split() == " ".join(self.names).split()

    def describe(self) -> str:
        """Which columns are read, and how, in plain sentences; columns count from 1."""
        blanks = "tabs" if self.separator == TAB else "spaces"
        parts = [
            f"Tokens in column {self.token_column + 1}, tags in column {self.tag_column + 1} "
            f"(written {self.form.example}, {self.scheme.value}), of {self.columns} separated by {blanks}"
        ]
        if self.row_column is not None:
            parts.append(f"column {self.row_column + 1} counts the rows")
        if self.sentence_column is not None:
            parts.append(f"column {self.sentence_column + 1} numbers the sentences")
        for column in sorted({*range(self.leading)} - {self.row_column, self.sentence_column}):
            parts.append(f"column {column + 1} holds no words")
        if self.names:
            parts.append("a row of column names is skipped")
        if self.comments:
            parts.append("comment lines are skipped")
        if self.other_tag_columns:
            columns = ", ".join(str(column + 1) for column in self.other_tag_columns)
            parts.append(f"tags are also in column {columns}, which --tag-column can choose")
        if self.form.several:
            parts.append("of several tags that are joined, the first is read")
        note = "Tags are types without B- and I-: entities of one type that touch cannot be told apart and become one."
        return "; ".join(parts) + "." + (f" {note}" if self.scheme is Scheme.IO else "")


def split_row(line: str, separator: str) -> list[str]:
    """Split a line, without its line end, into columns, without empty last ones; a blank line has none."""
    if separator == SPACE and line.isprintable():  # then it has no tab, and no space but U+0020
        return line.split()
    visible = line.strip(" \t")
    if not visible or visible.isspace():
        return []
    if separator == SPACE:
        return _BLANKS.split(visible)
    return [column.strip(" ") for column in line.rstrip(" \t").split(TAB)]


def with_whole_tag(line: str, columns: list[str]) -> list[str]:
    """The columns of a row ``token -X- _ TAG`` in which the tag, as Label Studio writes it, may have spaces."""
    if len(columns) < 5 or columns[1:3] != ["-X-", "_"]:
        return columns
    return [*columns[:3], line.strip(" \t").split(None, 3)[3]]


def is_header(columns: Sequence[str]) -> bool:
    """Whether a row begins a document: ``-DOCSTART-`` first, or after an ``O`` or a row number.

    In small letters, which may be a word, it does so only without a label.
    """
    first = columns[0]
    if first == HEADER:
        return True
    if first[0:1] == "-" and first.upper() == HEADER:
        return columns[-1] == "O" or not is_tag(columns[-1])
    return HEADER in columns and columns[1] == HEADER and _may_lead(first) is not None


def as_column(token: str) -> str:
    """Write a token so that the row stays one row and is not a header: other characters become U+FFFD."""
    return _HEADER.sub(rf"{_REPLACEMENT}\1", _UNWRITABLE.sub(_REPLACEMENT, token)) or _REPLACEMENT
