"""Chooses among the annotations of a task.

An annotation as Label Studio exports it, shortened::

    {"id": 12, "completed_by": 1, "was_cancelled": false, "ground_truth": false,
     "created_at": "2026-11-21T00:46:18.208260Z", "updated_at": "2026-11-21T00:46:18.208270Z", "result": [...]}
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from converters.report import ConversionReport, Problem, shown

Annotation = dict[str, Any]

_LONG_AGO = datetime.min.replace(tzinfo=UTC)


def submitted_annotations(
    task: dict[str, Any], name: str, report: ConversionReport, *, annotator: str | int | None = None
) -> list[Annotation]:
    """The submitted annotations of a task that have a list of results; with ``annotator`` only that person's.

    ``annotator`` is an id or an e-mail address. A task without any is counted: as ``skipped`` if one was cancelled,
    else as ``unlabeled``. Malformed annotations are recorded in ``report``.
    """
    submitted: list[Annotation] = []
    cancelled = False
    annotations = task.get("annotations") or task.get("completions") or []  # their name before Label Studio 1.0
    for annotation in annotations if isinstance(annotations, list) else [annotations]:
        if not isinstance(annotation, dict):
            report.note(Problem.MALFORMED, name, f"an annotation is an object, not {shown(annotation)}")
        elif annotator is not None and str(annotator).casefold() not in _names(annotation):
            report.other_annotators += 1
        elif annotation.get("was_cancelled") or annotation.get("skipped"):  # its name before Label Studio 1.0
            cancelled = True
        elif not isinstance(annotation.get("result"), list):
            # It does not mean "no entities": that would train the model to find none in this text.
            report.note(Problem.MALFORMED, name, "an annotation has no list of results")
        else:
            submitted.append(annotation)
    if not submitted:
        report.skipped += cancelled
        report.unlabeled += not cancelled
    return submitted


def decisive(annotations: Sequence[Annotation]) -> Annotation:
    """Choose the annotation that counts: a ground truth if there is one, else the latest."""
    if len(annotations) == 1:
        return annotations[0]
    return max(annotations, key=lambda annotation: (_is_ground_truth(annotation), *_recency(annotation)))


def _is_ground_truth(annotation: Annotation) -> bool:
    return bool(annotation.get("ground_truth") or annotation.get("honeypot"))  # its name before Label Studio 1.0


def one_each(annotations: Sequence[Annotation]) -> list[Annotation]:
    """Choose the latest annotation of each person; annotations without an author count as different people's."""
    latest: dict[object, Annotation] = {}
    for position, annotation in enumerate(sorted(annotations, key=_recency)):
        names = _names(annotation)
        latest[names[0] if names else position] = annotation
    return list(latest.values())


def _names(annotation: Annotation) -> list[str]:
    """The author's id and e-mail address: ``completed_by`` is one of them, or an object with both."""
    author = annotation.get("completed_by")
    names = [author.get("id"), author.get("email")] if isinstance(author, dict) else [author]
    return [str(name).casefold() for name in names if isinstance(name, int | str)]


def _recency(annotation: Annotation) -> tuple[datetime, datetime, int]:
    number = annotation.get("id")
    return (
        _moment(annotation.get("updated_at")),
        _moment(annotation.get("created_at")),
        number if isinstance(number, int) else 0,
    )


def _moment(value: object) -> datetime:
    """Read a timestamp. As strings they do not sort: Label Studio leaves out a fraction of zero."""
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value)
        except ValueError:
            return _LONG_AGO
    if not isinstance(value, datetime):
        return _LONG_AGO
    return value if value.tzinfo else value.replace(tzinfo=UTC)
