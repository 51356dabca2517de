"""Label Studio's protocol over HTTP: parses requests, calls the loop, writes answers. All decisions are the loop's."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response, current_app, jsonify, request

from backend.errors import UnknownRun
from backend.loop import Loop
from backend.store.models import Run
from backend.web.calls import HANDLERS, predict_results, project_uid, start_training, take_event
from backend.web.messages import Event, JobStatus, Predict, Setup, Train, Versions, Webhook, parse, to_json
from label_config import LabelConfig

protocol = Blueprint("protocol", __name__)


def _loop() -> Loop:
    loop: Loop = current_app.extensions["loop"]
    return loop


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
        project_uid(loop, body.project),
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
    parts = predict_results(_loop(), parse(Predict, request.get_data(cache=False)))
    results = b",".join(to_json(part)[1:-1] for part in parts)
    return Response(b'{"results":[' + results + b"]}\n", mimetype="application/json")


@protocol.post("/webhook")
def webhook() -> tuple[Response, int]:
    """A project event. Events that the loop does not use are answered with success too."""
    if parse(Event, request.get_data()).action not in HANDLERS:
        return jsonify(status="ignored"), 200
    return jsonify(take_event(_loop(), parse(Webhook, request.get_data()))), 200


@protocol.post("/train")
def train() -> tuple[Response, int]:
    """Called by Label Studio before 1.12 for "Start Training"."""
    body = parse(Train, request.get_data())
    loop = _loop()
    uid = project_uid(loop, body.project)
    if body.label_config:
        LabelConfig.from_xml(body.label_config)
        loop.register_project(uid, label_config=body.label_config)
    return jsonify(start_training(loop, uid)), 201


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
    uid = project_uid(loop, body.project) if body.project else None
    names = [version.name for version in loop.versions(uid, usable=True)]
    return jsonify(versions=list(dict.fromkeys(names)))
