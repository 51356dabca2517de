"""Faults of labelled tasks, as a run finds them: more of each kind than are listed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import cycle, islice

from backend.store.data_state import DataState, Duplicate, LabelUse, MixedWords

_TASKS = [str(task) for task in range(4000, 4020)]


def with_faults(state: DataState, labels: Sequence[str], texts: Sequence[str]) -> DataState:
    """The state with mixed words and duplicates of the ``texts``, tasks without text, and tasks without regions."""
    first, second, *more = labels
    texts = list(islice(cycle(texts), 20))
    usual = [LabelUse(first, 214, _TASKS[:5]), *(LabelUse(label, 30, _TASKS[:5]) for label in more[:1])]
    even = [LabelUse(first, 2, _TASKS[:2]), LabelUse(second, 2, _TASKS[2:4])]
    rare = [[*usual, LabelUse(second, number, _TASKS[-5:][:number])] for number in range(1, 21)]
    mixed = [MixedWords(text, even if number % 3 == 1 else rare[number]) for number, text in enumerate(texts)]
    duplicates = [Duplicate(text, 40 - number, _TASKS[:5], number < 2) for number, text in enumerate(texts)]
    return replace(
        state,
        empty=3,
        empty_tasks=_TASKS[:3],
        unmarked=1240,
        unmarked_tasks=_TASKS,
        duplicate_texts=312,
        duplicate_tasks=1020,
        differing_texts=2,
        leaked=14,
        duplicates=duplicates,
        mixed_words=57,
        mixed=mixed,
    )
