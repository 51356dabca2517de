"""Computes the state of a project's data, in one pass over the documents that a run reads."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain, groupby
from operator import attrgetter
from typing import Any

from backend.conversion import encodable, short
from backend.store.data_state import Annotator, DataState, Duplicate, LabelCount, LabelUse, MixedWords
from backend.training.split import subset_of
from converters.tagged import TaggedDocument

MAX_EXAMPLES = 20
"""Tasks without text or without a region, duplicate texts and mixed words that are kept."""

MAX_TASKS = 5
"""Tasks that are kept of a duplicate text, and of the same words with the same label."""

MAX_ANNOTATORS = 50


def data_state(documents: Iterable[TaggedDocument], annotators: Mapping[str, Sequence[str]]) -> DataState:
    """Compute the state of the labelled tasks; the documents of a task follow each other.

    ``annotators`` are the names of those who labelled each task, by task id. Two tasks are duplicates if all their
    texts are the same without the white space around them. Words are the same whatever their case and white space, in
    the texts of one name. Mixed words are sorted by r² / n: of the n regions with these words, r have the rarest label.
    So a label that the words have once among many comes first, and words that have two labels equally often come last.
    """
    counts = _Counts()
    for task, of_task in groupby(documents, key=attrgetter("id")):
        counts.add(task, list(of_task))
    names = Counter(chain.from_iterable(annotators.values()))
    return DataState(
        tasks=counts.tasks,
        labels=counts.labels(),
        annotators=[Annotator(_line(name), tasks) for name, tasks in names.most_common(MAX_ANNOTATORS)],
        more_annotators=max(0, len(names) - MAX_ANNOTATORS),
        shared=sum(len(people) > 1 for people in annotators.values()),
        empty=len(counts.empty),
        empty_tasks=_tasks(counts.empty, MAX_EXAMPLES),
        unmarked=len(counts.unmarked),
        unmarked_tasks=_tasks(counts.unmarked, MAX_EXAMPLES),
        **counts.duplicates(),
        **counts.mixed(),
    )


@dataclass(slots=True)
class _Words:
    """Words as they are first spelled, and the task of each region with them, by label."""

    spelling: str
    tasks: dict[str, list[str]] = field(default_factory=dict)

    @property
    def rank(self) -> tuple[float, int]:
        """Sorts probable mistakes first."""
        numbers = [len(tasks) for tasks in self.tasks.values()]
        return min(numbers) ** 2 / sum(numbers), -sum(numbers)


class _Counts:
    """What the tasks hold, task by task."""

    def __init__(self) -> None:
        self.tasks = 0
        self.empty: list[str] = []
        self.unmarked: list[str] = []
        self._held_out: set[str] = set()
        self._trained: set[str] = set()
        self._regions: defaultdict[str, list[str]] = defaultdict(list)
        self._texts: defaultdict[str, list[tuple[str, int]]] = defaultdict(list)
        self._words: dict[tuple[str, str], _Words] = {}

    def add(self, task: str, documents: Sequence[TaggedDocument]) -> None:
        self.tasks += 1
        subset = subset_of(task)
        if subset == "test":
            self._held_out.add(task)
        elif subset == "train":
            self._trained.add(task)
        text = "\n".join([document.text.strip() for document in documents])
        if not text.strip():
            self.empty.append(task)
            return
        self._texts[text].append((task, hash(tuple([document.tags for document in documents]))))
        if not any(document.spans or document.losses or not document.is_complete for document in documents):
            self.unmarked.append(task)
        for document in documents:
            self._add_regions(document)

    def _add_regions(self, document: TaggedDocument) -> None:
        for span in document.spans:
            self._regions[span.label].append(document.id)
            spelling = " ".join(document.text[span.start : span.end].split())
            key = document.text_name, spelling.casefold()
            words = self._words.get(key)
            if words is None:
                words = self._words[key] = _Words(spelling)
            words.tasks.setdefault(span.label, []).append(document.id)

    def labels(self) -> list[LabelCount]:
        by_frequency = sorted(self._regions.items(), key=lambda row: (-len(row[1]), row[0]))
        return [
            LabelCount(label, len(tasks), sum(task in self._held_out for task in tasks), len(set(tasks)))
            for label, tasks in by_frequency
        ]

    def duplicates(self) -> dict[str, Any]:
        """The fields of `DataState` about duplicates; those that are labelled differently first."""
        texts = [
            (text, [task for task, _ in rows], len({tags for _, tags in rows}) > 1)
            for text, rows in self._texts.items()
            if len(rows) > 1
        ]
        texts.sort(key=lambda row: (not row[2], -len(row[1])))
        return {
            "duplicate_texts": len(texts),
            "duplicate_tasks": sum(len(tasks) for _, tasks, _ in texts),
            "differing_texts": sum(differs for _, _, differs in texts),
            "leaked": sum(self._leaked(tasks) for _, tasks, _ in texts),
            "duplicates": [
                Duplicate(_line(text), len(tasks), _tasks(tasks), differs)
                for text, tasks, differs in texts[:MAX_EXAMPLES]
            ],
        }

    def _leaked(self, tasks: Sequence[str]) -> int:
        """How many of the tasks with a text are held out, if another one is trained on."""
        return sum(task in self._held_out for task in tasks) if not self._trained.isdisjoint(tasks) else 0

    def mixed(self) -> dict[str, Any]:
        """The fields of `DataState` about the same words with different labels."""
        mixed = sorted((words for words in self._words.values() if len(words.tasks) > 1), key=attrgetter("rank"))
        return {
            "mixed_words": len(mixed),
            "mixed": [MixedWords(_line(words.spelling), _uses(words)) for words in mixed[:MAX_EXAMPLES]],
        }


def _uses(words: _Words) -> list[LabelUse]:
    by_frequency = sorted(words.tasks.items(), key=lambda row: -len(row[1]))
    return [LabelUse(label, len(tasks), _tasks(tasks)) for label, tasks in by_frequency]


def _tasks(tasks: Iterable[str], limit: int = MAX_TASKS) -> list[str]:
    return [encodable(task) for task in list(dict.fromkeys(tasks))[:limit]]


def _line(text: str) -> str:
    return encodable(short(text))
