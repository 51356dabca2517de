"""The conversions of CoNLL files on the command line as functions: to tasks, to a configuration, to statistics."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import NamedTuple

from converters.commands import SIDECAR, NothingConverted, check_targets, read_config
from converters.conll import ConllDocument, ConllOptions, read_conll, split_only_document, to_documents
from converters.conll_labels import Kind, Placement, check_labels
from converters.document import Document
from converters.report import ConversionReport, Problem
from converters.stats import Stats, count, counted
from converters.streams import STANDARD, progress, reading_text, rereadable, writing
from converters.tasks import write_tasks
from label_config import LabelConfig, generate


@dataclass(frozen=True, slots=True)
class ConllFile:
    """A CoNLL file, its encoding (``None``: detected), and what is known about its columns."""

    name: str
    encoding: str | None = None
    options: ConllOptions = field(default_factory=ConllOptions)


class ConllTasks(NamedTuple):
    """What `conll_to_label_studio` wrote: the number of tasks, what was read, and what was left out."""

    tasks: int
    stats: Stats
    report: ConversionReport


def conll_to_label_studio(source: ConllFile, target: str, *, kind: Kind, config: str | None = None) -> ConllTasks:
    """Convert a CoNLL file to tasks for import.

    If the file has a sidecar, texts and offsets are restored exactly. Annotations are written only for documents of
    which the configuration has all labels. Raises `NothingConverted` for a file without
    words, and where none of its entities can be written.
    """
    report, stats = ConversionReport(), Stats()
    sidecar = _sidecar(source)
    check_targets([source.name, sidecar, config], [target])
    with _rereadable(source) as file:
        label_config = read_config(config) if config else LabelConfig.from_xml(generate(_labels(file, sidecar)))
        labels = _all_labels(file, sidecar, Stats()) if len(label_config.texts) > 1 else set()
        placement = Placement(label_config, kind, labels)
        with writing(target) as out, _documents(file, sidecar, stats) as documents:
            writable = placed_documents(progress(documents, "documents"), placement, report)
            number = write_tasks(writable, out, label_config, kind=kind, report=report)
            _count(stats, report)
            if number and not stats.tokens and not sidecar:
                raise NothingConverted("Nothing was converted: the file has no word.", report)
            if stats.entities and not report.spans:
                raise NothingConverted(f"No entity could be written. {report.summary()}", report)
    return ConllTasks(number, stats, report)


def placed_documents(
    documents: Iterable[Document], placement: Placement, report: ConversionReport
) -> Iterator[Document]:
    """Count documents; leave out those of which an annotation would say "no entity" where a region is unreadable."""
    for document in documents:
        placed, problems = placement.place(document)
        for problem in problems:
            report.note(Problem.UNKNOWN_LABEL, document.id, problem)
        if (problems or document.unreadable) and placement.kind == "annotations":
            report.left_out += 1
            continue
        report.documents += 1
        report.spans += len(placed.spans)
        yield placed


def _count(stats: Stats, report: ConversionReport) -> None:
    """Complete the report's counts once all tasks are written."""
    problems = report.problems()
    report.tasks = report.labelled = stats.documents
    report.used = report.documents
    report.regions = stats.entities.total()
    report.spans -= sum(problems.get(problem, 0) for problem in (Problem.OUTSIDE_TEXT, Problem.EMPTY_SPAN))


def conll_to_config(source: ConllFile, target: str) -> tuple[list[str], Stats]:
    """Write a labelling configuration with the labels of a CoNLL file; return them, and what was read."""
    stats = Stats()
    check_targets([source.name, _sidecar(source)], [target])
    labels = _labels(source, _sidecar(source), stats)
    with writing(target) as out:
        out.write(generate(labels).encode("utf-8"))
    return labels, stats


def conll_stats(source: ConllFile) -> Stats:
    """Count what is in a CoNLL file."""
    with _conll_documents(source, _sidecar(source)) as documents:
        return count(progress(documents, "documents"))


def _labels(source: ConllFile, sidecar: str | None, stats: Stats | None = None) -> list[str]:
    """The labels of a CoNLL file, in alphabetical order, at least one."""
    labels = _all_labels(source, sidecar, stats or Stats())
    check_labels(labels)
    if not labels:
        problem = "has no entity, so no labelling configuration can be made of it: give the project's with --config."
        raise ValueError(f"{source.name} {problem}")
    return sorted(labels)


def _all_labels(source: ConllFile, sidecar: str | None, stats: Stats) -> set[str]:
    with _documents(source, sidecar, stats) as documents:
        return {span.label for document in progress(documents, "documents read") for span in document.spans}


def _sidecar(source: ConllFile) -> str | None:
    """The file's sidecar, if there is one."""
    sidecar = source.name + SIDECAR
    return sidecar if source.name != STANDARD and Path(sidecar).exists() else None


@contextmanager
def conll_documents(source: ConllFile, stats: Stats) -> Iterator[Iterator[Document]]:
    """The documents of a CoNLL file, which ``stats`` counts, with the exact texts of its sidecar if there is one."""
    with _documents(source, _sidecar(source), stats) as documents:
        yield documents


@contextmanager
def _rereadable(source: ConllFile) -> Iterator[ConllFile]:
    with rereadable(source.name) as name:
        yield replace(source, name=name)


@contextmanager
def _documents(source: ConllFile, sidecar: str | None, stats: Stats) -> Iterator[Iterator[Document]]:
    """The documents of a CoNLL file, which are counted, with their exact texts if a sidecar is given."""
    with ExitStack() as files:
        conll = files.enter_context(_conll_documents(source, sidecar))
        sidecar_lines = files.enter_context(reading_text(sidecar)) if sidecar else None
        yield to_documents(counted(conll, stats), sidecar_lines)


@contextmanager
def _conll_documents(source: ConllFile, sidecar: str | None) -> Iterator[Iterator[ConllDocument]]:
    """The documents of a CoNLL file as its headers, or its sidecar, separate them."""
    with reading_text(source.name, source.encoding) as lines:
        documents = read_conll(lines, source.options)
        yield documents if sidecar else split_only_document(documents)
