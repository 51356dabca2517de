"""``connect``: makes this service the ML backend of a project."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from backend.commands.common import open_label_studio, open_loop, project_number, project_option
from backend.commands.output import plain
from backend.conversion import count
from backend.errors import BackendError
from backend.settings import Settings

if TYPE_CHECKING:
    from backend.label_studio.api import RemoteBackend, RemoteProject
    from converters.phrase_file import PhraseFile

_NAMED = 5
"""Phrases with several labels that a sentence names."""


@click.command()
@project_option
@click.option(
    "--url", metavar="URL", help="Address at which Label Studio reaches this service.  [default: http://localhost:PORT]"
)
@click.option(
    "--keep-order", is_flag=True, help="Keep the order of tasks; by default the least certain task comes first."
)
@click.option(
    "--phrases",
    metavar="FILE",
    help="Suggest the phrases of this file until the first version serves: one a line, a tab, its label.",
)
@click.pass_obj
def connect(settings: Settings, project: str, url: str | None, keep_order: bool, phrases: str | None) -> None:
    """Make this service the ML backend of a Label Studio project.

    Creates the ML backend and its webhook in Label Studio (or updates them), with the Basic auth credentials when
    BASIC_AUTH_USER and BASIC_AUTH_PASS are set. Shows predictions to annotators, and switches Uncertainty sampling on,
    so that the task the model is least sure of comes first. `serve` must be running.
    """
    from backend.label_studio.connect import connect as connect_project

    url = url or f"http://localhost:{settings.port}"
    number = project_number(project)
    label_studio = open_label_studio(settings)
    given = _read_phrases(phrases, label_studio.project(number)) if phrases else None
    connection = connect_project(settings, label_studio, number, url, by_uncertainty=not keep_order)
    title, labels = plain(connection.project.title), ", ".join(map(plain, connection.labels))
    click.echo(f"Project {connection.project.id} “{title}” is connected; its labels: {labels}.")
    threshold = settings.start_training_each_n_updates
    if threshold:
        click.echo(f"A model is trained after every {threshold} changed tasks.")
    else:
        click.echo("Training starts only when somebody asks for it (START_TRAINING_EACH_N_UPDATES=0).")
    if not keep_order and not connection.project.by_uncertainty:
        page = f"{settings.label_studio_shown}/projects/{connection.project.id}/settings"
        click.echo(
            "Uncertainty sampling is switched on: annotators get the task that the model is least sure of first. To go "
            f"back, choose another Task Sampling in {page}; `connect --keep-order` leaves it as it is."
        )
    for other in connection.others:
        click.echo(_other_backend(settings, connection.project, other))
    if release := connection.old_release:
        click.echo(
            f"Label Studio {release} cannot delete the predictions of one version (1.12 and newer can): those of old "
            "versions stay there, and `label-issues --push` does not work."
        )
    _import_initial_model(settings, connection.project)
    if given:
        click.echo(_give_phrases(settings, connection.project, given))
    click.echo(f"Check everything: python -m backend check --project {connection.project.id}")


def _import_initial_model(settings: Settings, project: RemoteProject) -> None:
    """Import INITIAL_MODEL_NAME if no version serves; the project stays connected where that fails."""
    from backend.commands.importing import import_and_tell

    if settings.initial_model_name is None:
        return
    loop = open_loop(settings)
    if loop.store.projects.get(project.uid).current_version:
        return
    try:
        import_and_tell(loop, project.uid, settings.initial_model_name)
    except BackendError as error:
        click.echo(f"INITIAL_MODEL_NAME is not imported: {error}", err=True)


def _read_phrases(file: str, project: RemoteProject) -> PhraseFile:
    from converters.phrase_file import read_phrases
    from label_config import LabelConfig

    try:
        return read_phrases(file, LabelConfig.from_xml(project.label_config))
    except ValueError as error:
        raise click.ClickException(str(error)) from None


def _give_phrases(settings: Settings, project: RemoteProject, given: PhraseFile) -> str:
    """Store the phrases; return what becomes of them, as sentences."""
    loop = open_loop(settings)
    loop.register_project(project.uid, title=project.title, label_config=project.label_config)
    loop.give_phrases(project.uid, given.phrases)
    sentence = f"{count(len(given.phrases), 'phrase')} of the file will be suggested until the first version serves."
    if version := loop.store.projects.current_version(project.uid):
        sentence = f"The phrases of the file are not suggested, because {version} serves."
    if given.ambiguous:
        names = ", ".join(map(plain, given.ambiguous[:_NAMED])) + (", …" if len(given.ambiguous) > _NAMED else "")
        sentence += f" {count(len(given.ambiguous), 'phrase')} with several labels left out: {names}."
    return sentence


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
        f"{settings.label_studio_shown}/projects/{project.id}/settings/ml, menu “•••” of “{title}”, Delete."
    )
