"""The conversions of the command line as functions: each reads one kind of file and writes another."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Literal, TextIO

from converters.conll import Written, read_conll, to_documents
from converters.conversion import Conversion, Reading
from converters.document import Document
from converters.export_file import load_tasks
from converters.infer import infer_config
from converters.report import ConversionReport
from converters.streams import (
    STANDARD,
    Progress,
    Writable,
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


def label_studio_to_conll(
    source: str, target: str, *, config: str | None = None, how: Reading | None = None
) -> tuple[Written, ConversionReport]:
    """Convert an export file; without a ``config`` file the export is read twice, first to infer the configuration."""
    if config is not None:
        return _convert(source, target, Conversion(read_config(config), how or Reading()))
    with rereadable(source) as file:
        with reading(file) as stream:
            inferred = infer_config(progress(load_tasks(stream), "tasks read"))
        return _convert(file, target, Conversion(inferred, how or Reading()))


def _convert(source: str, target: str, conversion: Conversion) -> tuple[Written, ConversionReport]:
    counter = Progress("tasks")
    with reading(source) as stream, _writing_conll(target) as (rows, sidecar):
        conversion.write_file(stream, rows, sidecar, on_progress=counter.add)
    counter.end()
    return conversion.written, conversion.report


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


def write_report(report: ConversionReport, target: str) -> None:
    """Write a report as JSON."""
    text = json.dumps(report.to_dict(), ensure_ascii=False, indent=2) + "\n"
    with writing(target) as out:
        out.write(text.encode("utf-8", "backslashreplace"))


def conll_to_label_studio(
    source: str, target: str, *, kind: Literal["predictions", "annotations"], config: str | None = None
) -> tuple[int, ConversionReport]:
    """Convert a CoNLL file to tasks for import; return their number and the report of what was left out.

    If the file has a sidecar, texts and offsets are restored exactly.
    """
    report = ConversionReport()
    sidecar_file = Path(source + SIDECAR)
    with rereadable(source) as file:
        label_config = read_config(config) if config else LabelConfig.from_xml(generate(labels_of(file)))
        sidecar = str(sidecar_file) if source != STANDARD and sidecar_file.exists() else None
        with writing(target) as out, conll_documents(file, sidecar) as documents:
            number = write_tasks(progress(documents, "documents"), out, label_config, kind=kind, report=report)
    return number, report


def conll_to_config(source: str, target: str) -> list[str]:
    """Write a labelling configuration with the labels of a CoNLL file; return them."""
    labels = labels_of(source)
    with writing(target) as out:
        out.write(generate(labels).encode("utf-8"))
    return labels


def labels_of(source: str) -> list[str]:
    """The labels of a CoNLL file, in alphabetical order."""
    with conll_documents(source, None) as documents:
        return sorted({span.label for document in progress(documents, "documents read") for span in document.spans})


def read_config(file: str) -> LabelConfig:
    """Read a labelling configuration from its XML file."""
    return LabelConfig.from_xml(Path(file).read_text(encoding="utf-8-sig"))


@contextmanager
def conll_documents(source: str, sidecar: str | None) -> Iterator[Iterator[Document]]:
    """The documents of a CoNLL file, with their exact texts if a sidecar is given."""
    with ExitStack() as files:
        stream = files.enter_context(reading_text(source))
        sidecar_lines = files.enter_context(reading_text(sidecar)) if sidecar else None
        yield to_documents(read_conll(stream), sidecar_lines)
