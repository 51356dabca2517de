"""Columns of integers that count rows or sentences, as in WikiNEuRal, GermEval 2014 and CoNLL-U.

A corpus may hold numbers as words, so a column of integers is a count only if it goes up row by row.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise

SENTENCE_NAMES = ("sentence_id", "sent_id", "sentence #", "sentence#", "sentence", "sentence_idx", "sent", "sid")

_RANGE = re.compile(r"[0-9]+[-.][0-9]+")

# What follows a number that is a word: its part of speech, or a placeholder.
_OF_A_NUMBER = frozenset(("CD", "NUM", "CARD", "MC", "M", "Z", "NN", "SYM", "-X-", "X", "_", "-", "*", "O"))

# In a file of so few rows, any parts of speech make words of the numbers before them.
_CERTAIN_ROWS = 3
_PART_OF_SPEECH = re.compile(r"[A-Z$]{2,5}|[^\w\s]+")

# A count with a few gaps is still one: rows were deleted.
_SHARE = 0.9

_Sentences = Sequence[Sequence[Sequence[str]]]


def is_range(number: str) -> bool:
    """Whether a row number of CoNLL-U is no word's: ``1-2`` (written as one) or ``3.1`` (not in the text)."""
    return _RANGE.fullmatch(number) is not None


def counts_rows(sentences: _Sentences) -> bool:
    """Whether the first column counts the rows: from 0 or 1 in each sentence, or over the whole file from any number.

    Rows with the numbers ``1-2`` and ``3.1`` (CoNLL-U) are not counted. A number whose next column is nothing but parts
    of speech of numbers, or placeholders, is a word.
    """
    numbers = _numbers(sentences)
    if numbers is None:
        return False
    steps = [after - before == 1 for sentence in numbers for before, after in pairwise(sentence)]
    last = numbers[0][0] - 1 if len(numbers[0]) > 2 else 0
    for sentence in numbers:
        steps.append(sentence[0] in (0, 1, last + 1))
        last = sentence[-1]
    return sum(steps) >= _SHARE * len(steps)


def numbers_sentences(sentences: _Sentences) -> bool:
    """Whether the first column holds the number of the sentence: the same in most neighbours, else one higher."""
    numbers = _numbers(sentences)
    if numbers is None:
        return False
    steps = [after - before for before, after in pairwise(number for sentence in numbers for number in sentence)]
    return numbers[0][0] in (0, 1) and set(steps) <= {0, 1} and steps.count(0) * 2 >= len(steps) > 0


def _numbers(sentences: _Sentences) -> list[list[int]] | None:
    """The integers of the first column; ``None`` if it has other values, or if they are words."""
    rows = [[row for row in sentence if len(row) > 1 and not is_range(row[0])] for sentence in sentences]
    rows = [sentence for sentence in rows if sentence]
    numbers = [row[0] for sentence in rows for row in sentence]
    if not numbers or not all(number.isascii() and number.isdigit() for number in numbers):
        return None
    following = {row[1] for sentence in rows for row in sentence}
    if following <= _OF_A_NUMBER or (len(numbers) < _CERTAIN_ROWS and all(map(_PART_OF_SPEECH.fullmatch, following))):
        return None
    return [[int(row[0]) for row in sentence] for sentence in rows]
