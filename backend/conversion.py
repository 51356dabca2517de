"""What became of the regions that a run read. Everything that shows or judges lost regions uses `Conversion`."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from converters.report import ConversionReport, Problem
from label_config import LabelConfig

MAX_UNKNOWN_LABELS = 1000
"""Unknown and misplaced labels that are kept, the most frequent ones of each."""

NAMED_LABELS = 5
"""Labels that a list of sentences names, the most frequent ones."""

_NAME_LENGTH = 60

_WITH_REMEDY = (Problem.NO_TEXT, Problem.WRONG_OFFSETS)
"""Kinds whose details say what to do: their sentence has the first one."""


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
    def has_remedy(self) -> bool:
        """Whether its examples say what to do."""
        return self.problem in _WITH_REMEDY and bool(self.examples)

    @property
    def tasks(self) -> list[str]:
        """The tasks of the examples, each once."""
        return list(dict.fromkeys(example.task for example in self.examples))


@dataclass(frozen=True, slots=True)
class MisplacedLabel:
    """A label on the text named ``text``, which does not offer it, and the number of such regions.

    Another text offers it, or the label that it is ``read_as``.
    """

    label: str
    text: str
    regions: int
    read_as: str | None = None


@dataclass(frozen=True, slots=True)
class Conversion:
    """What became of a project's tasks and regions in one run; as JSON in ``runs.conversion``.

    ``total`` counts all labelled tasks, ``held_out`` those of the test set. ``losses`` are the reasons why regions were
    not used, ``repairs`` what was corrected in regions that were used, each by frequency. ``unknown_labels`` counts the
    regions that carry a label which the configuration does not have; it includes those of ``misplaced_labels`` that are
    read as another label. ``offered`` are the labels of the texts that have misplaced ones. ``renamed`` maps old labels
    to those that the run read them as. ``texts_left_out`` is the number of texts with a region that may be anywhere on
    them.
    """

    total: Use = Use()
    held_out: Use = Use()
    losses: tuple[Kind, ...] = ()
    repairs: tuple[Kind, ...] = ()
    unknown_labels: Mapping[str, int] = field(default_factory=dict)
    misplaced_labels: tuple[MisplacedLabel, ...] = ()
    offered: Mapping[str, Sequence[str]] = field(default_factory=dict)
    renamed: Mapping[str, str] = field(default_factory=dict)
    texts_left_out: int = 0

    @classmethod
    def from_reports(
        cls, reports: Iterable[ConversionReport], *, held_out: ConversionReport, config: LabelConfig
    ) -> Conversion:
        """Sum the reports of all sets, which were read with ``config``.

        In each, ``spans`` counts the regions that became tags.
        """
        report = ConversionReport()
        for part in reports:
            report.add(part)
        kinds = [_kind(report, problem) for problem in report.problems()]
        repaired = {problem.value for problem in report.problems() if problem.is_repaired}
        renamed = _renamed(config)
        misplaced = report.misplaced_labels.most_common(MAX_UNKNOWN_LABELS)
        on = {text for (_, text), _ in misplaced}
        return cls(
            total=_use(report),
            held_out=_use(held_out),
            losses=tuple(kind for kind in kinds if kind.problem not in repaired),
            repairs=tuple(kind for kind in kinds if kind.problem in repaired),
            unknown_labels={
                encodable(label): number for label, number in report.unknown_labels.most_common(MAX_UNKNOWN_LABELS)
            },
            misplaced_labels=tuple(
                MisplacedLabel(encodable(label), text, regions, renamed.get(label))
                for (label, text), regions in misplaced
            ),
            offered={text.name: text.labels for text in config.texts if text.name in on},
            renamed=renamed,
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
            misplaced_labels=tuple(MisplacedLabel(**row) for row in values.get("misplaced_labels", ())),
            offered={text: tuple(labels) for text, labels in values.get("offered", {}).items()},
            renamed=values.get("renamed", {}),
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

    def loss_sentences(self, *, pending: Collection[str] = (), named_labels: int | None = NAMED_LABELS) -> list[str]:
        """Why regions are not used and what to do, a sentence each, without full stops.

        Labels in ``pending`` are left out: they have been mapped since. Of the others, the ``named_labels`` most
        frequent ones are named, or all.
        """
        labels = [row for row in self._label_sentences() if row[0] not in pending]
        labels.sort(key=lambda row: -row[1])
        named, more = labels[:named_labels], labels[len(labels[:named_labels]) :]
        sentences = [sentence for _, _, sentence in named]
        if more:
            regions = count(sum(number for _, number, _ in more), "region")
            sentences.append(f"{regions} carry {len(more)} more labels, which `python -m backend labels` lists")
        sentences += self._explained_sentences()
        return [*sentences, *self._other_sentences("other reasons: " if sentences else "")]

    def _label_sentences(self) -> Iterator[tuple[str, int, str]]:
        """Of each unknown or misplaced label, the number of regions and the sentence."""
        read_as_another = {row.label for row in self.misplaced_labels if row.read_as}
        for label, number in self.unknown_labels.items():
            if label not in read_as_another:
                yield label, number, unknown_label_sentence(label, number)
        for row in self.misplaced_labels:
            yield row.label, row.regions, _misplaced_label_sentence(row, self.offered[row.text])

    def _explained_sentences(self) -> Iterator[str]:
        for kind in self.losses:
            if kind.has_remedy:
                task, detail = kind.examples[0].task, kind.examples[0].detail.rstrip(".")
                yield f"{kind.words} ({kind.count:,}), for example in task {task}: {detail}"

    def _other_sentences(self, introduction: str) -> Iterator[str]:
        by_label = (Problem.UNKNOWN_LABEL, Problem.MISPLACED_LABEL)
        others = [kind for kind in self.losses if kind.problem not in by_label and not kind.has_remedy]
        if others:
            yield f"{introduction}{', '.join(f'{kind.words} ({kind.count:,})' for kind in others)}"
        if self.texts_left_out:
            several = self.texts_left_out > 1
            texts = f"{self.texts_left_out:,} texts are" if several else "1 text is"
            yield f"{texts} left out, because a region on {'them' if several else 'it'} could not be read"


def lost_share(regions: int | None, regions_used: int | None) -> float:
    """The share of regions that could not be used; 0.0 where there are none or the numbers are not known."""
    return (regions - (regions_used or 0)) / regions if regions else 0.0


def _misplaced_label_sentence(row: MisplacedLabel, offered: Sequence[str]) -> str:
    """Of a region whose text does not offer its label; ``offered`` are the labels of this text."""
    carry, text, one = _carry(row.label, row.regions), short(row.text), row.regions == 1
    if row.read_as is None:
        remedy = f"add it to that text's labels, or correct the region{'' if one else 's'}"
        return f"{carry} on the text {text}, which does not offer it: {remedy}"
    new, labels = short(row.read_as), ", ".join(map(short, offered[:NAMED_LABELS]))
    more = ", …" if len(offered) > NAMED_LABELS else ""
    stands = f"the text {'it is' if one else 'they are'} on, {text},"
    return (
        f"{carry}, which is read as {new}, but {stands} does not offer {new}: "
        f"map it to one of its labels ({labels}{more}), or add {new} to them"
    )


def unknown_label_sentence(label: str, regions: int, *, also_known_to: str = "") -> str:
    """``"30 regions carry the label Person, which the configuration no longer has: rename it back, or map it"``."""
    known = f"{also_known_to} knows and " if also_known_to else ""
    remedy = "rename it back, or map it"
    return f"{_carry(label, regions)}, which {known}the configuration no longer has: {remedy}"


def _carry(label: str, regions: int) -> str:
    return f"{'1 region carries' if regions == 1 else f'{regions:,} regions carry'} the label {short(label)}"


def short(label: str) -> str:
    """A label on one line, shortened if it is long."""
    line = " ".join(label.split()) or "(empty)"
    return line if len(line) <= _NAME_LENGTH else f"{line[: _NAME_LENGTH - 1]}…"


def count(number: int, noun: str) -> str:
    """``"1 task"``, ``"1,204 tasks"``"""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def _use(report: ConversionReport) -> Use:
    return Use(report.labelled, report.used, report.regions, min(report.spans, report.regions))


def _renamed(config: LabelConfig) -> dict[str, str]:
    """The mappings that have an effect on at least one text; a label that a text has today is not an old one."""
    pairs = [pair for text in config.texts for pair in text.renamed.items()]
    return {old: new for old, new in pairs if all(text.label_named(old) in (None, new) for text in config.texts)}


def _kind(report: ConversionReport, problem: Problem) -> Kind:
    examples = tuple(Example(encodable(issue.task), encodable(issue.detail)) for issue in report.examples(problem))
    return Kind(problem.value, problem.words, report.problems()[problem], examples)


def encodable(text: str) -> str:
    """The text with lone surrogates, which JSON may hold and UTF-8 may not, as escapes."""
    return text.encode("utf-8", "backslashreplace").decode()


def _read_kind(values: Mapping[str, Any]) -> Kind:
    examples = tuple(Example(**example) for example in values["examples"])
    return Kind(values["problem"], values["words"], values["count"], examples)
