"""Leading columns that hold no words: numbers of rows and sentences, names of documents, offsets.

As in WikiNEuRal, GermEval 2014, CoNLL-U, CoNLL-2012 and the exports of annotation tools. A corpus may hold numbers as
words, so a column of integers is a count only if it goes up row by row.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from itertools import chain, groupby, pairwise
from operator import itemgetter
from typing import NamedTuple

SENTENCE_NAMES = ("sentence_id", "sent_id", "sentence #", "sentence#", "sentence", "sentence_idx", "sent", "sid")

_RANGE = re.compile(r"[0-9]+[-.][0-9]+")

# A row's number after that of its sentence or document: 1.2, s1-2, doc_1:2, t2.
_NUMBERED = re.compile(r"(.*?)([0-9]{1,9})", re.ASCII)
_DIGIT = re.compile(r"[0-9]")

# What follows a number that is a word: its part of speech, or a placeholder.
_OF_A_NUMBER = frozenset(("CD", "NUM", "CARD", "MC", "M", "Z", "NN", "SYM", "-X-", "X", "_", "-", "*", "O"))

# In a file of so few rows, any parts of speech make words of the numbers before them.
_CERTAIN_ROWS = 3
_PART_OF_SPEECH = re.compile(r"[A-Z$]{2,5}|[^\w\s]+")

# A count with a few gaps is still one: rows were deleted.
_SHARE = 0.9

# So many integers in a row are hardly the words if another column holds some.
_MANY = 10

_Row = Sequence[str]
_Sentences = Sequence[Sequence[_Row]]


class Leading(NamedTuple):
    """The number of leading columns without words; which of them counts the rows, and which numbers the sentences."""

    columns: int = 0
    rows: int | None = None
    sentences: int | None = None


def is_range(number: str) -> bool:
    """Whether a row number of CoNLL-U is no word's: ``1-2`` (written as one) or ``3.1`` (not in the text)."""
    return _RANGE.fullmatch(number) is not None


def leading_columns(sentences: _Sentences, columns: int, holds_words: Callable[[int], bool]) -> Leading:
    """Find the leading columns that certainly hold no words: at least one of the words and one of the tags remain.

    ``sentences`` hold rows of ``columns`` columns; ``holds_words`` tells whether a column can hold the words, since it
    does not hold the tags.
    """
    leading = Leading()
    while columns - leading.columns > 2 and any(map(holds_words, range(leading.columns + 1, columns))):
        column = leading.columns
        if columns - column > 3 and are_offsets(sentences, column):
            leading = leading._replace(columns=column + 2)
        elif counts_rows(sentences, column):
            is_first = leading.rows is None and _numbers(sentences, column) is not None
            leading = Leading(column + 1, column if is_first else leading.rows, leading.sentences)
        elif numbers_sentences(sentences, column):
            leading = Leading(column + 1, leading.rows, column if leading.sentences is None else leading.sentences)
            sentences = [[*rows] for sentence in sentences for _, rows in groupby(sentence, key=itemgetter(column))]
        elif starts_at_offsets(sentences, column) or names_sentences(sentences, column, columns):
            leading = leading._replace(columns=column + 1)
        else:
            break
    return leading


def counts_rows(sentences: _Sentences, column: int = 0) -> bool:
    """Whether a column counts the rows: from 0 or 1 in each sentence, or over the whole file from any number.

    Before the number there may be that of the sentence, as in ``1.2`` and ``s1-2``. Rows with the numbers ``1-2`` and
    ``3.1`` among integers (CoNLL-U) are not counted. A number whose next column is nothing but parts of speech of
    numbers, or placeholders, is a word.
    """
    numbers = _numbers(sentences, column) or _numbers_after_a_name(sentences, column)
    if not numbers:
        return False
    steps = [after - before == 1 for sentence in numbers for before, after in pairwise(sentence)]
    last = numbers[0][0] - 1 if len(numbers[0]) > 2 else 0
    for sentence in numbers:
        steps.append(sentence[0] in (0, 1, last + 1))
        last = sentence[-1]
    return sum(steps) >= _SHARE * len(steps)


def numbers_sentences(sentences: _Sentences, column: int = 0) -> bool:
    """Whether a column holds the number of the sentence: the same in most neighbours, else one higher."""
    numbers = _numbers(sentences, column)
    if not numbers:
        return False
    steps = [after - before for before, after in pairwise(chain.from_iterable(numbers))]
    rises = 1 in steps or len(numbers) == 1
    return numbers[0][0] in (0, 1) and rises and set(steps) <= {0, 1} and steps.count(0) * 2 >= len(steps) > 0


