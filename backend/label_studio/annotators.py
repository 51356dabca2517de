"""Who labelled a task, by name."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from backend.errors import LabelStudioError
from backend.label_studio import wire
from backend.label_studio.api import Annotations
from converters.report import ConversionReport
from converters.task_annotations import decisive, submitted_annotations

log = logging.getLogger(__name__)


class AnnotatorNames:
    """Names the annotators of exported tasks; ``users`` are the names by id."""

    def __init__(self, users: Mapping[int, str]) -> None:
        self._users = users
        self._not_reported = ConversionReport()  # the conversion reports the same problems

    def of(self, task: Mapping[str, Any]) -> tuple[str, ...]:
        """Those who submitted annotations of a task, each once; whose annotation counts comes first."""
        annotations = submitted_annotations(dict(task), "", self._not_reported)
        if not annotations:
            return ()
        if len(annotations) > 1:
            annotations = [decisive(annotations), *annotations]
        names = [self._name(annotation.get("completed_by")) for annotation in annotations]
        return tuple(dict.fromkeys(filter(None, names)))

    def _name(self, author: object) -> str:
        """``completed_by`` is an id, an e-mail address, or an object with both; empty where it says nothing."""
        if isinstance(author, dict):
            return wire.full_name(author) or self._name(author.get("id"))
        if isinstance(author, int):
            return self._users.get(author) or f"user {author}"
        return author if isinstance(author, str) else ""


def read_annotator_names(label_studio: Annotations) -> AnnotatorNames:
    """The names that the access token may read; without that right, users are named by their ids."""
    try:
        return AnnotatorNames(label_studio.users())
    except LabelStudioError as error:
        log.info("annotators are named by their ids: %s", error)
        return AnnotatorNames({})
