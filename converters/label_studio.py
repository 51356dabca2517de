"""Label Studio's JSON to documents, and spans to the regions Label Studio shows.

The format: https://labelstud.io/guide/task_format and https://labelstud.io/guide/export#Label-Studio-JSON-format-of-annotated-tasks
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from hashlib import blake2b
from itertools import count
from typing import Any

from converters.document import Document, Span
from converters.report import ConversionReport, Problem
from label_config import LabelConfig

_LONG_AGO = datetime.min.replace(tzinfo=UTC)


def read_tasks(tasks: Iterable[Mapping[str, Any]], config: LabelConfig) -> tuple[list[Document], ConversionReport]:
    """Read the labelled tasks of a JSON export as documents, in their order, with a report of all the rest.

    Of a task's annotations one counts: a ground truth first, then the latest submitted. Cancelled ones
    (skipped tasks), drafts and predictions never count. A submitted annotation without regions is a
    document without spans. Spans come from the configuration's Labels control alone, by their offsets
    (``value.text`` may be stale); overlaps stay as they are. No input raises: what cannot be read is
    counted and named in the report.
    """
    report = ConversionReport()
    documents: list[Document] = []
    for position, task in enumerate(tasks, start=1):
        report.tasks += 1
        if not isinstance(task, Mapping):
            report.note(Problem.MALFORMED, f"#{position}", f"a task is an object, not {_shown(task)}")
            continue
        document = _read_task(task, _task_name(task, position), config, report)
        if document is not None:
            documents.append(document)
    report.documents = len(documents)
    report.negatives = sum(not document.spans for document in documents)
    report.spans = sum(len(document.spans) for document in documents)
    return documents, report


def task_text(task: Mapping[str, Any], config: LabelConfig) -> str | None:
    """Find the text of a task in its ``data``, or ``None`` where it is missing or no string.

    A field ``a.b`` is the key ``"a.b"`` or else the key ``"b"`` inside ``"a"``, as in Label Studio.
    """
    found: Any = task.get("data")
    if isinstance(found, Mapping) and config.text_field in found:
        found = found[config.text_field]
    else:
        for key in config.text_field.split("."):
            found = found.get(key) if isinstance(found, Mapping) else None
    return found if isinstance(found, str) else None


def regions(document_text: str, spans: Iterable[Span], config: LabelConfig) -> list[dict[str, Any]]:
    """Write spans as the ``result`` of a prediction, in the given order.

    Ids are short, unique within the result and the same for the same spans. A score is written where there is
    one. Spans whose label the configuration does not have are left out: Label Studio would refuse the whole
    prediction.
    """
    ids: set[str] = set()
    result: list[dict[str, Any]] = []
    for span in spans:
        if span.label not in config.labels:
            continue
        region: dict[str, Any] = {
            "id": _region_id(span, ids),
            "from_name": config.from_name,
            "to_name": config.to_name,
            "type": "labels",
            "value": {
                "start": span.start,
                "end": span.end,
                "text": document_text[span.start : span.end],
                "labels": [span.label],
            },
        }
        if span.score is not None:
            region["score"] = span.score
        result.append(region)
    return result


def _read_task(task: Mapping[str, Any], name: str, config: LabelConfig, report: ConversionReport) -> Document | None:
    annotation = _counting_annotation(task, name, report)
    if annotation is None:
        return None
    text = task_text(task, config)
    if text is None:
        report.note(Problem.NO_TEXT, name, f"data has no string under {config.text_field!r}")
        return None
    results = _own_results(annotation["result"], name, config, report)
    spans = (_read_span(value, text, name, config, report) for value in results)
    return Document(name, text, tuple(span for span in spans if span is not None))


def _counting_annotation(task: Mapping[str, Any], name: str, report: ConversionReport) -> Mapping[str, Any] | None:
    """Choose the one annotation of a task that counts, and count what does not."""
    submitted: list[Mapping[str, Any]] = []
    cancelled = False
    annotations = task.get("annotations") or []
    for annotation in annotations if isinstance(annotations, list) else [annotations]:
        if not isinstance(annotation, Mapping):
            report.note(Problem.MALFORMED, name, f"an annotation is an object, not {_shown(annotation)}")
        elif annotation.get("was_cancelled"):
            cancelled = True
        elif not isinstance(annotation.get("result"), list):
            # Not taken for "no entities": that would teach the model that nothing in this text is one.
            report.note(Problem.MALFORMED, name, "an annotation has no list of results")
        else:
            submitted.append(annotation)
    if not submitted:
        report.skipped += cancelled
        report.unlabeled += not cancelled
        return None
    report.superseded += len(submitted) - 1
    return max(submitted, key=_precedence)


def _precedence(annotation: Mapping[str, Any]) -> tuple[bool, datetime, datetime, int]:
    number = annotation.get("id")
    return (
        bool(annotation.get("ground_truth")),
        _moment(annotation.get("updated_at")),
        _moment(annotation.get("created_at")),
        number if isinstance(number, int) else 0,
    )


def _moment(value: object) -> datetime:
    """Read a timestamp; as strings they do not sort: Label Studio omits a fraction of zero."""
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value)
        except ValueError:
            return _LONG_AGO
    if not isinstance(value, datetime):
        return _LONG_AGO
    return value if value.tzinfo else value.replace(tzinfo=UTC)


def _own_results(
    results: Sequence[Any], name: str, config: LabelConfig, report: ConversionReport
) -> Iterator[Mapping[str, Any]]:
    """Give the values of the results that the configuration's Labels control made, and count the others."""
    for result in results:
        if not isinstance(result, Mapping):
            report.note(Problem.MALFORMED, name, f"a result is an object, not {_shown(result)}")
            continue
        origin = (result.get("type"), result.get("from_name"), result.get("to_name"))
        if origin != ("labels", config.from_name, config.to_name):
            report.other_controls[str(result.get("from_name") or "")] += 1
            continue
        value = result.get("value")
        if isinstance(value, Mapping):
            yield value
        else:
            report.note(Problem.MALFORMED, name, f"a result's value is an object, not {_shown(value)}")


