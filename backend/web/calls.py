"""What Label Studio's requests do, sent to this service's web server or to label-studio-ml's (`backend.model`)."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

from backend.errors import InvalidRequest, UnknownProject
from backend.inference.tasks import TaskTexts
from backend.loop import Loop
from backend.web.messages import Predict, Webhook
from converters import Span, read_regions
from label_config import LabelConfig

log = logging.getLogger(__name__)


def project_uid(loop: Loop, project: str) -> str:
    """The project's uid; of a number alone, that of the newest registered project, else the number itself."""
    return project if "." in project else loop.find_uid(project) or project


def predict_results(loop: Loop, body: Predict) -> Iterator[list[dict[str, Any]]]:
    """The predictions in Label Studio's format, one for each task, in order; a part at a time."""
    call = _read_call(loop, body)
    del body  # 50,000 tasks and more: only their texts are needed from here on
    version, parts = loop.predict_tasks(call.uid, call.tasks, marked=call.marked, version=call.version)
    for part in parts:
        yield [{"result": regions, "score": score, "model_version": version} for regions, score in part]


class _PredictCall(NamedTuple):
    """A parsed request to ``/predict``.

    ``marked`` are the regions that an annotator has just drawn on each text of the only task, with Auto-Annotation on;
    ``None`` in any other request.
    ``uid`` is empty where the request names no project.
    """

    uid: str
    tasks: TaskTexts
    version: str | None
    marked: Sequence[Sequence[Span]] | None


def _read_call(loop: Loop, body: Predict) -> _PredictCall:
    uid = project_uid(loop, body.project or "")
    if not uid and (body.model_version or not body.label_config):
        raise InvalidRequest(
            "Field `project` is missing: send it, or send `label_config` and no `model_version`, which need no project."
        )
    config = _read_config(body.label_config or _stored_config(loop, uid))
    tasks = loop.read_texts(uid, body.tasks, config)
    _check_texts(uid, body.tasks, tasks)
    marked = None if body.marked is None else read_regions(body.marked, tasks.texts, config)
    return _PredictCall(uid, tasks, body.model_version, marked)


# Label Studio sends the whole configuration with every opened task.
_read_config = lru_cache(maxsize=64)(LabelConfig.from_xml)


def _stored_config(loop: Loop, uid: str) -> str:
    project = loop.store.projects.find(uid)
    if project is None:
        raise UnknownProject(uid)
    return project.label_config


def _check_texts(uid: str, sent: Sequence[Any], tasks: TaskTexts) -> None:
    """Name the tasks without a text in the log; `InvalidRequest` where no task is an object."""
    fields = list(dict.fromkeys(field for text in tasks.config.texts for field in text.fields))
    for number in tasks.without_text:
        name = sent[number].get("id") if isinstance(sent[number], dict) else sent[number]
        reason = (
            tasks.unavailable.get(number) or f"it has no text in {' or '.join(f'data.{field}' for field in fields)}"
        )
        log.warning("project %s: task %.40r gets an empty result: %s", uid or "(not named)", name, reason)
    if not any(isinstance(task, dict) for task in sent):
        raise InvalidRequest(
            f"None of the {len(sent)} tasks is an object: send tasks as Label Studio does, "
            f'for example {{"id": 1, "data": {{"{fields[0]}": "…"}}}}.'
        )


def take_event(loop: Loop, event: Webhook) -> dict[str, Any]:
    """Store the project of an event and do what the event asks for; the answer says what was done.

    Raises `InvalidRequest` without a project, `UnknownProject` for a number that is not registered. The answer to an
    action that is not in `HANDLERS` is ``{"status": "ignored"}``.
    """
    handler = HANDLERS.get(event.action)
    if handler is None:
        return {"status": "ignored"}
    if event.project is None:
        raise InvalidRequest(f"Field `project` is missing from the {event.action} event: send the whole project.")
    name = event.project.name
    uid = name if event.project.created_at else loop.find_uid(name)
    if uid is None:
        raise UnknownProject(name)
    loop.register_project(
        uid,
        label_config=event.project.label_config,
        title=event.project.title,
        starts_training_every=event.project.min_annotations_to_start_training,
    )
    return handler(loop, uid, event)


def _annotation_saved(loop: Loop, uid: str, event: Webhook) -> dict[str, Any]:
    owners = {
        annotation.id: annotation.task
        for annotation in event.saved
        if annotation.task is not None and not annotation.was_cancelled
    }
    skipped = [annotation.id for annotation in event.saved if annotation.was_cancelled]
    if not owners and not skipped:
        # Within a minute a worker compares the project with Label Studio and counts the new annotations.
        return {"status": "noted"}
    loop.annotations_saved(uid, owners, skipped=skipped, sent_start=event.sent_start)
    return {"status": "counted"}


def _annotations_deleted(loop: Loop, uid: str, event: Webhook) -> dict[str, Any]:
    loop.annotations_deleted(uid, [annotation.id for annotation in event.saved])
    return {"status": "counted"}


def _tasks_created(loop: Loop, uid: str, event: Webhook) -> dict[str, Any]:
    loop.tasks_created(
        uid,
        labelled=[task.id for task in event.tasks if task.labelled],
        unlabelled=[task.id for task in event.tasks if not task.labelled],
    )
    return {"status": "counted"}


def _tasks_deleted(loop: Loop, uid: str, event: Webhook) -> dict[str, Any]:
    loop.tasks_deleted(uid, [task.id for task in event.tasks])
    return {"status": "counted"}


def _project_updated(_loop: Loop, _uid: str, _event: Webhook) -> dict[str, Any]:
    return {"status": "noted"}  # `take_event` has stored the project already, as for every event


def start_training(loop: Loop, uid: str, _event: Webhook | None = None) -> dict[str, Any]:
    """Label Studio keeps a ``job``, if there is one, and asks for its status."""
    run = loop.request_training(uid)
    return {"job": run.id} if run else {"status": "noted"}


HANDLERS = {
    "ANNOTATION_CREATED": _annotation_saved,
    "ANNOTATIONS_CREATED": _annotation_saved,
    "ANNOTATION_UPDATED": _annotation_saved,
    "ANNOTATION_DELETED": _annotations_deleted,
    "ANNOTATIONS_DELETED": _annotations_deleted,
    "TASKS_CREATED": _tasks_created,
    "TASKS_DELETED": _tasks_deleted,
    "PROJECT_UPDATED": _project_updated,
    "START_TRAINING": start_training,
}
