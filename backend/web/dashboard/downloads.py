"""Files to take away: the labels in three formats, each with the report of its conversion, and a version's folder.

Labels come fresh from Label Studio. Its library and the conversion are too heavy for the web process, and an export
may take minutes: it runs as ``python -m backend export`` in a process of its own.
"""

from __future__ import annotations

import json
import logging
import os
import re
import subprocess
import sys
import threading
from pathlib import Path
from tempfile import TemporaryDirectory
from zipfile import ZIP_DEFLATED

from flask import flash, redirect, render_template, url_for
from werkzeug.exceptions import NotFound
from werkzeug.wrappers import Response
from zipstream import ZipStream

from backend.errors import BackendError, Conflict, LabelStudioError, LabelStudioUnreachable, ModelError
from backend.loop import Loop
from backend.store.models import Project
from backend.web.dashboard.blueprint import dashboard, the_loop
from backend.web.dashboard.context import frame

log = logging.getLogger(__name__)

FORMATS = {"conll": "labels.conll", "bio": "labels.bio", "json": "labels.json"}
"""The name of the file in each format."""

EXPORT_SECONDS = 660
"""A little more than Label Studio's export may take."""

# An export keeps a thread of the web server waiting: most must stay free for annotators.
_one_at_a_time = threading.BoundedSemaphore(1)


@dashboard.post("/projects/<uid>/export/<form>")
def export(uid: str, form: str) -> Response:
    """A zip file with the labels in one format, and ``report.json``."""
    if form not in FORMATS:
        raise NotFound(f"There is no format {form!r}: use {', '.join(FORMATS)}.")
    loop = the_loop()
    project = loop.store.projects.get(uid)
    try:
        folder = _exported(loop, project, form)
    except BackendError as error:
        flash(str(error), "failed")
        return redirect(url_for("dashboard.project", uid=uid, _anchor="download"), 303)
    packed = ZipStream(compress_type=ZIP_DEFLATED)
    for path in sorted(Path(folder.name).iterdir()):
        packed.add_path(path, path.name)
    answer = Response(iter(packed), mimetype="application/zip")
    answer.call_on_close(folder.cleanup)
    answer.headers["Content-Disposition"] = f'attachment; filename="{_slug(project)}-{form}.zip"'
    return answer


@dashboard.post("/projects/<uid>/report")
def report(uid: str) -> Response | str:
    """The conversion report as a page: what was kept, what was left out and why, task by task."""
    loop = the_loop()
    project = loop.store.projects.get(uid)
    try:
        with _exported(loop, project, "conll") as folder:
            seen = json.loads(Path(folder, "report.json").read_text(encoding="utf-8"))
    except BackendError as error:
        flash(str(error), "failed")
        return redirect(url_for("dashboard.project", uid=uid, _anchor="download"), 303)
    return render_template("dashboard/report.html", **frame(loop, uid), report=seen)


@dashboard.get("/projects/<uid>/versions/<name>.zip")
def model(uid: str, name: str) -> Response:
    """A version's folder as a zip file, written while it is sent."""
    loop = the_loop()
    project = loop.store.projects.get(uid)
    loop.store.versions.usable(uid, name)
    folder = loop.registry.folder(uid, name)
    if not folder.is_dir():
        raise ModelError(f"The files of version {name!r} are gone from {loop.registry.model_dir}: train a new version.")
    # Weights do not get smaller; without compression the length is known beforehand.
    packed = ZipStream.from_path(folder, arcname=name, sized=True)
    answer = Response(iter(packed), mimetype="application/zip")
    answer.content_length = len(packed)
    answer.headers["Content-Disposition"] = f'attachment; filename="{_slug(project)}-{name}.zip"'
    return answer


def _exported(loop: Loop, project: Project, form: str) -> TemporaryDirectory[str]:
    """A folder with the labels as Label Studio has them now, in one format, and ``report.json``.

    Raises `Conflict` while another export is made, and `LabelStudioError` with the command's own sentence.
    """
    if not _one_at_a_time.acquire(blocking=False):
        raise Conflict("Another export is being made: try again when it is done.")
    folder = TemporaryDirectory(prefix="export-")
    try:
        _run(loop, project, form, Path(folder.name))
    except BaseException:
        folder.cleanup()
        raise
    finally:
        _one_at_a_time.release()
    return folder


def _run(loop: Loop, project: Project, form: str, folder: Path) -> None:
    out, seen = folder / FORMATS[form], folder / "report.json"
    command = ["export", "--project", str(project.id), "--format", form, "--report", str(seen), str(out)]
    try:
        done = subprocess.run(
            [sys.executable, "-m", "backend", *command],
            env=_environment(loop, project),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=EXPORT_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise LabelStudioUnreachable(
            f"The export was not done after {EXPORT_SECONDS // 60} minutes: look into Label Studio's log, or use "
            f"`python -m backend export --project {project.id}`."
        ) from None
    if done.returncode:
        said = done.stderr.decode("utf-8", "replace")
        sentences = re.findall(r"^Error: (.+)", said, re.MULTILINE)
        if not sentences:
            log.error("the export of project %s ended with exit code %s: %s", project.uid, done.returncode, said)
        raise LabelStudioError(sentences[-1] if sentences else "The export failed: the service's log says why.")


def _environment(loop: Loop, project: Project) -> dict[str, str]:
    """The service's own; without a configured key, with the token that the project's `/setup` brought."""
    known = {**os.environ, **loop.settings.environment()}
    if "LABEL_STUDIO_API_KEY" not in known and project.access_token:
        known["LABEL_STUDIO_API_KEY"] = project.access_token
    return known


def _slug(project: Project) -> str:
    """The project's title as part of a file name."""
    words = re.findall(r"[a-z0-9]+", project.title.lower())
    return "-".join(words)[:40].strip("-") or f"project-{project.id}"
