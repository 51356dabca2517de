"""Detects the layout of a CoNLL file from its first lines."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from converters.bio import OUTSIDE
from converters.conll_head import TAG_NAMES, TOKEN_NAMES, Head, Line, Marked, split_sentences
from converters.conll_layout import ConllError, ConllOptions, Layout, is_header
from converters.foreign import not_conll
from converters.row_numbers import SENTENCE_NAMES, Leading, is_range, leading_columns, not_words
from converters.schemes import Scheme, detect_scheme
from converters.tag_forms import TYPES, TagForm, are_types, bare, detect_form, is_bare, levels

# The chunks of CoNLL-2000, which CoNLL-2003 has beside its entities, in English and in German.
_CHUNKS = frozenset(("NP", "VP", "PP", "ADVP", "ADJP", "SBAR", "PRT", "CONJP", "INTJ", "LST", "UCP", "NC", "PC", "VC"))


def detect_layout(lines: Sequence[Line], options: ConllOptions | None = None) -> Layout | None:
    """Detect the layout from a file's first lines, each with its number; ``None`` if they hold no token.

    Columns are separated by tabs if every row has one. The tags are in the last column that holds tags, or in the first
    if more of its values look like tags; chunks (NP, VP) are tags only if there are no others. In files whose rows are
    counted they are in the column after the tokens if it holds tags, since nested entities follow in the next. A row
    of names, as ``Word POS Tag``, decides, and so do the ``options``.

    Raises `ConllError` if no column holds tags, if there is only one column, if the tags have no label and the options
    neither, if the options do not fit, and for a file in another format.
    """
    options = options or ConllOptions()
    sentences, marked = split_sentences(lines)
    if not sentences:
        return None
    first = sentences[0][0][0]
    if problem := not_conll("\n".join(line for _, line in lines[:20])):
        raise ConllError(first, problem)
    head = Head.of(sentences)
    layout = _layout(head, options)
    layout = replace(layout, full_comments=_has_full_comments(layout, marked, len(sentences)))
    comments = any(layout.is_comment(layout.split(line.line), begins=line.begins) for line in marked)
    layout = replace(layout, comments=comments)
    return replace(layout, scheme=_scheme(layout, lines))


def _has_full_comments(layout: Layout, marked: Sequence[Marked], sentences: int) -> bool:
    """Whether lines with ``#`` that have as many columns as rows, and an unknown type, are comments.

    That is so if each of several sentences begins with one, or if all other types are in capitals.
    """
    rows = [layout.split(line.line) for line in marked if line.begins]
    values = [row[layout.tag_column] for row in rows if len(row) == layout.columns]
    unknown = [value for value in values if not layout.is_known_tag(value)]
    types = layout.types - {OUTSIDE}
    if not types or not unknown:
        return False
    return len(unknown) == sentences > 1 or (all(map(str.isupper, types)) and all(map(str.islower, unknown)))


def _layout(head: Head, options: ConllOptions) -> Layout:
    token = _chosen(options.token_column, "--token-column", head)
    leading = _leading(head, token)
    if leading.rows is not None:
        head = replace(head, body=[row for row in head.body if not is_range(row[leading.rows])])
    tag, form, others = _tag_column(head, options, leading)
    if token is None:
        token = head.named(TOKEN_NAMES)
    if token is None or (token == tag and options.token_column is None):
        token = next(column for column in range(leading.columns, leading.columns + 2) if column != tag)
        _check_words(head, token, {tag, *others, *range(leading.columns)})
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
        leading=leading.columns,
        row_column=leading.rows,
        sentence_column=leading.sentences,
        names=head.names,
        types=frozenset(head.counts(tag)) if form is TYPES else frozenset(),
        other_tag_columns=tuple(column for column in others if column != token),
        whole_tag=head.whole_tag,
        has_labels=any(form.plain(value) not in (None, OUTSIDE) for value in head.counts(tag)),
        line=head.line,
    )


def _chosen(column: int | None, option: str, head: Head) -> int | None:
    """A column that the options choose, counted from 0."""
    if column is None:
        return None
    if column == 0 or abs(column) > head.columns:
        size = head.columns
        problem = f"rows have {size} columns: give {option} 1 to {size}, or -1 to -{size} from the end, not {column}."
        raise ConllError(head.line, problem)
    return column - 1 if column > 0 else head.columns + column


def _leading(head: Head, token: int | None) -> Leading:
    """The leading columns that hold no words, unless the options choose one of them for the tokens."""
    sentence_column = head.named(SENTENCE_NAMES)
    if sentence_column is not None:
        if sentence_column == token:
            return Leading()
        return Leading(1 if sentence_column == 0 else 0, None, sentence_column)
    columns = head.columns if token is None else min(token + 2, head.columns)
    return leading_columns(head.padded(), columns, lambda column: column == token or not _holds_tags(head, column))


def _holds_tags(head: Head, column: int) -> bool:
    return detect_form(head.counts(column))[1] * 2 > len(head.body)


def _check_words(head: Head, token: int, others: set[int]) -> None:
    """Refuse a column of tokens that was not chosen if it looks like numbers, and another one holds words."""
    rest = [column for column in range(head.columns) if column != token and column not in others]
    value = not_words(head.padded(), token, rest)
    if value is not None:
        problem = (
            f"{value!r} in column {token + 1} may be a number or a name of the row, since another column holds words: "
            "give the column of the words with --token-column."
        )
        raise ConllError(head.line_of(token, value), problem)


def _tag_column(head: Head, options: ConllOptions, leading: Leading) -> tuple[int, TagForm, list[int]]:
    """The column of the tags, their form, and other columns that hold tags."""
    counts = [head.counts(column) for column in range(head.columns)]
    forms = [detect_form(values) for values in counts]
    hold_tags = [column for column, (_, size) in enumerate(forms) if size * 2 > len(head.body)]
    labels = [_labels(values, form) for values, (form, _) in zip(counts, forms, strict=True)]
    entities = [column for column in hold_tags if not labels[column] or not labels[column] <= _CHUNKS]
    column = _chosen(options.tag_column, "--tag-column", head)
    if column is None:
        column = _best(head, entities or hold_tags, [size for _, size in forms], counts, leading.columns)
    others = [other for other in entities if other != column and labels[other]]
    return column, _form(head, column, counts[column], forms[column], options), others


def _labels(counts: Mapping[str, int], form: TagForm) -> set[str]:
    tags = {form.plain(value) for value in counts}
    return {tag[2:] for tag in tags if tag and tag != OUTSIDE}


def _best(
    head: Head, columns: Sequence[int], sizes: Sequence[int], counts: Sequence[Counter[str]], leading: int
) -> int:
    last = head.columns - 1
    named = head.named(TAG_NAMES)
    if named is not None and (named in columns or are_types(counts[named]) or is_bare(counts[named], dashes=True)):
        return named
    if leading and leading + 1 in columns:
        return leading + 1
    if last in columns and sizes[last] >= sizes[0]:
        return last
    if columns and not is_bare(counts[last], dashes=True):
        return 0 if 0 in columns else columns[-1]
    for column in (last, 0):
        if is_bare(counts[column], dashes=True) or are_types(counts[column]):
            return column
    row = head.body[0]
    problem = f"neither {row[0]!r} nor {row[last]!r} is a tag: write O or B-LABEL in the last column."
    raise ConllError(head.line, problem)


def _form(
    head: Head, column: int, counts: Counter[str], detected: tuple[TagForm, int], options: ConllOptions
) -> TagForm:
    form, size = detected
    if is_bare(counts, dashes=options.label is not None):
        if options.label is None:
            letters = ", ".join(value for value in counts)
            problem = f"the tags in column {column + 1} have no label ({letters}): give the label with --label NAME."
            raise ConllError(head.line, problem)
        return bare(options.label)
    if (uneven := levels(counts)[1]) is not None:
        problem = (
            f"rows have different numbers of tags in column {column + 1} (one has {uneven!r}): write one tag in each "
            "row, or as many in all rows."
        )
        raise ConllError(head.line, problem)
    labelled = next((value for value in counts if value != OUTSIDE and form.plain(value)), None)
    if labelled is None and are_types(counts, chosen=options.tag_column is not None):
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


def _scheme(layout: Layout, lines: Sequence[Line]) -> Scheme:
    return layout.scheme if layout.form is TYPES else detect_scheme(_tags(layout, lines))


def _tags(layout: Layout, lines: Sequence[Line]) -> Iterator[list[str]]:
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
