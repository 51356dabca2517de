"""Downloads: a project's labels in three formats, each with its conversion report, and a version's folder.

Labels are fetched anew from Label Studio. Its library and the conversion are too heavy for the web process, and an
export may take minutes: it runs as ``python -m backend export`` in a process of its own, which reports its outcome in a
JSON file, ``{"documents": 10, "tokens": 84, "entities": 12}`` or ``{"error": "<sentence>", "kind": "<class name>"}``.
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
from typing import Any
from zipfile import ZIP_DEFLATED

from flask import flash, redirect, render_template, url_for
from werkzeug.exceptions import NotFound
from werkzeug.wrappers import Response
from zipstream import ZipStream

from backend.errors import BackendError, Conflict, LabelStudioUnreachable, ModelError, error_of_kind
from backend.loop import Loop
from backend.store.models import Project
from backend.web.dashboard.blueprint import current_loop, dashboard
from backend.web.dashboard.context import page_context

log = logging.getLogger(__name__)

FORMATS = {"conll": "labels.conll", "bio": "labels.bio", "json": "labels.json"}
"""The file name of each format."""

EXPORT_COMMAND = (sys.executable, "-m", "backend", "export")

EXPORT_SECONDS = 660
"""A little more than Label Studio's export may take."""

# An export occupies a thread of the web server until it is done: most threads must stay free for annotators.
_one_at_a_time = threading.BoundedSemaphore(1)


@dashboard.post("/projects/<uid>/export/<form>")
def export(uid: str, form: str) -> Response:
    """A zip file with the labels in one format, and ``report.json``."""
    if form not in FORMATS:
        raise NotFound(f"There is no format {form!r}: use {', '.join(FORMATS)}.")
    loop = current_loop()
    project = loop.store.projects.get(uid)
    try:
        folder, losses = _exported(loop, project, form)
    except BackendError as error:
        return _back_to_page(uid, error)
    if losses and form != "json":
        flash(f"The download of {FORMATS[form]} lacks what could not be read: {'; '.join(losses)}.", "failed")
    archive = ZipStream(compress_type=ZIP_DEFLATED)
    for path in sorted(Path(folder.name).iterdir()):
        archive.add_path(path, path.name)
    answer = Response(iter(archive), mimetype="application/zip")
    answer.call_on_close(folder.cleanup)
    answer.headers["Content-Disposition"] = f'attachment; filename="{_slug(project)}-{form}.zip"'
    return answer


@dashboard.post("/projects/<uid>/report")
def report(uid: str) -> Response | str:
    """The conversion report as a page: what was kept, what was left out and why, task by task."""
    loop = current_loop()
    project = loop.store.projects.get(uid)
    try:
        exported, _ = _exported(loop, project, "conll")
        with exported as folder:
            conversion = json.loads(Path(folder, "report.json").read_text(encoding="utf-8"))
    except BackendError as error:
        return _back_to_page(uid, error)
    return render_template("dashboard/report.html", **page_context(loop, uid), report=conversion)


@dashboard.get("/projects/<uid>/versions/<name>.zip")
def model(uid: str, name: str) -> Response:
    """A version's folder as a zip file, written while it is sent."""
    loop = current_loop()
    project = loop.store.projects.get(uid)
    loop.store.versions.usable(uid, name)
    folder = loop.registry.folder(uid, name)
    if not folder.is_dir():
        raise ModelError(
            f"The files of version {name!r} are missing from {loop.registry.model_dir}: train a new version."
        )
    # Weights hardly compress; without compression the length is known in advance.
    archive = ZipStream.from_path(folder, arcname=name, sized=True)
    answer = Response(iter(archive), mimetype="application/zip")
    answer.content_length = len(archive)
    answer.headers["Content-Disposition"] = f'attachment; filename="{_slug(project)}-{name}.zip"'
    return answer


def _back_to_page(uid: str, error: BackendError) -> Response:
    flash(str(error), "failed")
    return redirect(url_for("dashboard.project", uid=uid, _anchor="download"), 303)


def _exported(loop: Loop, project: Project, form: str) -> tuple[TemporaryDirectory[str], list[str]]:
    """A folder with the labels as Label Studio has them now, in one format, and ``report.json``; what was left out.

    Raises `Conflict` while another export is running, and the error that the export command reported.
    """
    if not _one_at_a_time.acquire(blocking=False):
        raise Conflict("Another export is running: try again when it is done.")
    folder = TemporaryDirectory(prefix="export-")
    try:
        counts = _run_export(loop, project, form, Path(folder.name))
        log.info("project %s: %s documents exported as %s", project.uid, counts["documents"], form)
    except BaseException:
        folder.cleanup()
        raise
    finally:
        _one_at_a_time.release()
    return folder, counts.get("losses", [])


def _run_export(loop: Loop, project: Project, form: str, folder: Path) -> dict[str, Any]:
    """Run the export command; return its result, or raise the error it reported."""
    result_file = folder / "result.json"
    options = ["--project", project.uid, "--format", form, "--report", str(folder / "report.json")]
    try:
        process = subprocess.run(
            [*EXPORT_COMMAND, *options, "--result", str(result_file), str(folder / FORMATS[form])],
            env=_environment(loop, project),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=EXPORT_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise LabelStudioUnreachable(
            f"The export was not done after {EXPORT_SECONDS / 60:.0f} minutes: read Label Studio's log, or use "
            f"`python -m backend export --project {project.id}`."
        ) from None
    try:
        result: dict[str, Any] = json.loads(result_file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        output = process.stderr.decode("utf-8", "replace")
        log.error("the export of project %s ended with exit code %s: %s", project.uid, process.returncode, output)
        raise BackendError(
            f"The export stopped unexpectedly (exit code {process.returncode}): see the service's log."
        ) from None
    if "error" in result:
        raise error_of_kind(result["kind"], result["error"])
    result_file.unlink()  # what is left in the folder is downloaded
    return result


def _environment(loop: Loop, project: Project) -> dict[str, str]:
    """The service's environment; without a configured key, with the access token from the project's `/setup`."""
    environment = {**os.environ, **loop.settings.environment()}
    if "LABEL_STUDIO_API_KEY" not in environment and project.access_token:
        environment["LABEL_STUDIO_API_KEY"] = project.access_token
    return environment


def _slug(project: Project) -> str:
    """The project's title as part of a file name."""
    words = re.findall(r"[a-z0-9]+", project.title.lower())
    return "-".join(words)[:40].strip("-") or f"project-{project.id}"
