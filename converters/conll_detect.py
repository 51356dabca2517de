"""Detects the layout of a CoNLL file from its first lines."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from converters.bio import OUTSIDE
from converters.conll_layout import SPACE, TAB, ConllError, ConllOptions, Layout, is_header, split_row
from converters.foreign import not_conll
from converters.row_numbers import SENTENCE_NAMES, counts_rows, is_range, numbers_sentences
from converters.schemes import Scheme, detect_scheme, is_tag
from converters.tag_forms import TYPES, TagForm, are_types, bare, detect_form, is_bare

_TOKEN_NAMES = ("token", "tokens", "word", "words", "form", "term", "text", "surface")
_TAG_NAMES = (
    *("ner", "ner_tag", "ner_tags", "ner-tag", "nertag", "ne", "entity", "entities"),
    *("iob", "bio", "iob_tag", "bio_tag"),
    *("tag", "tags", "label", "labels", "type", "class", "slot", "gold"),
)

# The chunks of CoNLL-2000, which CoNLL-2003 has beside its entities, in English and in German.
_CHUNKS = frozenset(("NP", "VP", "PP", "ADVP", "ADJP", "SBAR", "PRT", "CONJP", "INTJ", "LST", "UCP", "NC", "PC", "VC"))

_Line = tuple[int, str]
_Row = Sequence[str]


def detect_layout(lines: Sequence[_Line], options: ConllOptions | None = None) -> Layout | None:
    """Detect the layout from a file's first lines, each with its number; ``None`` if they hold no token.

    Columns are separated by tabs if every row has one. The tags are in the last column that holds tags, or in the first
    if more of its values look like tags; chunks (NP, VP) are tags only if there are no others. In files whose rows are
    counted they are in the column after the tokens if it holds tags, since nested entities follow in the next. A row
    of names, as ``Word POS Tag``, decides, and so do the ``options``.

    Raises `ConllError` if no column holds tags, if there is only one column, if the tags have no label and the options
    neither, if the options do not fit, and for a file in another format.
    """
    options = options or ConllOptions()
    sentences, comments = _sentences(lines)
    if not sentences:
        return None
    first = sentences[0][0][0]
    if problem := not_conll("\n".join(line for _, line in lines[:20])):
        raise ConllError(first, problem)
    head = _Head.of(sentences)
    layout = _layout(head, options)
    layout = replace(layout, comments=any(layout.is_comment(layout.split(line)) for line in comments))
    return replace(layout, scheme=_scheme(layout, lines))


@dataclass(frozen=True, slots=True)
class _Head:
    """The first rows of a file, by sentence, without comments: ``body`` are those with the usual number of columns."""

    line: int
    separator: str
    columns: int
    names: tuple[str, ...]
    sentences: Sequence[Sequence[_Row]]
    body: Sequence[_Row]

    @classmethod
    def of(cls, sentences: Sequence[Sequence[_Line]]) -> _Head:
        lines = [line for sentence in sentences for _, line in sentence]
        number = sentences[0][0][0]
        names = _column_names(lines[0]) if len(lines) > 1 else ()
        tabs = all(TAB in line.rstrip(" \t") for line in (lines[1:] if names else lines))
        separator = TAB if tabs else SPACE
        rows = [[split_row(line, separator) for _, line in sentence] for sentence in sentences]
        if names:
            rows[0] = rows[0][1:]
        columns = Counter(len(row) for sentence in rows for row in sentence).most_common(1)[0][0]
        if columns < 2:
            row = next(row for sentence in rows for row in sentence)
            problem = f"there is only {row[0]!r}: write a token and its tag, with a space or a tab between them."
            raise ConllError(number, problem)
        body = [row for sentence in rows for row in sentence if len(row) == columns]
        return cls(number, separator, columns, names, rows, body)

    def counts(self, column: int) -> Counter[str]:
        return Counter(row[column] for row in self.body)

    def named(self, names: Sequence[str]) -> int | None:
        """The column that the row of names calls by the first of these."""
        columns = [name.lower() for name in self.names] if len(self.names) == self.columns else []
        return next((columns.index(name) for name in names if name in columns), None)


def _sentences(lines: Sequence[_Line]) -> tuple[list[list[_Line]], list[str]]:
    """The rows by sentence, and, apart from them, the lines at the beginning of a sentence that begin with ``#``.

    If all lines begin with ``#``, they are rows.
    """
    sentences: list[list[_Line]] = [[]]
    marked: list[str] = []
    for number, line in lines:
        columns = split_row(line, SPACE)
        if not columns or is_header(columns):
            sentences.append([])
        elif not line.startswith("#"):
            sentences[-1].append((number, line))
        elif not sentences[-1]:
            marked.append(line)
    rows = [sentence for sentence in sentences if sentence]
    if not rows and marked:
        return [[(number, line) for number, line in lines if line.startswith("#")]], []
    return rows, marked


def _column_names(line: str) -> tuple[str, ...]:
    """The names of the columns if a row names them: those of the tokens and of the tags, and holds no tag."""
    columns = split_row(line, TAB if TAB in line else SPACE)
    names = [column.lower() for column in columns]
    named = not {*_TOKEN_NAMES}.isdisjoint(names) and not {*_TAG_NAMES}.isdisjoint(names)
    return tuple(columns) if named and not any(map(is_tag, columns)) else ()


def _layout(head: _Head, options: ConllOptions) -> Layout:
    token = _chosen(options.token_column, "--token-column", head)
    numbered, sentence_column = _leading(head, token)
    leading = numbered or sentence_column == 0
    if numbered:
        head = replace(head, body=[row for row in head.body if not is_range(row[0])])
    tag, form, others = _tag_column(head, options, leading)
    if token is None:
        token = head.named(_TOKEN_NAMES)
    if token is None or (token == tag and options.token_column is None):
        token = next(column for column in (0, 1, 2) if column != tag and not (leading and column == 0))
    if token == tag:
        raise ConllError(head.line, f"column {token + 1} cannot hold both the tokens and the tags: choose two columns.")
    return Layout(
        name=_name(head.columns, tag),
        columns=head.columns,
        token_column=token,
        tag_column=tag,
        separator=head.separator,
        scheme=Scheme.IO if form is TYPES else Scheme.IOB2,
        form=form,
        numbered=numbered,
        sentence_column=sentence_column,
        names=head.names,
        types=frozenset(head.counts(tag)) if form is TYPES else frozenset(),
        other_tag_columns=tuple(column for column in others if column != token),
        line=head.line,
    )


def _chosen(column: int | None, option: str, head: _Head) -> int | None:
    """A column that the options choose, counted from 0."""
    if column is None:
        return None
    if column == 0 or abs(column) > head.columns:
        size = head.columns
        problem = f"rows have {size} columns: give {option} 1 to {size}, or -1 to -{size} from the end, not {column}."
        raise ConllError(head.line, problem)
    return column - 1 if column > 0 else head.columns + column


def _leading(head: _Head, token: int | None) -> tuple[bool, int | None]:
    """Whether the first column counts rows, and the column that numbers the sentences."""
    sentence_column = head.named(SENTENCE_NAMES)
    if head.columns < 3 or token == 0:
        return False, sentence_column if sentence_column != token else None
    if sentence_column is None and counts_rows(head.sentences):
        return True, None
    if sentence_column is None and numbers_sentences(head.sentences):
        return False, 0
    return False, sentence_column


def _tag_column(head: _Head, options: ConllOptions, leading: bool) -> tuple[int, TagForm, list[int]]:
    """The column of the tags, their form, and other columns that hold tags."""
    counts = [head.counts(column) for column in range(head.columns)]
    forms = [detect_form(values) for values in counts]
    hold_tags = [column for column, (_, size) in enumerate(forms) if size * 2 > len(head.body)]
    labels = [_labels(values, form) for values, (form, _) in zip(counts, forms, strict=True)]
    entities = [column for column in hold_tags if not labels[column] or not labels[column] <= _CHUNKS]
    column = _chosen(options.tag_column, "--tag-column", head)
    if column is None:
        column = _best(head, entities or hold_tags, [size for _, size in forms], counts, leading)
    others = [other for other in entities if other != column and labels[other]]
    return column, _form(head, column, counts[column], forms[column], options), others


def _labels(counts: Mapping[str, int], form: TagForm) -> set[str]:
    tags = {form.plain(value) for value in counts}
    return {tag[2:] for tag in tags if tag and tag != OUTSIDE}


def _best(
    head: _Head, columns: Sequence[int], sizes: Sequence[int], counts: Sequence[Counter[str]], leading: bool
) -> int:
    last = head.columns - 1
    named = head.named(_TAG_NAMES)
    if named is not None and (named in columns or are_types(counts[named]) or is_bare(counts[named])):
        return named
    if leading and 2 in columns and counts[2].keys() != {OUTSIDE}:
        return 2
    if last in columns and sizes[last] >= sizes[0]:
        return last
    if columns and not is_bare(counts[last]):
        return 0 if 0 in columns else columns[-1]
    for column in (last, 0):
        if is_bare(counts[column]) or are_types(counts[column]):
            return column
    row = head.body[0]
    problem = f"neither {row[0]!r} nor {row[last]!r} is a tag: write O or B-LABEL in the last column."
    raise ConllError(head.line, problem)


def _form(
    head: _Head, column: int, counts: Counter[str], detected: tuple[TagForm, int], options: ConllOptions
) -> TagForm:
    form, size = detected
    if is_bare(counts):
        if options.label is None:
            letters = ", ".join(value for value in counts)
            problem = f"the tags in column {column + 1} have no label ({letters}): give the label with --label NAME."
            raise ConllError(head.line, problem)
        return bare(options.label)
    labelled = next((value for value in counts if value != OUTSIDE and form.plain(value)), None)
    if labelled is None and are_types(counts):
        form, labelled = TYPES, next(value for value in counts if value != OUTSIDE)
    elif size * 2 <= len(head.body):
        value = next(value for value in counts if form.plain(value) is None)
        problem = (
            f"{value!r} in column {column + 1} is not a tag: write O or B-LABEL there, or give another --tag-column."
        )
        raise ConllError(head.line, problem)
    if options.label is not None and labelled is not None:
        problem = f"tags have a label, such as {labelled!r}: leave out --label, which is for tags without one."
        raise ConllError(head.line, problem)
    return form


def _name(columns: int, tag_column: int) -> str:
    if tag_column == 0:
        return "tag first"
    return "CoNLL-2003" if columns == 4 else f"{columns} columns"


def _scheme(layout: Layout, lines: Sequence[_Line]) -> Scheme:
    return layout.scheme if layout.form is TYPES else detect_scheme(_tags(layout, lines))


def _tags(layout: Layout, lines: Sequence[_Line]) -> Iterator[list[str]]:
    """The tags of each sentence in which every row has the right number of columns and a tag."""
    tags: list[str] = []
    certain = True
    for _, line in [*lines, (0, "")]:
        columns = layout.split(line)
        if not columns or is_header(columns):
            if tags and certain:
                yield tags
            tags, certain = [], True
        elif not layout.is_left_out(columns, begins=not tags):
            tag = layout.form.plain(columns[layout.tag_column]) if len(columns) == layout.columns else None
            certain = certain and tag is not None
            tags.append(tag or "")
