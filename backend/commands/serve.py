"""``serve`` and ``work``, the two processes of the service, and ``connect``."""

from __future__ import annotations

import click

from backend.commands.common import open_label_studio, project_number, project_option
from backend.commands.output import plain
from backend.settings import Settings


@click.command()
@click.pass_obj
def serve(settings: Settings) -> None:
    """Answer Label Studio's requests on PORT (default 9090) until stopped."""
    from backend.web.server import serve as run_server

    run_server(settings)


@click.command()
@click.pass_obj
def work(settings: Settings) -> None:
    """Train models and send their predictions to Label Studio until stopped."""
    from backend.worker import work as run_worker

    run_worker(settings)


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