def names_sentences(sentences: _Sentences, column: int, columns: int) -> bool:
    """Whether a column names the document or the sentence: a name with a digit, the same in every row of a sentence.

    The next column whose values differ in a sentence, before the last of ``columns``, holds not only parts of speech.
    """
    long = [sentence for sentence in sentences if len(sentence) > 1]
    if not long or not all(_DIGIT.search(sentence[0][column]) and _is_constant(sentence, column) for sentence in long):
        return False
    for later in range(column + 1, columns - 1):
        if not all(_is_constant(sentence, later) for sentence in long):
            return not _are_of_numbers([row[later] for sentence in long for row in sentence])
    return False


def _is_constant(sentence: Sequence[_Row], column: int) -> bool:
    return len({row[column] for row in sentence}) == 1


def are_offsets(sentences: _Sentences, column: int) -> bool:
    """Whether a column and the next hold where the words begin and end in their text: the words are as long."""
    rows = [row[column : column + 3] for sentence in sentences for row in sentence]
    if not rows or not all(_is_integer(value) for row in rows for value in row[:2]):
        return False
    lengths = [int(end) - int(start) - len(word) for start, end, word in rows]
    return max(lengths.count(0), lengths.count(-1)) >= _SHARE * len(lengths)


def starts_at_offsets(sentences: _Sentences, column: int) -> bool:
    """Whether a column holds where the words begin in their text: each word is as long as the way to the next."""
    rows = [[row[column : column + 2] for row in sentence] for sentence in sentences]
    if not all(_is_integer(row[0]) for sentence in rows for row in sentence):
        return False
    steps = [
        int(after[0]) - int(before[0]) - len(before[1]) in (0, 1)
        for sentence in rows
        for before, after in pairwise(sentence)
    ]
    return len(steps) > 0 and sum(steps) >= _SHARE * len(steps)


def not_words(sentences: _Sentences, column: int, others: Sequence[int]) -> str | None:
    """A value of a column that is hardly a word, since it looks like a number or a name of rows and others hold words.

    ``None`` where the column may hold words.
    """
    if not any(_are_words(sentences, other) for other in others):
        return None
    values = [row[column] for sentence in sentences for row in sentence]
    integers = all(map(_is_integer, values))
    if all(map(_DIGIT.search, values)) and len(values) >= (_MANY if integers else _CERTAIN_ROWS):
        return values[0]
    long = [sentence for sentence in sentences if len(sentence) > 1]
    if long and len(values) >= _CERTAIN_ROWS and all(_is_constant(sentence, column) for sentence in long):
        return values[0]
    if integers and all(_is_integer(row[column + 1]) for sentence in sentences for row in sentence):
        return values[0]
    for sentence in sentences:
        numbers = [row[column] for row in sentence]
        following = [row[column + 1] for row in sentence if column + 1 < len(row)]
        counted = all(map(_is_integer, numbers)) and [int(number) for number in numbers] in (
            [*range(len(numbers))],
            [*range(1, len(numbers) + 1)],
        )
        if counted and len(numbers) > 1 and len({*following}) == len(numbers) and not {*following} & {*numbers}:
            return next((value for value in values if not _is_integer(value)), numbers[0])
    return None


def _are_words(sentences: _Sentences, column: int) -> bool:
    """Whether a column holds words: most of them of letters, some not in capitals, and many different ones."""
    values = [row[column] for sentence in sentences for row in sentence]
    letters = [value for value in values if value.isalpha() and not value.isupper()]
    return len(letters) * 2 >= len(values) and len({*values}) * 3 >= min(len(values), 100)


def _are_of_numbers(following: Sequence[str]) -> bool:
    """Whether the values after numbers make words of them: parts of speech or placeholders."""
    return {*following} <= _OF_A_NUMBER or (
        len(following) < _CERTAIN_ROWS and all(map(_PART_OF_SPEECH.fullmatch, following))
    )


def _is_integer(value: str) -> bool:
    return value.isascii() and value.isdigit() and len(value) < 10


def _numbers(sentences: _Sentences, column: int) -> list[list[int]] | None:
    """The integers of a column; ``None`` if it has other values, or if they are words."""
    rows = [[row for row in sentence if not is_range(row[column])] for sentence in sentences]
    rows = [sentence for sentence in rows if sentence]
    numbers = [row[column] for sentence in rows for row in sentence]
    if not numbers or not all(map(_is_integer, numbers)):
        return None
    if _are_of_numbers([row[column + 1] for sentence in rows for row in sentence]):
        return None
    return [[int(row[column]) for row in sentence] for sentence in rows]


def _numbers_after_a_name(sentences: _Sentences, column: int) -> list[list[int]] | None:
    """The last numbers in the values of a column which are the same before it in each sentence, as in ``s1-2``."""
    numbers: list[list[int]] = []
    for sentence in sentences:
        matches = [_NUMBERED.fullmatch(row[column]) for row in sentence]
        names = {match and match[1] for match in matches}
        if len(names) != 1 or not all(names):
            return None
        numbers.append([int(match[2]) for match in matches if match])
    following = [row[column + 1] for sentence in sentences for row in sentence]
    if max(map(len, numbers), default=0) < 2 or _are_of_numbers(following):
        return None
    return numbers
