"""Imports annotated tasks, also where Label Studio loses the annotations of an import."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from backend.errors import AnnotationsLost
from backend.label_studio.api import TaskImport

log = logging.getLogger(__name__)


def import_annotated_tasks(label_studio: TaskImport, project_id: int, tasks: Sequence[Mapping[str, Any]]) -> list[int]:
    """Import tasks in Label Studio's JSON format, whose annotations have a ``result`` only; return their ids.

    Label Studio on SQLite may lose the annotations of an import while others annotate: the transaction is repeated
    when the database was locked, but its annotations were removed from the request by the first attempt. The tasks
    exist then, and a second import would double them, so each lost annotation is created by a request of its own.
    Raises `AnnotationsLost` where that is impossible because Label Studio did not tell the tasks' ids.
    """
    try:
        return label_studio.import_tasks(project_id, tasks)
    except AnnotationsLost as error:
        if len(error.tasks) != len(tasks):
            raise
        log.warning("project %s: annotations are created one by one: %s", project_id, error)
        ids = error.tasks
    stored = Counter(label_studio.annotation_tasks(project_id).values())
    for task_id, task in zip(ids, tasks, strict=True):
        for annotation in list(task.get("annotations") or ())[stored[task_id] :]:
            # An imported annotation is a ground truth unless it says otherwise.
            label_studio.annotate(task_id, annotation["result"], ground_truth=True)
    return ids
