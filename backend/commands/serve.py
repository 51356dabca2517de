"""``serve`` and ``work``, the two processes of the service, and ``connect``."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import click

from backend.commands.common import open_label_studio, project_number, project_option
from backend.commands.output import plain
from backend.settings import Settings

if TYPE_CHECKING:
    from backend.label_studio.api import RemoteBackend, RemoteProject

log = logging.getLogger(__name__)


@click.command()
@click.pass_obj
def serve(settings: Settings) -> None:
    """Answer Label Studio's requests on PORT (default 9090) until stopped."""
    _log_unused_variables(settings)
    from backend.web.server import serve as run_server

    run_server(settings)


@click.command()
@click.pass_obj
def work(settings: Settings) -> None:
    """Train models and send their predictions to Label Studio until stopped."""
    _log_unused_variables(settings)
    from backend.worker import work as run_worker

    run_worker(settings)


def _log_unused_variables(settings: Settings) -> None:
    for theirs, ours in settings.unused_variables().items():
        log.warning("%s is set, but this service reads %s, which is not set", theirs, ours)


@click.command()
@project_option
@click.option(
    "--url", metavar="URL", help="Address at which Label Studio reaches this service.  [default: http://localhost:PORT]"
)
@click.pass_obj
def connect(settings: Settings, project: str, url: str | None) -> None:
    """Make this service the ML backend of a Label Studio project.

    Creates the ML backend in Label Studio (or updates it), gives Label Studio and its webhook the Basic auth
    credentials when BASIC_AUTH_USER and BASIC_AUTH_PASS are set, and shows pre-labels to annotators.
    `serve` must be running.
    """
    from backend.label_studio.connect import connect as connect_project

    connection = connect_project(
        settings, open_label_studio(settings), project_number(project), url or f"http://localhost:{settings.port}"
    )
    title, labels = plain(connection.project.title), ", ".join(map(plain, connection.labels))
    click.echo(f"Project {connection.project.id} “{title}” is connected; its labels: {labels}.")
    threshold = settings.start_training_each_n_updates
    if threshold:
        click.echo(f"A model is trained after every {threshold} changed tasks.")
    else:
        click.echo("Training starts only when somebody asks for it (START_TRAINING_EACH_N_UPDATES=0).")
    for other in connection.others:
        click.echo(_other_backend(settings, connection.project, other))


def _other_backend(settings: Settings, project: RemoteProject, other: RemoteBackend) -> str:
    """What another ML backend of the project does, and how to remove it."""
    title = plain(other.title)
    shown = (
        f"annotators see its predictions until this service has a model, since the project's model version is “{title}”"
        if project.model_version == other.title
        else "annotators see its predictions when the project's model version is its title"
    )
    return (
        f"Another ML backend is connected to this project: “{title}”, {plain(other.url)}, id {other.id}. While it "
        f"stays, Label Studio asks it for predictions too, its webhook gets every event, and {shown}. To remove it: "
        f"{settings.label_studio_shown}/projects/{project.id}/settings/ml, menu “⋮” of “{title}”, Delete."
    )
