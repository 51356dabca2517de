"""Model versions: which there are, which serves, which are kept."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from backend.commands.common import any_project_option, json_option, open_loop, project_option, uid_of, uids_of
from backend.commands.tables import fields_of, moment, show_json, show_table
from backend.settings import Settings

if TYPE_CHECKING:
    from backend.store.models import Version


@click.command()
@any_project_option
@json_option
@click.pass_obj
def versions(settings: Settings, project: str | None, as_json: bool) -> None:
    """List model versions, newest first; the serving one is marked *."""
    loop = open_loop(settings)
    uids = uids_of(settings, loop, project)
    current = {uid: loop.store.projects.get(uid).current_version for uid in uids}
    known = [version for uid in uids for version in loop.versions(uid)]
    if as_json:
        show_json(fields_of(each) | {"current": each.name == current[each.project]} for each in known)
    elif not known:
        click.echo("No version yet: label some tasks, or run `python -m backend train`.")
    else:
        headings = ("serves", "project", "version", "made", "score", "verdict", "files")
        show_table(headings, (("*" if each.name == current[each.project] else "", *_row(each)) for each in known))


def _row(version: Version) -> tuple[str, ...]:
    project = version.project.partition(".")[0]
    return project, version.name, moment(version.created_at), _score(version), version.verdict, _files(version)


def _score(version: Version) -> str:
    from backend.scores import f1_in_words

    return f1_in_words(version.metrics)


def _files(version: Version) -> str:
    return "removed" if version.pruned_at else "pinned" if version.pinned else "kept"


@click.command()
@project_option
@click.argument("version")
@click.pass_obj
def promote(settings: Settings, project: str, version: str) -> None:
    """Serve VERSION (for example ner-v3) from now on; an earlier version is a rollback."""
    loop = open_loop(settings)
    chosen = loop.promote(uid_of(settings, loop, project), version)
    click.echo(f"{chosen.name} serves now; its predictions are on their way to Label Studio.")


@click.command()
@project_option
@click.argument("version")
@click.pass_obj
def pin(settings: Settings, project: str, version: str) -> None:
    """Keep VERSION's files, however many newer versions there are (see KEEP_VERSIONS)."""
    loop = open_loop(settings)
    click.echo(f"{loop.pin(uid_of(settings, loop, project), version, True).name} is pinned.")


@click.command()
@project_option
@click.argument("version")
@click.pass_obj
def unpin(settings: Settings, project: str, version: str) -> None:
    """Keep VERSION's files only as long as KEEP_VERSIONS says."""
    loop = open_loop(settings)
    click.echo(f"{loop.pin(uid_of(settings, loop, project), version, False).name} is not pinned any more.")
