"""The processes of the service, and its introduction to a project."""

from __future__ import annotations

import click

from backend.commands.common import number_of, open_label_studio, project_option
from backend.commands.tables import plain
from backend.settings import Settings


@click.command()
@click.pass_obj
def serve(settings: Settings) -> None:
    """Answer Label Studio's calls on PORT (default 9090) until stopped."""
    from backend.web.server import serve as run_server

    run_server(settings)


@click.command()
@click.pass_obj
def work(settings: Settings) -> None:
    """Train models and refresh predictions as they fall due, until stopped."""
    from backend.worker import work as run_worker

    run_worker(settings)


@click.command()
@project_option
@click.option("--url", metavar="URL", help="This service as Label Studio reaches it.  [default: http://localhost:PORT]")
@click.pass_obj
def connect(settings: Settings, project: str, url: str | None) -> None:
    """Make this service the ML backend of a Label Studio project.

    Creates the ML backend in Label Studio (or updates it), gives Label Studio and its webhook the Basic auth
    credentials when BASIC_AUTH_USER and BASIC_AUTH_PASS are set, and switches pre-labels on for annotators.
    `serve` must be running.
    """
    from backend.label_studio.connect import connect as connect_project

    made = connect_project(
        settings, open_label_studio(settings), number_of(project), url or f"http://localhost:{settings.port}"
    )
    project_name, labels = plain(made.project.title), ", ".join(map(plain, made.labels))
    click.echo(f"Project {made.project.id} “{project_name}” is connected; its labels: {labels}.")
    each = settings.start_training_each_n_updates
    click.echo(f"A model is trained after every {each} changed tasks." if each else "Training starts only by hand.")
