"""Which of a task's annotations count."""

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
    """Give the annotations of a task that were submitted with a list of results, of one person if asked.

    ``annotator`` is an id or an e-mail address. A task that yields none is counted: as ``skipped`` where
    one was cancelled, else as ``unlabeled``. What cannot be read is named in ``report``.
    """
    submitted: list[Annotation] = []
    cancelled = False
    annotations = task.get("annotations") or []
    for annotation in annotations if isinstance(annotations, list) else [annotations]:
        if not isinstance(annotation, dict):
            report.note(Problem.MALFORMED, name, f"an annotation is an object, not {shown(annotation)}")
        elif annotator is not None and str(annotator).casefold() not in _names(annotation):
            report.other_annotators += 1
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
    return submitted


def decisive(annotations: Sequence[Annotation]) -> Annotation:
    """Choose the annotation that counts for a task: a ground truth first, then the latest."""
    if len(annotations) == 1:
        return annotations[0]
    return max(annotations, key=lambda annotation: (bool(annotation.get("ground_truth")), *_recency(annotation)))


def one_each(annotations: Sequence[Annotation]) -> list[Annotation]:
    """Choose the latest annotation of each person; where nobody is named, each is taken for another person's."""
    latest: dict[object, Annotation] = {}
    for position, annotation in enumerate(sorted(annotations, key=_recency)):
        names = _names(annotation)
        latest[names[0] if names else position] = annotation
    return list(latest.values())


def _names(annotation: Annotation) -> list[str]:
    """List what the author is called: ``completed_by`` is an id, an e-mail address, or an object with both."""
    author = annotation.get("completed_by")
    called = [author.get("id"), author.get("email")] if isinstance(author, dict) else [author]
    return [str(name).casefold() for name in called if isinstance(name, int | str)]


def _recency(annotation: Annotation) -> tuple[datetime, datetime, int]:
    number = annotation.get("id")
    return (
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
