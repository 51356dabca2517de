"""The conversions of the command line as functions: each reads one kind of file and writes another."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, nullcontext, suppress
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO, Literal, NamedTuple, TextIO

from converters.conll import Written
from converters.conversion import Conversion, Reading
from converters.export_file import load_tasks
from converters.foreign import not_json
from converters.infer import CannotInfer, infer_config
from converters.label_map import notes, pairs, split_pairs
from converters.phrase_file import write_phrases
from converters.phrases import Phrase, count_phrases
from converters.report import ConversionReport
from converters.stats import Stats
from converters.streams import (
    STANDARD,
    Progress,
    Writable,
    head_of,
    packed,
    progress,
    reading,
    rereadable,
    writing,
    writing_text,
)
from converters.tagged import tag_document
from label_config import LabelConfig

SIDECAR = ".jsonl"

_DECLARED = re.compile(rb"\s*<\?xml[^>]*encoding=[\"']([A-Za-z0-9._-]+)[\"']")

Form = Literal["conll", "bio", "json", "phrases"]


class NothingConverted(ValueError):
    """There was something to convert, and nothing could be; the message says why, the ``report`` in detail."""

    def __init__(self, problem: str, report: ConversionReport) -> None:
        super().__init__(problem)
        self.report = report


class ConllWritten(NamedTuple):
    """What `label_studio_to_conll` wrote and reports; ``notes`` are sentences about the options."""

    written: Written
    report: ConversionReport
    notes: list[str]


def label_studio_to_conll(
    source: str,
    target: str,
    *,
    config: str | None = None,
    mappings: Sequence[str] = (),
    how: Reading | None = None,
) -> ConllWritten:
    """Convert an export file; without a ``config`` file the export is read twice, first to infer the configuration.

    ``mappings``, ``OLD=NEW``, map labels of annotations to those of the configuration that replace them. Raises
    `NothingConverted` where no word could be written.
    """
    check_targets([source, config], [target, target + SIDECAR])
    with rereadable(source) if config is None else nullcontext(source) as file:
        if config is not None:
            label_config = read_config(config)
            given = split_pairs(mappings, partial(_is_mapping, label_config))
            targets = {old: label_config.target_of(old, new) for old, new in given}
            label_config = label_config.with_renamed(targets)
        else:
            labels = inferred_config(file).labels if any(len(pairs(mapping)) > 1 for mapping in mappings) else ()
            given = split_pairs(mappings, lambda old, _: old in labels)
            label_config = inferred_config(file, dict(given))
        conversion = Conversion(label_config, how or Reading())
        _convert(file, target, conversion)
    return ConllWritten(conversion.written, conversion.report, notes(given, conversion.report))


def _is_mapping(config: LabelConfig, old: str, new: str) -> bool:
    try:
        return bool(config.target_of(old, new))
    except ValueError:
        return False


def inferred_config(file: str, renamed: Mapping[str, str] | None = None) -> LabelConfig:
    """Infer the labelling configuration from an export; raises ``ValueError`` where it is none, or not clear."""
    contents: Counter[str] = Counter()
    with reading(file) as stream:
        _check_json(stream)
        try:
            return infer_config(progress(_counted(load_tasks(stream), contents), "tasks read"), renamed=renamed)
        except CannotInfer:
            _check_predictions(contents)
            raise


def _convert(source: str, target: str, conversion: Conversion) -> None:
    counter = Progress("tasks")
    report = conversion.report
    with reading(source) as stream:
        _check_json(stream)
        with _writing_conll(target) as (rows, sidecar):
            conversion.write_file(stream, rows, sidecar, on_progress=counter.add)
            if report.tasks and not conversion.written.tokens:
                if report.unlabeled == report.tasks and source != STANDARD:
                    _check_file_of_predictions(source)
                reason = ": the texts have no word" if report.documents else ""
                raise NothingConverted(f"Nothing was converted{reason}. {report.summary()}", report)
    counter.end()


def _check_file_of_predictions(source: str) -> None:
    contents: Counter[str] = Counter()
    with reading(source) as stream:
        for _ in _counted(load_tasks(stream), contents):
            pass
    _check_predictions(contents)


def _counted(tasks: Iterable[dict[str, Any]], contents: Counter[str]) -> Iterator[dict[str, Any]]:
    """Yield tasks, and count those that have annotations and those that have predictions."""
    for task in tasks:
        if isinstance(task, dict):
            contents.update(name for name in ("annotations", "completions", "predictions") if task.get(name))
        yield task


def _check_predictions(contents: Mapping[str, int]) -> None:
    if contents.keys() == {"predictions"}:
        raise ValueError(
            "These tasks hold predictions only, and no annotation: submit them in Label Studio, then export again."
        )


def _check_json(stream: BinaryIO) -> None:
    head = head_of(stream)
    if (kind := packed(head)) is not None:
        raise ValueError(f"This is {kind}, not an export in JSON: unpack it, or export as JSON.")
    if problem := not_json(head.decode("utf-8", "replace")):
        raise ValueError(problem[0].upper() + problem[1:])


def check_targets(sources: Iterable[str | None], targets: Iterable[str | None]) -> None:
    """Raise ``ValueError`` where a file to be written is one that is read, or two are the same."""
    read = {Path(source).resolve() for source in sources if source not in (None, STANDARD)}
    for target in targets:
        if target is None or target == STANDARD or Path(target).is_char_device():
            continue
        if Path(target).resolve() in read:
            raise ValueError(f"{target} is both read and written: choose another name for the file to write.")
        read.add(Path(target).resolve())


def export_tasks(
    tasks: Iterable[dict[str, Any]],
    target: str,
    config: LabelConfig,
    *,
    form: Form = "conll",
    how: Reading | None = None,
    given: Sequence[Phrase] = (),
) -> tuple[Written, ConversionReport]:
    """Write the labelled tasks in one of four forms to ``target``; ``-`` is standard output.

    ``conll`` is CoNLL-2003 with a sidecar (without one on standard output), ``bio`` a word and its tag per row,
    ``json`` the tasks unchanged, one per line, with the report that their conversion would have, ``phrases`` the
    phrases that count (`count_phrases`, with those ``given``), of which `Written` has the number as ``spans``.
    """
    conversion = Conversion(config, how or Reading())
    if form == "conll":
        with _writing_conll(target) as (rows, sidecar):
            conversion.write(tasks, rows, sidecar)
    else:
        with writing_text(target) as out:
            if form == "bio":
                conversion.write(tasks, _TwoColumns(out), None)
            elif form == "phrases":
                documents = [tag_document(document, labels=config.labels) for document in conversion.documents(tasks)]
                phrases = write_phrases(count_phrases(documents, given), out)
                return Written(documents=len(documents), spans=phrases), conversion.report
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


def read_config(file: str) -> LabelConfig:
    """Read a labelling configuration from its XML file, in UTF-8 or in the encoding that it declares."""
    return LabelConfig.from_xml(read_xml(file))


def read_xml(file: str) -> str:
    """Read an XML file as text; raises ``ValueError`` if it is neither UTF-8 nor in its declared encoding."""
    content = Path(file).read_bytes()
    declared = _DECLARED.match(content)
    for encoding in ("utf-8-sig", declared[1].decode() if declared else ""):
        with suppress(UnicodeDecodeError, LookupError):
            return content.decode(encoding)
    raise ValueError(f"{file} is not UTF-8: save the labelling configuration as UTF-8.")
