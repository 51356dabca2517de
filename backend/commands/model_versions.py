"""``versions``, ``promote``, ``pin`` and ``unpin``: the versions, which one serves, which keep their files."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from backend.commands.common import (
    any_project_option,
    json_option,
    open_loop,
    project_option,
    project_uid,
    project_uids,
)
from backend.commands.output import fields_of, moment, show_json, show_table
from backend.settings import Settings

if TYPE_CHECKING:
    from backend.store.models import Decision, Version


@click.command()
@any_project_option
@json_option
@click.pass_obj
def versions(settings: Settings, project: str | None, as_json: bool) -> None:
    """List model versions, newest first; the one that serves is marked *."""
    loop = open_loop(settings)
    uids = project_uids(settings, loop, project)
    current = {uid: loop.store.projects.get(uid).current_version for uid in uids}
    listed = [version for uid in uids for version in loop.versions(uid)]
    if as_json:
        show_json(version_fields(version) | {"current": version.name == current[version.project]} for version in listed)
    elif not listed:
        click.echo("No version yet: label some tasks, or run `python -m backend train --project ID`.")
    else:
        headings = ("serves", "project", "version", "made", "score", "verdict", "files")
        show_table(headings, (_row(version, current[version.project]) for version in listed))


def _row(version: Version, current: str | None) -> tuple[str, ...]:
    from backend.evaluation.verdict import describe
    from backend.scores import Score

    return (
        "*" if version.name == current else "",
        version.project.partition(".")[0],
        version.name,
        moment(version.created_at),
        Score.from_metrics(version.metrics).sentence,
        describe(version),
        _files(version),
    )


def version_fields(version: Version) -> dict[str, Any]:
    """A version's columns, its score, the gate's decision, its promotions and both as a sentence, for JSON."""
    from backend.evaluation.verdict import describe
    from backend.scores import Score, known_metrics

    score = Score.from_metrics(version.metrics)
    decision = _decision_fields(version.decision) if version.decision else None
    promotions = [fields_of(row, without=("id", "project", "version")) for row in version.promotions]
    return fields_of(version) | {
        "metrics": known_metrics(version.metrics),
        "f1": score.f1,
        "score": score.to_dict(),
        "verdict": describe(version),
        "decision": decision,
        "promotions": promotions,
    }


def _decision_fields(decision: Decision) -> dict[str, Any]:
    """What the gate decided; F1s of too few held-out tasks are ``None``, as in `known_metrics`."""
    from backend.scores import are_too_few

    unknown = dict.fromkeys(("f1", "current_f1")) if are_too_few(decision.documents or 0) else {}
    return fields_of(decision, without=("version_id",)) | unknown


def _files(version: Version) -> str:
    return "removed" if version.pruned_at else "pinned" if version.pinned else "kept"


@click.command()
@project_option
@click.argument("version")
@click.pass_obj
def promote(settings: Settings, project: str, version: str) -> None:
    """Serve VERSION (for example ner-v3) from now on; to roll back, promote an earlier version."""
    loop = open_loop(settings)
    promoted = loop.promote(project_uid(settings, loop, project), version, actor="command line")
    click.echo(f"{promoted.name} serves now; its predictions are being sent to Label Studio.")


@click.command()
@project_option
@click.argument("version")
@click.pass_obj
def pin(settings: Settings, project: str, version: str) -> None:
    """Keep VERSION's files, however many newer versions there are (see KEEP_VERSIONS)."""
    loop = open_loop(settings)
    click.echo(f"{loop.pin(project_uid(settings, loop, project), version, True).name} is pinned.")


@click.command()
@project_option
@click.argument("version")
@click.pass_obj
def unpin(settings: Settings, project: str, version: str) -> None:
    """Keep VERSION's files only as long as KEEP_VERSIONS says."""
    loop = open_loop(settings)
    click.echo(f"{loop.pin(project_uid(settings, loop, project), version, False).name} is not pinned any more.")
