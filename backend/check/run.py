"""Runs all checks in their order."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from backend.check import machine
from backend.check.projects import check_project
from backend.check.result import Outcome, Result, fault, note, ok, outcome_of
from backend.errors import BackendError
from backend.label_studio.answering import read_release
from backend.label_studio.api import LabelStudioAPI
from backend.label_studio.refusals import TOKEN_PAGE, no_token
from backend.loop import Loop
from backend.service import open_service
from backend.settings import Settings
from backend.store.models import Project

OpenLabelStudio = Callable[[Settings, Project | None], LabelStudioAPI]


def run_checks(settings: Settings, number: int | None, open_label_studio: OpenLabelStudio) -> Iterator[Result]:
    """Check the service and the project with this number in Label Studio, or all connected projects."""
    yield Result("settings", machine.check_settings(settings))
    yield Result("model folder", machine.check_model_folder(settings))
    yield Result("base model", machine.check_base_model(settings))
    try:
        service = open_service(settings)
    except BackendError as error:
        yield Result("database", fault(str(error)))
        return
    try:
        yield from _check_service(service.loop, number, open_label_studio)
    finally:
        service.close()


def _check_service(loop: Loop, number: int | None, open_label_studio: OpenLabelStudio) -> Iterator[Result]:
    settings, store = loop.settings, loop.store
    yield Result("database", outcome_of(lambda: machine.check_database(settings, store)))
    yield Result("worker", outcome_of(lambda: machine.check_worker(store)))
    numbers = [number] if number is not None else sorted({project.id for project in store.projects.all()})
    if not any(loop.find_uid(str(number)) for number in numbers):
        yield Result("web server", machine.check_web_server(settings))
    opened: list[LabelStudioAPI] = []
    for item, check in (
        (
            "Label Studio",
            lambda: ok(f"{settings.label_studio_base}, version {read_release(settings.label_studio_base)}"),
        ),
        ("access token", lambda: _check_token(loop, number, open_label_studio, opened)),
    ):
        outcome = outcome_of(check)
        yield Result(item, outcome)
        if outcome.state == "fault":
            if item == "Label Studio" and not _has_token(loop, number):
                missing = no_token(settings.label_studio_base, settings.unused_variables())
                yield Result("access token", fault(str(missing)))
            return
    for number in numbers:
        yield from check_project(loop, opened[0], number)


def _has_token(loop: Loop, number: int | None) -> bool:
    rows = loop.store.projects.all()
    return bool(loop.settings.label_studio_api_key or any(row.access_token for row in rows if number in (None, row.id)))


def _check_token(
    loop: Loop, number: int | None, open_label_studio: OpenLabelStudio, opened: list[LabelStudioAPI]
) -> Outcome:
    """Open Label Studio with the configured token, or else with one that Label Studio has sent with ``/setup``."""
    rows = [row for row in loop.store.projects.all() if row.access_token and number in (None, row.id)]
    label_studio = open_label_studio(loop.settings, max(rows, key=lambda row: row.created_at, default=None))
    user = label_studio.user()
    opened.append(label_studio)
    if loop.settings.label_studio_api_key is None:
        return note(
            f"LABEL_STUDIO_API_KEY is not set, so the legacy token of {user} is used, which Label Studio sent and may "
            f"refuse one day: set LABEL_STUDIO_API_KEY to a token of your own ({TOKEN_PAGE})."
        )
    return ok(f"{label_studio.token_kind()} of {user}")