def _read_span(
    value: Mapping[str, Any], text: str, name: str, config: LabelConfig, report: ConversionReport
) -> Span | None:
    label = _read_label(value.get("labels"), name, config, report)
    start, end = value.get("start"), value.get("end")
    if label is None:
        return None
    # `type` and not `isinstance`: true and false are integers to Python.
    if type(start) is not int or type(end) is not int:
        detail = f"{label} at {_shown(start)} to {_shown(end)}: offsets are integers"
        report.note(Problem.BAD_OFFSETS, name, detail)
    elif start < 0 or end > len(text):
        detail = f"{label} at {start} to {end}: the text has {len(text)} characters"
        report.note(Problem.OUTSIDE_TEXT, name, detail)
    elif start >= end:
        report.note(Problem.EMPTY_SPAN, name, f"{label} at {start} to {end}")
    else:
        return Span(start, end, label)
    return None


def _read_label(labels: object, name: str, config: LabelConfig, report: ConversionReport) -> str | None:
    """Take the first label of a region that the configuration has."""
    given = labels if isinstance(labels, list) else []
    known = [label for label in given if label in config.labels]
    if not given:
        report.note(Problem.NO_LABEL, name, f"a region has the labels {_shown(labels)}")
    elif not known:
        report.note(Problem.UNKNOWN_LABEL, name, f"{_shown(given[0])} is not in the labelling configuration")
    elif len(given) > 1:
        report.note(Problem.SEVERAL_LABELS, name, f"{known[0]!r} is taken of {_shown(given)}")
    return known[0] if known else None


def _task_name(task: Mapping[str, Any], position: int) -> str:
    number = task.get("id")
    return f"#{position}" if number is None else str(number)


def _shown(value: object) -> str:
    shown = repr(value)
    return shown if len(shown) <= 60 else f"{shown[:57]}..."


def _region_id(span: Span, taken: set[str]) -> str:
    keys = (ascii((span.start, span.end, span.label, attempt)).encode() for attempt in count())
    candidates = (blake2b(key, digest_size=5).hexdigest() for key in keys)
    chosen = next(candidate for candidate in candidates if candidate not in taken)
    taken.add(chosen)
    return chosen
