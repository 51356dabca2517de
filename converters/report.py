"""The report of a conversion: what was read, kept and left out, so that nothing is lost silently."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, fields
from enum import StrEnum
from typing import Any


class Problem(StrEnum):
    """Why a task or a region could not be read, or written, unchanged."""

    MALFORMED = "malformed"
    NO_TEXT = "no_text"
    NO_LABEL = "no_label"
    UNKNOWN_LABEL = "unknown_label"
    MISPLACED_LABEL = "misplaced_label"
    LABEL_FROM_TASK = "label_from_task"
    UNKNOWN_TEXT = "unknown_text"
    BAD_OFFSETS = "bad_offsets"
    WRONG_OFFSETS = "wrong_offsets"
    OUTSIDE_TEXT = "outside_text"
    EMPTY_SPAN = "empty_span"
    OVERLAP = "overlap"
    CORRECTED_OFFSETS = "corrected_offsets"
    RENAMED_CONTROL = "renamed_control"
    RENAMED_LABEL = "renamed_label"
    SEVERAL_LABELS = "several_labels"
    BAD_SCORE = "bad_score"
    UNWRITABLE = "unwritable"

    @property
    def words(self) -> str:
        """The problem in words, for messages."""
        return _WORDS[self]

    @property
    def is_repaired(self) -> bool:
        """Whether the region was read in spite of it."""
        return self in _REPAIRED


_WORDS = {
    Problem.MALFORMED: "not in Label Studio's format",
    Problem.NO_TEXT: "no text",
    Problem.NO_LABEL: "no label",
    Problem.UNKNOWN_LABEL: "label not in the configuration",
    Problem.MISPLACED_LABEL: "label that only another text offers",
    Problem.LABEL_FROM_TASK: "label that only the task names",
    Problem.UNKNOWN_TEXT: "unknown which text is meant",
    Problem.BAD_OFFSETS: "unusable offsets",
    Problem.WRONG_OFFSETS: "offsets of other words",
    Problem.OUTSIDE_TEXT: "offsets outside of the text",
    Problem.EMPTY_SPAN: "no word marked",
    Problem.OVERLAP: "overlaps another region",
    Problem.CORRECTED_OFFSETS: "offsets corrected",
    Problem.RENAMED_CONTROL: "control renamed",
    Problem.RENAMED_LABEL: "label renamed",
    Problem.SEVERAL_LABELS: "several labels, of which one is used",
    Problem.BAD_SCORE: "unusable score",
    Problem.UNWRITABLE: "characters that cannot be stored",
}

_REPAIRED = frozenset(
    {Problem.CORRECTED_OFFSETS, Problem.RENAMED_CONTROL, Problem.RENAMED_LABEL, Problem.SEVERAL_LABELS}
)


MAX_EXAMPLES = 20
"""Issues of each kind that a report keeps, however many other ones there are."""


_NAMED_LABELS = 10


@dataclass(frozen=True, slots=True)
class Issue:
    """One problem: ``task`` is the id of the task as a string, ``detail`` the values."""

    problem: Problem
    task: str
    detail: str


@dataclass(slots=True)
class ConversionReport:
    """Counts of one conversion, and its problems: all are counted, the first ``max_issues`` are kept in ``issues``.

    ``tasks`` were read; ``documents`` were made from them, with ``spans`` in total; ``negatives`` are documents without
    spans, and ``left_out`` is the number of texts that became no document, because a region on them is unreadable.
    ``labelled`` tasks have a submitted annotation, ``used`` ones became documents. ``regions`` were drawn in the
    annotations that count, the same one twice counting once. ``unlabeled`` tasks have no submitted annotation,
    ``skipped`` tasks only cancelled ones. ``superseded`` annotations were not used because another one of their task
    counts, ``other_annotators`` were not used because they are not by the chosen person. Where annotators voted,
    ``voted_words`` is the number of words, and ``disputed_words`` the number of those that were tagged differently.
    ``other_controls`` counts the results that are no regions of the configuration's texts, by the control's name
    (relations have none and count under ``""``); ``unknown_labels`` counts the regions that carry a label which the
    configuration does not have, by the label; ``misplaced_labels`` those whose label another text has, or is read as
    one of another text, by the label and the name of the text they are on.
    """

    tasks: int = 0
    labelled: int = 0
    used: int = 0
    documents: int = 0
    negatives: int = 0
    left_out: int = 0
    regions: int = 0
    spans: int = 0
    unlabeled: int = 0
    skipped: int = 0
    superseded: int = 0
    other_annotators: int = 0
    voted_words: int = 0
    disputed_words: int = 0
    other_controls: Counter[str] = field(default_factory=Counter)
    unknown_labels: Counter[str] = field(default_factory=Counter)
    misplaced_labels: Counter[tuple[str, str]] = field(default_factory=Counter)
    issues: list[Issue] = field(default_factory=list)
    max_issues: int = 1000
    _counts: Counter[Problem] = field(default_factory=Counter, init=False, repr=False)
    _examples: dict[Problem, list[Issue]] = field(default_factory=dict, init=False, repr=False)

    def note(self, problem: Problem, task: str, detail: str) -> None:
        """Record a problem of a task; beyond ``max_issues`` it is only counted, so that memory stays bounded."""
        issue = Issue(problem, task, detail)
        self._counts[problem] += 1
        _keep(self._examples.setdefault(problem, []), issue)
        if len(self.issues) < self.max_issues:
            self.issues.append(issue)

    def add(self, later: ConversionReport) -> None:
        """Add the report of the tasks that follow these."""
        for name in _COUNTS:
            setattr(self, name, getattr(self, name) + getattr(later, name))
        self.other_controls += later.other_controls
        self.unknown_labels += later.unknown_labels
        self.misplaced_labels += later.misplaced_labels
        self.issues += later.issues[: max(self.max_issues - len(self.issues), 0)]
        self._counts += later._counts
        for problem, issues in later._examples.items():
            for issue in issues:
                _keep(self._examples.setdefault(problem, []), issue)

    @property
    def lost_regions(self) -> int:
        """How many of the ``regions`` are not among the ``spans``."""
        return max(0, self.regions - self.spans)

    def examples(self, problem: Problem) -> list[Issue]:
        """The first issues of a kind, at most `MAX_EXAMPLES`, of as many tasks as there are."""
        return list(self._examples.get(problem, ()))

    def problems(self) -> dict[Problem, int]:
        """The number of problems of each kind, the most frequent first."""
        return dict(self._counts.most_common())

    def to_dict(self) -> dict[str, Any]:
        """The whole report as JSON values."""
        return {
            **{name: getattr(self, name) for name in _COUNTS},
            "other_controls": dict(self.other_controls),
            "unknown_labels": dict(self.unknown_labels.most_common()),
            "misplaced_labels": [
                {"label": label, "text": text, "regions": regions}
                for (label, text), regions in self.misplaced_labels.most_common()
            ],
            "problems": {problem.value: count for problem, count in self.problems().items()},
            "issues": [
                {"problem": issue.problem.value, "task": issue.task, "detail": issue.detail} for issue in self.issues
            ],
            "issues_left_out": self._counts.total() - len(self.issues),
        }

    def summary(self) -> str:
        """The report in one line, with the first task as the example of each kind of problem."""
        kept = (
            f"{_counted(self.tasks, 'task')} read, "
            f"{_counted(self.documents, 'text')} with {_counted(self.spans, 'region')} converted"
        )
        counts = {
            "without regions": self.negatives,
            "texts left out because a region is unreadable": self.left_out,
            "not labelled": self.unlabeled,
            "skipped": self.skipped,
            "annotations not used beside another one of their task": self.superseded,
            "annotations of other people": self.other_annotators,
            f"of {self.voted_words} words disputed": self.disputed_words,
            "results of other controls": self.other_controls.total(),
        }
        parts = [kept, *(f"{count} {name}" for name, count in counts.items() if count)]
        return "; ".join([", ".join(parts), *self._problem_lines(), *self._unknown_labels()]) + "."

    def _unknown_labels(self) -> Iterator[str]:
        if self.unknown_labels:
            labels = ", ".join(f"{label} ({count})" for label, count in self.unknown_labels.most_common(_NAMED_LABELS))
            more = len(self.unknown_labels) - _NAMED_LABELS
            yield f"unknown labels: {labels}" + (f" and {more} more" if more > 0 else "")

    def _problem_lines(self) -> Iterator[str]:
        for problem, count in self.problems().items():
            first = self._examples[problem][0]
            yield f"{problem.words} {count}× (task {first.task}: {first.detail})"


_COUNTS = tuple(
    column.name for column in fields(ConversionReport) if column.type == "int" and column.name != "max_issues"
)


def _keep(examples: list[Issue], issue: Issue) -> None:
    """Add an example; once there are `MAX_EXAMPLES`, only one of a new task, for the last one of a repeated task."""
    if len(examples) >= MAX_EXAMPLES:
        tasks = [example.task for example in examples]
        repeated = [index for index, task in enumerate(tasks) if task in tasks[:index]]
        if not repeated or issue.task in tasks:
            return
        del examples[repeated[-1]]
    examples.append(issue)


def shown(value: object) -> str:
    """A value from outside for a message, shortened if it is long."""
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
