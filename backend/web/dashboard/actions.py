"""What the buttons do: each posts a form and is answered by its page again, with one sentence on top."""

from __future__ import annotations

from collections.abc import Callable

from flask import flash, redirect, request, url_for
from werkzeug.wrappers import Response

from backend.conversion import short
from backend.errors import BackendError, Conflict, InvalidRequest
from backend.loop import Loop
from backend.web.dashboard.blueprint import current_loop, dashboard
from label_config import UnsupportedLabelConfig


@dashboard.post("/projects/<uid>/train")
def train(uid: str) -> Response:
    def start(loop: Loop) -> str:
        queued = loop.store.runs.latest(project=uid, states=("queued",), limit=1)
        run = loop.train(uid, reason="Start training on the dashboard")
        return f"Run {run.id} is queued already." if queued else f"Run {run.id} is queued."

    return _perform(uid, start)


@dashboard.post("/projects/<uid>/labels/map")
def map_labels(uid: str) -> Response:
    """Map each ``old`` label to the ``new`` one beside it, if one is chosen, and start training."""
    chosen = {
        old: new for old, new in zip(request.form.getlist("old"), request.form.getlist("new"), strict=False) if new
    }

    def map_and_train(loop: Loop) -> str:
        if not chosen:
            raise InvalidRequest("Choose a label for at least one of the old labels.")
        for old, new in chosen.items():
            loop.map_label(uid, old, new)
        run = loop.train(uid, reason="Map and train on the dashboard")
        mapped = [f"{short(old)} is read as {short(new)}" for old, new in chosen.items()]
        more = f", and {len(mapped) - 3} more" if len(mapped) > 3 else ""
        return f"{', '.join(mapped[:3])}{more}; run {run.id} is queued."

    return _perform(uid, map_and_train)


@dashboard.post("/projects/<uid>/labels/unmap")
def unmap_label(uid: str) -> Response:
    old = request.form.get("old", "")

    def remove(loop: Loop) -> str:
        loop.map_label(uid, old, None)
        return f"The mapping of {short(old)} is removed: the next run does not use it."

    return _perform(uid, remove)


@dashboard.post("/projects/<uid>/runs/<run_id>/cancel")
def cancel(uid: str, run_id: str) -> Response:
    def end(loop: Loop) -> str:
        if loop.run(run_id).project != uid:
            raise Conflict(f"Run {run_id} belongs to another project.")
        return f"Run {loop.cancel(run_id).id} is cancelled."

    return _perform(uid, end)


@dashboard.post("/projects/<uid>/versions/<name>/promote")
def promote(uid: str, name: str) -> Response:
    def serve(loop: Loop) -> str:
        loop.promote(uid, name, actor="dashboard")
        return f"{name} serves now; its predictions are being sent to Label Studio."

    return _perform(uid, serve)


@dashboard.post("/projects/<uid>/versions/<name>/pin")
def pin(uid: str, name: str) -> Response:
    pinned = request.form.get("pinned") == "yes"

    def keep(loop: Loop) -> str:
        loop.pin(uid, name, pinned)
        return f"{name} is pinned: its files stay." if pinned else f"{name} is not pinned any more."

    return _perform(uid, keep, "versions")


@dashboard.post("/projects/<uid>/versions/<name>/delete")
def delete(uid: str, name: str) -> Response:
    def remove(loop: Loop) -> str:
        loop.delete_version(uid, name)
        return f"The files of {name} are deleted; its figures stay."

    return _perform(uid, remove, "versions")


@dashboard.post("/projects/<uid>/label-issues/<key>/accept")
def accept_label(uid: str, key: str) -> Response:
    """The label of an issue is right; with ``accepted=no``, that is taken back."""
    accepted, on_list = request.form.get("accepted") != "no", request.form.get("on") == "list"

    def accept(loop: Loop) -> str:
        issue = loop.accept_label(uid, key, accepted=accepted)
        if issue is None:
            raise Conflict(
                "This label issue is not listed any more: its task has changed, or a later review dropped it."
            )
        where = f"“{short(issue.text)}” in task {issue.task}"
        if not accepted:
            return f"{where} is a label issue again."
        return f"{where} is right as it is: it is not listed again until the task changes."

    if on_list:
        return _perform(uid, accept, page="dashboard.label_issues")
    return _perform(uid, accept, "label-issues")


def _perform(
    uid: str, action: Callable[[Loop], str], section: str = "", *, page: str = "dashboard.project"
) -> Response:
    """Do what the button says and show the page where it has the sentence that ``action`` returns.

    The sentence stands at the head of the ``page``, or before ``section``.
    """
    loop = current_loop()
    loop.store.projects.get(uid)  # an unknown project has no page to go back to: its error is answered directly
    try:
        flash(action(loop), f"done {section}".strip())
    except (BackendError, UnsupportedLabelConfig) as error:
        flash(str(error), f"failed {section}".strip())
    return redirect(url_for(page, uid=uid, _anchor="message"), 303)
