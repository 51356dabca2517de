"""The pages: projects, one project, one run, all label issues."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from flask import Response, jsonify, make_response, render_template

from backend.errors import UnknownRun
from backend.evaluation import learning_curve
from backend.loop import Loop
from backend.store.models import Project, Version
from backend.web.dashboard import charts, figures
from backend.web.dashboard.blueprint import dashboard, the_loop, wants_html
from backend.web.dashboard.context import frame
from backend.web.dashboard.summary import glance, phase
from backend.web.dashboard.trying import MOST_CHARACTERS
from backend.web.protocol import health

_SUSPECTS_SHOWN = 8
_LOG_LINES = 500


@dashboard.get("/")
def projects() -> Response:
    """All projects for a browser; what `/health` says for Label Studio."""
    if not wants_html():
        answer = health()
    else:
        loop = the_loop()
        seen = [glance(loop, project.uid) for project in loop.store.projects.all()]
        answer = make_response(render_template("dashboard/projects.html", projects=seen, settings=loop.settings))
    answer.vary.add("Accept")
    return answer


@dashboard.get("/projects/<uid>/")
def project(uid: str) -> str:
    loop = the_loop()
    known = frame(loop, uid)
    versions, shown = known["versions"], known["project"]
    return render_template(
        "dashboard/project.html",
        **known,
        **_quality(loop, shown, versions),
        **_label_issues(loop, uid, limit=_SUSPECTS_SHOWN),
        live=known["glance"].live(),
        phase=phase,
        runs=loop.runs(uid),
        before=served_before(versions, shown.current_version),
        chosen=_to_try(versions, shown.current_version),
        most_characters=MOST_CHARACTERS,
        text="",
    )


@dashboard.get("/projects/<uid>/live")
def live(uid: str) -> Response:
    """What changes while a project's page is open."""
    return jsonify(glance(the_loop(), uid).live())


@dashboard.get("/projects/<uid>/labels.css")
def label_colours(uid: str) -> Response:
    """The project's label colours: a style sheet of its own, since pages may hold no styles."""
    rules = (
        f".{each.css} {{ --paint: {each.background}; --ink: {each.text} }}\n"
        for each in frame(the_loop(), uid)["label_colours"].values()
    )
    return Response("".join(rules), mimetype="text/css")


@dashboard.get("/projects/<uid>/runs/<run_id>")
def run(uid: str, run_id: str) -> str:
    """One training run, with the end of its log."""
    loop = the_loop()
    shown = loop.run(run_id)
    if shown.project != uid:
        raise UnknownRun(run_id)
    log = loop.run_log(run_id, lines=_LOG_LINES)
    return render_template("dashboard/run.html", **frame(loop, uid), run=shown, phase=phase, log=log)


@dashboard.get("/projects/<uid>/label-issues")
def label_issues(uid: str) -> str:
    """All annotations that are probably mistakes."""
    loop = the_loop()
    return render_template("dashboard/label_issues.html", **frame(loop, uid), **_label_issues(loop, uid, limit=None))


def served_before(versions: Sequence[Version], current: str | None) -> str | None:
    """The version to go back to: the latest before the current one that was promoted and has its files."""
    serving = next((each.number for each in versions if each.name == current), 0)
    earlier = (each for each in versions if each.number < serving and not each.pruned_at)
    return next((each.name for each in earlier if each.verdict.startswith("promoted")), None)


def _to_try(versions: Sequence[Version], current: str | None) -> list[str]:
    """The current version and the one it is most interesting to compare with."""
    before = served_before(versions, current)
    return [name for name in (current, before) if name]


def _quality(loop: Loop, project: Project, versions: Sequence[Version]) -> dict[str, Any]:
    bars = figures.bars(versions, project.current_version)
    documents = loop.store.runs.documents(project.uid)
    points = learning_curve.points(versions, documents)
    forecast = learning_curve.forecast(points)
    metrics = next((each.metrics for each in versions if each.name == project.current_version), {})
    return {
        "documents": documents,
        "bars": bars,
        "points": points,
        "versions_chart": charts.versions_chart(bars, title="F1 of each version") if bars else None,
        "learning_chart": charts.learning_chart(points, forecast, title="F1 by labelled tasks") if points else None,
        "forecast": forecast,
        "held_out": metrics.get("documents"),
        "label_rows": figures.label_rows(metrics),
        "matrix": figures.matrix(metrics),
        "mistake": figures.worst_mistake(metrics),
        "f1_of": figures.f1_of,
        "interval_of": figures.interval_of,
    }


def _label_issues(loop: Loop, uid: str, *, limit: int | None) -> dict[str, Any]:
    return {"label_issues": loop.label_issues(uid, limit), "review": loop.review(uid)}
