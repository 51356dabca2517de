"""What the buttons do: every one posts, and is answered by the page it stands on with a sentence."""

from __future__ import annotations

from collections.abc import Callable

from flask import flash, redirect, request, url_for
from werkzeug.wrappers import Response

from backend.errors import BackendError, Conflict
from backend.loop import Loop
from backend.web.dashboard.blueprint import dashboard, the_loop


@dashboard.post("/projects/<uid>/train")
def train(uid: str) -> Response:
    def start(loop: Loop) -> str:
        waiting = loop.store.runs.latest(project=uid, states=("queued",), limit=1)
        run = loop.train(uid, reason="dashboard")
        return f"Run {run.id} waits already." if waiting else f"Run {run.id} is queued."

    return _carry_out(uid, start)


@dashboard.post("/projects/<uid>/runs/<run_id>/cancel")
def cancel(uid: str, run_id: str) -> Response:
    def end(loop: Loop) -> str:
        if loop.run(run_id).project != uid:
            raise Conflict(f"Run {run_id} belongs to another project.")
        return f"Run {loop.cancel(run_id).id} is cancelled."

    return _carry_out(uid, end)


@dashboard.post("/projects/<uid>/versions/<name>/promote")
def promote(uid: str, name: str) -> Response:
    def serve(loop: Loop) -> str:
        loop.promote(uid, name)
        return f"{name} serves now; its predictions are on their way to Label Studio."

    return _carry_out(uid, serve, "versions")


@dashboard.post("/projects/<uid>/versions/<name>/pin")
def pin(uid: str, name: str) -> Response:
    pinned = request.form.get("pinned") == "yes"

    def keep(loop: Loop) -> str:
        loop.pin(uid, name, pinned)
        return f"{name} is pinned: its files stay." if pinned else f"{name} is not pinned any more."

    return _carry_out(uid, keep, "versions")


@dashboard.post("/projects/<uid>/versions/<name>/delete")
def delete(uid: str, name: str) -> Response:
    def remove(loop: Loop) -> str:
        loop.delete_version(uid, name)
        return f"The files of {name} are deleted; its figures stay."

    return _carry_out(uid, remove, "versions")


def _carry_out(uid: str, action: Callable[[Loop], str], section: str | None = None) -> Response:
    loop = the_loop()
    loop.store.projects.get(uid)  # an unknown one has no page to go back to
    try:
        flash(action(loop), "done")
    except BackendError as error:
        flash(str(error), "failed")
    return redirect(url_for("dashboard.project", uid=uid, _anchor=section), 303)
