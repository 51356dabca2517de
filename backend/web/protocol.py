"""The protocol of Label Studio: parses requests, calls the loop, writes answers. All decisions are the loop's."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

from flask import Blueprint, Response, current_app, jsonify, request

from backend.errors import InvalidRequest, UnknownProject, UnknownRun
from backend.inference.tasks import TaskPrediction, TaskTexts
from backend.loop import Loop
from backend.store.models import Run
from backend.web.messages import Event, JobStatus, Predict, Setup, Train, Versions, Webhook, parse, to_json
from converters import Span, read_regions
from label_config import LabelConfig

log = logging.getLogger(__name__)
protocol = Blueprint("protocol", __name__)


def _loop() -> Loop:
    loop: Loop = current_app.extensions["loop"]
    return loop


def _uid(loop: Loop, project: str) -> str:
    """The project's uid; of a number alone, that of the newest registered project, else the number itself."""
    return project if "." in project else loop.find_uid(project) or project


@protocol.get("/health")
def health() -> Response:
    return jsonify(status="UP", model_class="NER")


@protocol.post("/setup")
def setup() -> Response:
    """Called by Label Studio on connect, whenever its model page is opened and before every prediction."""
    body = parse(Setup, request.get_data())
    LabelConfig.from_xml(body.label_config)
    loop = _loop()
    is_ours = loop.settings.is_label_studio(body.hostname)
    project = loop.register_project(
        _uid(loop, body.project),
        label_config=body.label_config,
        access_token=body.access_token if is_ours else None,
        extra_params=body.overrides,
    )
    return jsonify(model_version=loop.store.projects.serving(project.uid))


@protocol.post("/predict")
def predict() -> Response:
    """One result per task, in order; a task without a usable text gets an empty one.

    A request may hold 50,000 tasks and more: parts that are no longer needed are freed, and each part of the answer is
    written while the model computes the next.
    """
    call = _read_call()
    version, parts = _loop().predict_tasks(call.uid, call.tasks, marked=call.marked, version=call.version)
    results = b"".join(_results(version, parts))
    return Response(b'{"results":[' + results + b"]}\n", mimetype="application/json")


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


def _read_call() -> _PredictCall:
    body = parse(Predict, request.get_data(cache=False))
    uid = _uid(_loop(), body.project or "")
    if not uid and (body.model_version or not body.label_config):
        raise InvalidRequest(
            "Field `project` is missing: send it, or send `label_config` and no `model_version`, which need no project."
        )
    config = _read_config(body.label_config or _stored_config(_loop(), uid))
    tasks = _loop().read_texts(uid, body.tasks, config)
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


def _results(version: str, parts: Iterable[Sequence[TaskPrediction]]) -> Iterator[bytes]:
    """The results as JSON, separated by commas."""
    comma = b""
    for part in parts:
        results = [{"result": regions, "score": score, "model_version": version} for regions, score in part]
        yield comma + to_json(results)[1:-1]
        comma = b","


@protocol.post("/webhook")
def webhook() -> tuple[Response, int]:
    """A project event. Events that the loop does not use are answered with success too."""
    handler = _HANDLERS.get(parse(Event, request.get_data()).action)
    if handler is None:
        return jsonify(status="ignored"), 200
    event = parse(Webhook, request.get_data())
    if event.project is None:
        raise InvalidRequest(f"Field `project` is missing from the {event.action} event: send the whole project.")
    loop = _loop()
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
    return jsonify(handler(loop, uid, event)), 200


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
    return {"status": "noted"}  # `webhook` has stored the project already, as for every event


def _start_training(loop: Loop, uid: str, _event: Webhook | None = None) -> dict[str, Any]:
    """Label Studio keeps a ``job``, if there is one, and asks for its status."""
    run = loop.request_training(uid)
    return {"job": run.id} if run else {"status": "noted"}


_HANDLERS = {
    "ANNOTATION_CREATED": _annotation_saved,
    "ANNOTATIONS_CREATED": _annotation_saved,
    "ANNOTATION_UPDATED": _annotation_saved,
    "ANNOTATION_DELETED": _annotations_deleted,
    "ANNOTATIONS_DELETED": _annotations_deleted,
    "TASKS_CREATED": _tasks_created,
    "TASKS_DELETED": _tasks_deleted,
    "PROJECT_UPDATED": _project_updated,
    "START_TRAINING": _start_training,
}


@protocol.post("/train")
def train() -> tuple[Response, int]:
    """Called by Label Studio before 1.12 for "Start Training"."""
    body = parse(Train, request.get_data())
    loop = _loop()
    uid = _uid(loop, body.project)
    if body.label_config:
        LabelConfig.from_xml(body.label_config)
        loop.register_project(uid, label_config=body.label_config)
    return jsonify(_start_training(loop, uid)), 201


@protocol.post("/job_status")
def job_status() -> tuple[Response, int]:
    body = parse(JobStatus, request.get_data())
    try:
        run = _loop().run(body.job)
    except UnknownRun as error:
        return jsonify(error=str(error), job_status="removed"), 410  # Label Studio drops the job on 410
    return jsonify(_job(run)), 200


def _job(run: Run) -> dict[str, Any]:
    return {
        "job_status": "failed" if run.state == "cancelled" else run.state,
        "phase": run.phase,
        "progress": round(run.progress, 3),
        "eta_seconds": run.eta_seconds,
        "error": run.error,
        "model_version": run.version,
        "created_at": run.queued_at,
        "enqueued_at": run.queued_at,
        "started_at": run.started_at,
        "ended_at": run.finished_at,
    }


@protocol.route("/versions", methods=["GET", "POST"])
def versions() -> Response:
    """Names of all versions, newest first, or only those of the project in the request."""
    raw = request.get_data()
    body = parse(Versions, raw) if raw.strip() else Versions(project=request.args.get("project"))
    loop = _loop()
    uid = _uid(loop, body.project) if body.project else None
    names = [version.name for version in loop.versions(uid, usable=True)]
    return jsonify(versions=list(dict.fromkeys(names)))
