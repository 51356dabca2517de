"""The conversions of the command line as functions: each reads one kind of file and writes another."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, BinaryIO, Literal, NamedTuple, TextIO

from converters.conll import ConllDocument, ConllOptions, Written, read_conll, split_only_document, to_documents
from converters.conversion import Conversion, Reading
from converters.document import Document
from converters.export_file import load_tasks
from converters.foreign import not_json
from converters.infer import infer_config
from converters.report import ConversionReport, Problem
from converters.stats import Stats, count, counted
from converters.streams import (
    STANDARD,
    Progress,
    Writable,
    head_of,
    progress,
    reading,
    reading_text,
    rereadable,
    writing,
    writing_text,
)
from converters.tasks import write_tasks
from label_config import LabelConfig, generate

SIDECAR = ".jsonl"

Form = Literal["conll", "bio", "json"]

Kind = Literal["predictions", "annotations"]


class NothingConverted(ValueError):
    """There was something to convert, and nothing could be; the message says why, the ``report`` in detail."""

    def __init__(self, problem: str, report: ConversionReport) -> None:
        super().__init__(problem)
        self.report = report


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


def label_studio_to_conll(
    source: str,
    target: str,
    *,
    config: str | None = None,
    renamed: Mapping[str, str] | None = None,
    how: Reading | None = None,
) -> tuple[Written, ConversionReport]:
    """Convert an export file; without a ``config`` file the export is read twice, first to infer the configuration.

    ``renamed`` maps labels of annotations to those of the configuration that replace them.
    """
    renamed = renamed or {}
    if config is not None:
        label_config = read_config(config)
        targets = {old: label_config.target_of(old, new) for old, new in renamed.items()}
        return _convert(source, target, Conversion(label_config.with_renamed(targets), how or Reading()))
    with rereadable(source) as file:
        with reading(file) as stream:
            _check_json(stream)
            inferred = infer_config(progress(load_tasks(stream), "tasks read"), renamed=renamed)
        return _convert(file, target, Conversion(inferred, how or Reading()))


def _convert(source: str, target: str, conversion: Conversion) -> tuple[Written, ConversionReport]:
    counter = Progress("tasks")
    with reading(source) as stream:
        _check_json(stream)
        with _writing_conll(target) as (rows, sidecar):
            conversion.write_file(stream, rows, sidecar, on_progress=counter.add)
            if conversion.report.tasks and not conversion.written.documents:
                raise NothingConverted(f"Nothing was converted. {conversion.report.summary()}", conversion.report)
    counter.end()
    return conversion.written, conversion.report


def _check_json(stream: BinaryIO) -> None:
    if problem := not_json(head_of(stream).decode("utf-8", "replace")):
        raise ValueError(problem[0].upper() + problem[1:])


def export_tasks(
    tasks: Iterable[dict[str, Any]],
    target: str,
    config: LabelConfig,
    *,
    form: Form = "conll",
    how: Reading | None = None,
) -> tuple[Written, ConversionReport]:
    """Write the labelled tasks in one of three forms to ``target``; ``-`` is standard output.

    ``conll`` is CoNLL-2003 with a sidecar (without one on standard output), ``bio`` a word and its tag per row,
    ``json`` the tasks unchanged, one per line, with the report that their conversion would have.
    """
    conversion = Conversion(config, how or Reading())
    if form == "conll":
        with _writing_conll(target) as (rows, sidecar):
            conversion.write(tasks, rows, sidecar)
    else:
        with writing_text(target) as out:
            if form == "bio":
                conversion.write(tasks, _TwoColumns(out), None)
            else:
                conversion.write(_copied(tasks, out), _Discard(), None)
    return conversion.written, conversion.report


class _TwoColumns:
    """Accepts CoNLL-2003, one document at a time, and writes only word and tag of each row."""

    def __init__(self, out: Writable) -> None:
        self._out = out

    def write(self, document: str, /) -> None:
        _, _, rows = document.partition("\n\n")  # its header
        self._out.write(rows.replace(" -X- _ ", " "))


class _Discard:
    def write(self, text: str, /) -> None:
        """Accept a text and write nothing."""


def _copied(tasks: Iterable[dict[str, Any]], out: Writable) -> Iterator[dict[str, Any]]:
    separator = "["
    for task in tasks:
        out.write(f"{separator}\n{json.dumps(task)}")
        separator = ","
        yield task
    out.write("[]\n" if separator == "[" else "\n]\n")


@contextmanager
def _writing_conll(target: str) -> Iterator[tuple[TextIO, TextIO | None]]:
    with ExitStack() as files:
        rows = files.enter_context(writing_text(target))
        yield rows, files.enter_context(writing_text(target + SIDECAR)) if target != STANDARD else None


def write_report(report: ConversionReport, target: str, stats: Stats | None = None) -> None:
    """Write a report as JSON; the ``stats`` of the CoNLL file that was read are under ``conll``."""
    value = report.to_dict() | ({"conll": stats.to_dict()} if stats else {})
    text = json.dumps(value, ensure_ascii=False, indent=2) + "\n"
    with writing(target) as out:
        out.write(text.encode("utf-8", "backslashreplace"))


def conll_to_label_studio(source: ConllFile, target: str, *, kind: Kind, config: str | None = None) -> ConllTasks:
    """Convert a CoNLL file to tasks for import.

    If the file has a sidecar, texts and offsets are restored exactly. Annotations are written only for documents of
    which the configuration has all labels. Raises `NothingConverted` for a file without
    words, and where none of its entities can be written.
    """
    report, stats = ConversionReport(), Stats()
    with _rereadable(source) as file:
        sidecar = _sidecar(source)
        label_config = read_config(config) if config else LabelConfig.from_xml(generate(_labels(file, sidecar)))
        with writing(target) as out, _documents(file, sidecar, stats) as documents:
            writable = _writable(progress(documents, "documents"), label_config, kind, report)
            number = write_tasks(writable, out, label_config, kind=kind, report=report)
            _count(stats, report)
            if number and not stats.tokens and not sidecar:
                raise NothingConverted("Nothing was converted: the file has no word.", report)
            if stats.entities and not report.spans:
                raise NothingConverted(f"No entity could be written. {report.summary()}", report)
    return ConllTasks(number, stats, report)


def _writable(
    documents: Iterable[Document], config: LabelConfig, kind: Kind, report: ConversionReport
) -> Iterator[Document]:
    """Count documents; leave out those of which an annotation would say "no entity" where the label is unknown."""
    for document in documents:
        text = config.text(document.text_name) or config.texts[0]
        unknown = [span.label for span in document.spans if text.control_of(span.label) is None]
        if unknown and kind == "annotations":
            for label in unknown:
                report.note(Problem.UNKNOWN_LABEL, document.id, f"{label!r} is not in the labelling configuration")
            report.left_out += 1
            continue
        report.documents += 1
        report.spans += len(document.spans) - len(unknown)
        yield document


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
    with _documents(source, sidecar, stats or Stats()) as documents:
        labels = {span.label for document in progress(documents, "documents read") for span in document.spans}
    if not labels:
        problem = "has no entity, so no labelling configuration can be made of it: give the project's with --config."
        raise ValueError(f"{source.name} {problem}")
    return sorted(labels)


def read_config(file: str) -> LabelConfig:
    """Read a labelling configuration from its XML file."""
    return LabelConfig.from_xml(Path(file).read_text(encoding="utf-8-sig"))


def _sidecar(source: ConllFile) -> str | None:
    """The file's sidecar, if there is one."""
    sidecar = source.name + SIDECAR
    return sidecar if source.name != STANDARD and Path(sidecar).exists() else None


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
