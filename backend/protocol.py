"""What Label Studio calls: requests parsed, the loop called, answers written. Nothing is decided here."""

from __future__ import annotations

import logging
from typing import Any

from flask import Blueprint, Response, current_app, jsonify, request

from backend.errors import InvalidRequest, UnknownProject, UnknownRun
from backend.loop import UNTRAINED, Answer, Loop
from backend.messages import Event, JobStatus, Predict, ProjectInfo, Setup, Train, Versions, Webhook, parse
from backend.tables import Run
from converters import regions, task_text
from label_config import LabelConfig

log = logging.getLogger(__name__)
protocol = Blueprint("protocol", __name__)


def _loop() -> Loop:
    loop: Loop = current_app.extensions["loop"]
    return loop


@protocol.get("/")
@protocol.get("/health")
def health() -> Response:
    return jsonify(status="UP", model_class="NER")


@protocol.post("/setup")
def setup() -> Response:
    """Label Studio asks on connect, on every look at its model page and before every prediction."""
    body = parse(Setup, request.get_data())
    LabelConfig.from_xml(body.label_config)
    loop = _loop()
    ours = loop.settings.is_label_studio(body.hostname)
    project = loop.meet(
        body.project,
        label_config=body.label_config,
        access_token=body.access_token if ours else None,
        extra_params=body.extra_params if isinstance(body.extra_params, dict) else None,
    )
    return jsonify(model_version=project.current_version or UNTRAINED)


@protocol.post("/predict")
def predict() -> Response:
    """One result a task, in order; a task without a usable text gets an empty one."""
    body = parse(Predict, request.get_data())
    loop = _loop()
    config = LabelConfig.from_xml(body.label_config or _stored_config(loop, body.project))
    texts = [task_text(task, config) if isinstance(task, dict) else None for task in body.tasks]
    good = [text for text in texts if text is not None]
    _report_bad(body, texts, config)
    if not good:
        raise InvalidRequest(
            f"None of the {len(texts)} tasks has a text in `data.{config.text_field}`: it must be a string there, "
            "because the labelling configuration reads the text from that field."
        )
    answer = loop.predict(body.project, good, version=body.model_version)
    return jsonify(results=_results(texts, answer, config))


def _stored_config(loop: Loop, uid: str) -> str:
    project = loop.store.find_project(uid)
    if project is None:
        raise UnknownProject(uid)
    return project.label_config


def _report_bad(body: Predict, texts: list[str | None], config: LabelConfig) -> None:
    for task, text in zip(body.tasks, texts, strict=True):
        if text is None:
            name = task.get("id") if isinstance(task, dict) else task
            log.warning(
                "project %s: task %.40r has no text in data.%s and gets an empty result",
                body.project, name, config.text_field,
            )  # fmt: skip


def _results(texts: list[str | None], answer: Answer, config: LabelConfig) -> list[dict[str, Any]]:
    taggings = iter(answer.taggings)
    results = []
    for text in texts:
        result: dict[str, Any] = {"result": [], "score": 0.0, "model_version": answer.version}
        if text is not None:
            tagging = next(taggings)
            result |= {"result": regions(text, tagging.spans, config), "score": tagging.score}
        results.append(result)
    return results


@protocol.post("/webhook")
def webhook() -> tuple[Response, int]:
    """A project event. What the loop does not care about is answered like what it does."""
    handler = _HANDLERS.get(parse(Event, request.get_data()).action)
    if handler is None:
        return jsonify(status="ignored"), 200
    event = parse(Webhook, request.get_data())
    if event.project is None:
        raise InvalidRequest(f"Field `project` is missing from the {event.action} event: send the whole project.")
    loop = _loop()
    loop.meet(event.project.uid, label_config=event.project.label_config, title=event.project.title)
    return jsonify(handler(loop, event.project, event)), 200


def _annotation_saved(loop: Loop, project: ProjectInfo, event: Webhook) -> dict[str, Any]:
    saved = [event.annotation] if event.annotation else event.annotations
    owners = {each.id: each.task for each in saved if each.task is not None}
    if len(owners) != len(saved) or not saved:
        raise InvalidRequest(f"Field `annotation.task` is missing from the {event.action} event: send the task's id.")
    loop.annotations_saved(project.uid, owners)
    return {"status": "counted"}


def _annotations_deleted(loop: Loop, project: ProjectInfo, event: Webhook) -> dict[str, Any]:
    loop.annotations_deleted(project.uid, [each.id for each in event.annotations])
    return {"status": "counted"}


def _tasks_created(loop: Loop, project: ProjectInfo, event: Webhook) -> dict[str, Any]:
    loop.tasks_created(
        project.uid,
        labelled=[task.id for task in event.tasks if task.labelled],
        unlabelled=[task.id for task in event.tasks if not task.labelled],
    )
    return {"status": "counted"}


def _tasks_deleted(loop: Loop, project: ProjectInfo, event: Webhook) -> dict[str, Any]:
    loop.tasks_deleted(project.uid, [task.id for task in event.tasks])
    return {"status": "counted"}


def _project_updated(_loop: Loop, _project: ProjectInfo, _event: Webhook) -> dict[str, Any]:
    return {"status": "noted"}  # every event carries the project, and it has been remembered already


def _start_training(loop: Loop, project: ProjectInfo, _event: Webhook) -> dict[str, Any]:
    return {"job": loop.train(project.uid, reason="Start Training in Label Studio").id}


_HANDLERS = {
    "ANNOTATION_CREATED": _annotation_saved,
    "ANNOTATIONS_CREATED": _annotation_saved,
    "ANNOTATION_UPDATED": _annotation_saved,
    "ANNOTATIONS_DELETED": _annotations_deleted,
    "TASKS_CREATED": _tasks_created,
    "TASKS_DELETED": _tasks_deleted,
    "PROJECT_UPDATED": _project_updated,
    "START_TRAINING": _start_training,
}


@protocol.post("/train")
def train() -> tuple[Response, int]:
    """What Label Studio before 1.12 calls for "Start Training"."""
    body = parse(Train, request.get_data())
    loop = _loop()
    if body.label_config:
        LabelConfig.from_xml(body.label_config)
        loop.meet(body.project, label_config=body.label_config)
    return jsonify(job=loop.train(body.project, reason="Start Training in Label Studio").id), 201


@protocol.post("/job_status")
def job_status() -> tuple[Response, int]:
    body = parse(JobStatus, request.get_data())
    try:
        run = _loop().run(body.job)
    except UnknownRun as error:
        return jsonify(error=str(error), job_status="removed"), 410  # Label Studio drops the job on 410
    return jsonify(_shown(run)), 200


def _shown(run: Run) -> dict[str, Any]:
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
    """Names of the versions, newest first; of one project where the caller names it."""
    raw = request.get_data()
    body = parse(Versions, raw) if raw.strip() else Versions(project=request.args.get("project"))
    names = [version.name for version in _loop().versions(body.project)]
    return jsonify(versions=list(dict.fromkeys(names)))
