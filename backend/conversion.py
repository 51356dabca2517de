"""What became of the regions that a run read. Everything that shows or judges lost regions uses `Conversion`."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from converters.report import ConversionReport, Problem

MAX_UNKNOWN_LABELS = 1000
"""Unknown labels that are kept, the most frequent ones."""

_NAMED_LABELS = 5
_NAME_LENGTH = 60


@dataclass(frozen=True, slots=True)
class Use:
    """Of the labelled ``tasks`` and their ``regions``, how many a run could use."""

    tasks: int = 0
    tasks_used: int = 0
    regions: int = 0
    regions_used: int = 0

    @property
    def lost_regions(self) -> int:
        return self.regions - self.regions_used

    @property
    def lost_share(self) -> float:
        """The share of the regions that could not be used; 0.0 where there are none."""
        return lost_share(self.regions, self.regions_used)

    @property
    def is_whole(self) -> bool:
        """Whether every task and every region is used."""
        return self.tasks == self.tasks_used and not self.lost_regions


@dataclass(frozen=True, slots=True)
class Example:
    """A problem of one task: its id, and the values."""

    task: str
    detail: str


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of problem: the `Problem`, the same in words, how often it occurred, the first examples."""

    problem: str
    words: str
    count: int
    examples: tuple[Example, ...] = ()

    @property
    def tasks(self) -> list[str]:
        """The tasks of the examples, each once."""
        return list(dict.fromkeys(example.task for example in self.examples))


@dataclass(frozen=True, slots=True)
class Conversion:
    """What became of a project's tasks and regions in one run; as JSON in ``runs.conversion``.

    ``total`` counts all labelled tasks, ``held_out`` those of the test set. ``losses`` are the reasons why regions were
    not used, ``repairs`` what was corrected in regions that were used, each by frequency. ``unknown_labels`` counts the
    regions that carry a label which the configuration does not have. ``texts_left_out`` is the number of texts with a
    region that may be anywhere on them.
    """

    total: Use = Use()
    held_out: Use = Use()
    losses: tuple[Kind, ...] = ()
    repairs: tuple[Kind, ...] = ()
    unknown_labels: Mapping[str, int] = field(default_factory=dict)
    texts_left_out: int = 0

    @classmethod
    def from_reports(cls, reports: Iterable[ConversionReport], held_out: ConversionReport) -> Conversion:
        """Sum the reports of all sets; in each, ``spans`` counts the regions that became tags."""
        report = ConversionReport()
        for part in reports:
            report.add(part)
        kinds = [_kind(report, problem) for problem in report.problems()]
        repaired = {problem.value for problem in report.problems() if problem.is_repaired}
        return cls(
            total=_use(report),
            held_out=_use(held_out),
            losses=tuple(kind for kind in kinds if kind.problem not in repaired),
            repairs=tuple(kind for kind in kinds if kind.problem in repaired),
            unknown_labels={
                _encodable(label): number for label, number in report.unknown_labels.most_common(MAX_UNKNOWN_LABELS)
            },
            texts_left_out=report.left_out,
        )

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Conversion:
        """Read what `to_dict` returned."""
        return cls(
            total=Use(**values["total"]),
            held_out=Use(**values["held_out"]),
            losses=tuple(map(_read_kind, values["losses"])),
            repairs=tuple(map(_read_kind, values["repairs"])),
            unknown_labels=values["unknown_labels"],
            texts_left_out=values["texts_left_out"],
        )

    def to_dict(self) -> dict[str, Any]:
        """The same as JSON values."""
        return asdict(self)

    @property
    def summary(self) -> str:
        """How many regions are used, in one sentence without a full stop."""
        total = self.total
        of_tasks = f"of {count(total.tasks, 'labelled task')}"
        if total.tasks_used < total.tasks:
            of_tasks += f" ({count(total.tasks - total.tasks_used, 'task')} could not be read)"
        if not total.regions:
            return f"0 regions {of_tasks}"
        if not total.lost_regions:
            every = f"all {total.regions:,} regions" if total.regions > 1 else "the 1 region"
            return f"{every} {of_tasks} {'are' if total.regions > 1 else 'is'} used"
        return f"{total.regions_used:,} of {count(total.regions, 'region')} {of_tasks} are used"

    def loss_sentences(self, *, renamed: Collection[str] = ()) -> list[str]:
        """Why regions are not used and what to do, a sentence each, without full stops.

        Labels in ``renamed`` are left out: they have been mapped since.
        """
        return list(self._loss_sentences(renamed))

    def _loss_sentences(self, renamed: Collection[str]) -> Iterator[str]:
        unknown = {label: number for label, number in self.unknown_labels.items() if label not in renamed}
        for label, number in list(unknown.items())[:_NAMED_LABELS]:
            yield unknown_label_sentence(label, number)
        if more := list(unknown.values())[_NAMED_LABELS:]:
            yield f"{count(sum(more), 'region')} carry {len(more)} more labels that the configuration does not have"
        others = [kind for kind in self.losses if kind.problem != Problem.UNKNOWN_LABEL]
        if others:
            reasons = ", ".join(f"{kind.words} ({kind.count:,})" for kind in others)
            yield f"{'other reasons' if unknown else 'reasons'}: {reasons}"
        if self.texts_left_out:
            several = self.texts_left_out > 1
            texts = f"{self.texts_left_out:,} texts are" if several else "1 text is"
            yield f"{texts} left out, because a region on {'them' if several else 'it'} could not be read"


def lost_share(regions: int | None, regions_used: int | None) -> float:
    """The share of regions that could not be used; 0.0 where there are none or the numbers are not known."""
    return (regions - (regions_used or 0)) / regions if regions else 0.0


def unknown_label_sentence(label: str, regions: int, *, also_known_to: str = "") -> str:
    """``"30 regions carry the label Person, which the configuration no longer has: rename it back, or map it"``."""
    carry = "1 region carries" if regions == 1 else f"{regions:,} regions carry"
    known = f"{also_known_to} knows and " if also_known_to else ""
    return f"{carry} the label {short(label)}, which {known}the configuration no longer has: rename it back, or map it"


def short(label: str) -> str:
    """A label on one line, shortened if it is long."""
    line = " ".join(label.split()) or "(empty)"
    return line if len(line) <= _NAME_LENGTH else f"{line[: _NAME_LENGTH - 1]}…"


def count(number: int, noun: str) -> str:
    """``"1 task"``, ``"1,204 tasks"``"""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def _use(report: ConversionReport) -> Use:
    return Use(report.labelled, report.used, report.regions, min(report.spans, report.regions))


def _kind(report: ConversionReport, problem: Problem) -> Kind:
    examples = tuple(Example(_encodable(issue.task), _encodable(issue.detail)) for issue in report.examples(problem))
    return Kind(problem.value, problem.words, report.problems()[problem], examples)


def _encodable(text: str) -> str:
    """The text with lone surrogates, which JSON may hold and UTF-8 may not, as escapes."""
    return text.encode("utf-8", "backslashreplace").decode()


def _read_kind(values: Mapping[str, Any]) -> Kind:
    examples = tuple(Example(**example) for example in values["examples"])
    return Kind(values["problem"], values["words"], values["count"], examples)
