"""Reads Label Studio's tasks as documents.

A labelled task, shortened::

    {"id": 1, "data": {"text": "best sushi"}, "annotations": [{"id": 12, "was_cancelled": false, "result": [
        {"id": "a", "from_name": "label", "to_name": "text", "type": "labels",
         "value": {"start": 5, "end": 10, "text": "sushi", "labels": ["Dish"]}}]}]}

becomes ``Document("1", "best sushi", (Span(5, 10, "Dish"),))``.

The format: https://labelstud.io/guide/task_format and https://labelstud.io/guide/export#Label-Studio-JSON-format-of-annotated-tasks
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from converters.agreement import agree
from converters.document import Document, Span
from converters.report import ConversionReport, Problem, shown
from converters.task_annotations import Annotation, decisive, one_each, submitted_annotations
from label_config import Control, LabelConfig


def iter_documents(
    tasks: Iterable[dict[str, Any]],
    config: LabelConfig,
    report: ConversionReport,
    *,
    annotator: str | int | None = None,
    agreement: bool = False,
) -> Iterator[Document]:
    """Read the labelled tasks of an export as documents, one after the other, and report everything else.

    One annotation of a task counts: a ground truth if there is one, else the latest submitted one. Cancelled
    annotations (skipped tasks), drafts and predictions never count. A submitted annotation without regions is a
    document without spans. With ``annotator``, an id or an e-mail address, only that person's annotations count. With
    ``agreement`` the latest annotation of each person is one vote instead, a ground truth too, and
    ``converters.agreement.agree`` combines the votes to spans; a single vote is used unchanged.

    Spans come only from the configuration's Labels controls, by their offsets (``value.text`` may be outdated);
    overlaps are kept. Tasks may be any JSON values: unreadable parts are counted and recorded in ``report``, nothing
    raises. Memory does not grow with the number of tasks.
    """
    for task in tasks:
        report.tasks += 1
        if not isinstance(task, dict):
            report.note(Problem.MALFORMED, f"#{report.tasks}", f"a task is an object, not {shown(task)}")
            continue
        name = _task_name(task, report.tasks)
        annotations = submitted_annotations(task, name, report, annotator=annotator)
        if annotations:
            chosen = one_each(annotations) if agreement else [decisive(annotations)]
            report.superseded += len(annotations) - len(chosen)
            document = _read_task(task, name, chosen, config, report)
            if document is not None:
                report.documents += 1
                report.negatives += not document.spans
                report.spans += len(document.spans)
                yield document


def read_tasks(tasks: Iterable[dict[str, Any]], config: LabelConfig) -> tuple[list[Document], ConversionReport]:
    """Read labelled tasks as ``iter_documents`` does, all at once."""
    report = ConversionReport()
    return list(iter_documents(tasks, config, report)), report


def read_regions(results: object, text: str, config: LabelConfig) -> tuple[Span, ...]:
    """Read a list of results on ``text`` as spans, as `iter_documents` does; unreadable results are left out."""
    return _read_spans(results, text, "", config, ConversionReport()) if isinstance(results, list) else ()


def task_text(task: dict[str, Any], config: LabelConfig) -> str | None:
    """The text of a task in its ``data``; ``None`` if it is missing or not a string.

    A field ``a.b`` is the key ``"a.b"`` or else the key ``"b"`` inside ``"a"``, as in Label Studio.
    """
    value: Any = task.get("data")
    if isinstance(value, dict) and config.text_field in value:
        value = value[config.text_field]
    else:
        for key in config.text_field.split("."):
            value = value.get(key) if isinstance(value, dict) else None
    return value if isinstance(value, str) else None


def _read_task(
    task: dict[str, Any], name: str, chosen: Sequence[Annotation], config: LabelConfig, report: ConversionReport
) -> Document | None:
    text = task_text(task, config)
    if text is None:
        report.note(Problem.NO_TEXT, name, f"data has no string under {config.text_field!r}")
        return None
    votes = [_read_spans(annotation["result"], text, name, config, report) for annotation in chosen]
    return Document(name, text, votes[0] if len(votes) == 1 else _agreed(text, votes, name, report))


def _agreed(text: str, votes: Sequence[Sequence[Span]], name: str, report: ConversionReport) -> tuple[Span, ...]:
    agreement = agree(text, votes)
    report.voted_words += agreement.words
    report.disputed_words += agreement.disputed
    for loss in agreement.losses:
        detail = f"{loss.span.label} at {loss.span.start} to {loss.span.end} has no vote: {loss.reason}"
        report.note(Problem.EMPTY_SPAN if loss.kept is None else Problem.OVERLAP, name, detail)
    return agreement.spans


def _read_spans(
    results: Sequence[Any], text: str, name: str, config: LabelConfig, report: ConversionReport
) -> tuple[Span, ...]:
    spans: list[Span] = []
    for result in results:
        if not isinstance(result, dict):
            report.note(Problem.MALFORMED, name, f"a result is an object, not {shown(result)}")
            continue
        control = config.control(result.get("from_name"))
        if control is None or not _is_made_by(control, result):
            report.other_controls[str(result.get("from_name") or "")] += 1
            continue
        value = result.get("value")
        if not isinstance(value, dict):
            report.note(Problem.MALFORMED, name, f"the value of a result is an object, not {shown(value)}")
        elif span := _read_span(value, text, name, control, report):
            spans.append(span)
    return tuple(spans)


def _is_made_by(control: Control, result: dict[str, Any]) -> bool:
    """Whether a result with the control's name was made by it; results of JSON_MIN have no ``to_name``."""
    return result.get("type") == "labels" and result.get("to_name", control.to_name) == control.to_name


def _read_span(value: dict[str, Any], text: str, name: str, control: Control, report: ConversionReport) -> Span | None:
    label = _read_label(value.get("labels"), name, control, report)
    start, end = value.get("start"), value.get("end")
    if label is None:
        return None
    # `type` and not `isinstance`: true and false are integers to Python.
    if type(start) is not int or type(end) is not int:
        detail = f"{label} at {shown(start)} to {shown(end)}: offsets are integers"
        report.note(Problem.BAD_OFFSETS, name, detail)
    elif start < 0 or end > len(text):
        detail = f"{label} at {start} to {end}: the text has {len(text)} characters"
        report.note(Problem.OUTSIDE_TEXT, name, detail)
    elif start >= end:
        report.note(Problem.EMPTY_SPAN, name, f"{label} at {start} to {end}")
    else:
        return Span(start, end, label)
    return None


def _read_label(labels: object, name: str, control: Control, report: ConversionReport) -> str | None:
    """The first label of a region that its control has."""
    if isinstance(labels, list) and len(labels) == 1 and labels[0] in control.labels:
        only: str = labels[0]
        return only
    given = labels if isinstance(labels, list) else []
    valid = [label for label in given if label in control.labels]
    if not given:
        report.note(Problem.NO_LABEL, name, f"a region has the labels {shown(labels)}")
    elif not valid:
        report.note(Problem.UNKNOWN_LABEL, name, f"{shown(given[0])} is not in the labelling configuration")
    elif len(given) > 1:
        report.note(Problem.SEVERAL_LABELS, name, f"{valid[0]!r} is used of {shown(given)}")
    return valid[0] if valid else None


def _task_name(task: dict[str, Any], position: int) -> str:
    number = task.get("id")
    return f"#{position}" if number is None else str(number)
