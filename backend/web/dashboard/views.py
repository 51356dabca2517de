"""The pages: all projects, one project, one training run, all label issues."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from flask import Response, jsonify, make_response, redirect, render_template, url_for
from werkzeug.wrappers import Response as AnyResponse

from backend.conversion import Conversion
from backend.errors import UnknownRun
from backend.evaluation import learning_curve
from backend.loop import Loop
from backend.scores import MIN_DOCUMENTS_OF_LABEL
from backend.store.models import Project, Version
from backend.web.dashboard import charts, figures
from backend.web.dashboard.blueprint import current_loop, dashboard, wants_html
from backend.web.dashboard.context import page_context
from backend.web.dashboard.labels import label_table
from backend.web.dashboard.serving import is_roll_back, previous_version
from backend.web.dashboard.summary import Summary, phase, summarize
from backend.web.dashboard.try_it import MAX_CHARACTERS
from backend.web.protocol import health

_LISTED_ISSUES = 8
_LOG_LINES = 500


@dashboard.get("/")
def projects() -> Response:
    """All projects for a browser; the answer of `/health` for Label Studio."""
    if not wants_html():
        answer = health()
    else:
        loop = current_loop()
        summaries = [summarize(loop, project.uid) for project in loop.store.projects.all()]
        answer = make_response(render_template("dashboard/projects.html", summaries=summaries, settings=loop.settings))
    answer.vary.add("Accept")
    return answer


@dashboard.get("/projects/<uid>/")
def project(uid: str) -> str:
    loop = current_loop()
    context = page_context(loop, uid)
    versions, row = context["versions"], context["project"]
    previous = previous_version(versions, row.current_version)
    return render_template(
        "dashboard/project.html",
        **context,
        **_quality(loop, row, versions),
        **_progress(loop, context["summary"], versions),
        **_label_issues(loop, uid, limit=_LISTED_ISSUES),
        live=context["summary"].live(),
        phase=phase,
        runs=loop.runs(uid),
        previous=previous,
        is_roll_back=is_roll_back,
        chosen=[name for name in (row.current_version, previous) if name],
        max_characters=MAX_CHARACTERS,
        text="",
    )


@dashboard.get("/projects/<uid>/live")
def live(uid: str) -> Response:
    """What is updated while a project's page is open."""
    return jsonify(summarize(current_loop(), uid).live())


@dashboard.get("/projects/<uid>/labels.css")
def label_colours(uid: str) -> Response:
    """The project's label colours as a style sheet, since the pages' policy allows no inline styles."""
    rules = (
        f".{colour.css} {{ --label-background: {colour.background}; --label-text: {colour.text} }}\n"
        for colour in page_context(current_loop(), uid)["label_colours"].values()
    )
    return Response("".join(rules), mimetype="text/css")


@dashboard.get("/projects/<uid>/runs/<run_id>")
def run(uid: str, run_id: str) -> str:
    """One training run, with the end of its log."""
    loop = current_loop()
    row = loop.run(run_id)
    if row.project != uid:
        raise UnknownRun(run_id)
    log = loop.run_log(run_id, lines=_LOG_LINES)
    conversion = Conversion.from_dict(row.conversion) if row.conversion else None
    return render_template(
        "dashboard/run.html", **page_context(loop, uid), run=row, phase=phase, log=log, conversion=conversion
    )


@dashboard.get("/projects/<uid>/label-issues")
def label_issues(uid: str) -> str:
    """All labels that are probably mistakes."""
    loop = current_loop()
    issues = _label_issues(loop, uid, limit=None)
    accepted = loop.store.reviews.accepted(uid)
    return render_template("dashboard/label_issues.html", **page_context(loop, uid), **issues, accepted=accepted)


@dashboard.get("/projects/<uid>/suspects")
def suspects(uid: str) -> AnyResponse:
    """The address that the page of label issues had before."""
    return redirect(url_for("dashboard.label_issues", uid=uid), 301)


def _quality(loop: Loop, project: Project, versions: Sequence[Version]) -> dict[str, Any]:
    bars = figures.bars(versions, project.current_version)
    documents = loop.store.runs.documents(project.uid)
    points = learning_curve.points(versions, documents)
    forecast = learning_curve.forecast(points)
    metrics = next((version.metrics for version in versions if version.name == project.current_version), {})
    return {
        "documents": documents,
        "bars": charts.drawn_bars(bars),
        "chart_sentences": figures.chart_sentences(bars, versions=len(versions), current=project.current_version),
        "points": points,
        "versions_chart": charts.versions_chart(bars, title="F1 of each version") if bars else None,
        "learning_chart": charts.learning_chart(points, forecast, title="F1 by labelled tasks") if points else None,
        "forecast": forecast,
        "matrix": figures.matrix(metrics),
        "mistakes": figures.mistakes(metrics),
        "score_of": figures.score_of,
    }


def _progress(loop: Loop, summary: Summary, versions: Sequence[Version]) -> dict[str, Any]:
    uid = summary.overview.project.uid
    data, data_taken_at = loop.store.data_states.get(uid) or (None, None)
    configured = summary.config.labels if summary.config else ()
    return {
        "data": data,
        "data_taken_at": data_taken_at,
        "min_documents_of_label": MIN_DOCUMENTS_OF_LABEL,
        "label_table": label_table(versions, summary.overview.current, data, configured),
    }


def _label_issues(loop: Loop, uid: str, *, limit: int | None) -> dict[str, Any]:
    return {"label_issues": loop.label_issues(uid, limit), "review": loop.store.reviews.get(uid)}
