"""Every project's loop at a glance."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from backend.commands.common import any_project_option, json_option, open_loop, uids_of
from backend.commands.tables import fields_of, iso, moment, plain, show_facts, show_json, show_table
from backend.commands.training import state_in_words
from backend.settings import Settings

if TYPE_CHECKING:
    from backend.overview import Overview


@click.command()
@any_project_option
@json_option
@click.pass_obj
def status(settings: Settings, project: str | None, as_json: bool) -> None:
    """Show where each project stands: labels, training, the serving version and its score, label issues, trouble."""
    from backend.overview import overview

    loop = open_loop(settings)
    seen = [overview(loop, uid) for uid in uids_of(settings, loop, project)]
    if as_json:
        show_json(map(_fields, seen))
    elif not seen:
        click.echo("No project yet: run `python -m backend connect --project ID`.")
    elif project is not None:
        show_facts(_title(seen[0]), _facts(seen[0]))
    else:
        headings = ("project", "labelled", "changed", "training", "version", "F1", "label issues")
        show_table(headings, map(_row, seen))
        for each in seen:
            if each.project.sync_error:
                click.echo(f"Project {each.project.id}: {plain(each.project.sync_error)}")


def _row(seen: Overview) -> tuple[object, ...]:
    version = seen.current.name if seen.current else "none yet"
    f1 = f"{seen.f1:.3f}" if seen.f1 is not None else "–"
    return _title(seen), f"{seen.labelled:,}", _changed(seen), _training(seen), version, f1, f"{seen.label_issues:,}"


def _facts(seen: Overview) -> list[tuple[str, object]]:
    from backend.scores import f1_in_words

    facts: list[tuple[str, object]] = [
        ("labelled tasks", f"{seen.labelled:,}"),
        ("changed since the last run", _changed(seen)),
        ("training", _training(seen)),
    ]
    if seen.last:
        ended = f"{seen.last.id} {seen.last.state} {moment(seen.last.finished_at)}"
        facts.append(("latest run", f"{ended}: {seen.last.error}" if seen.last.error else ended))
    if seen.current:
        facts += [("version", seen.current.name), ("score", f1_in_words(seen.current.metrics))]
        facts.append(("verdict", seen.current.verdict))
    else:
        facts.append(("version", "none yet"))
    facts += [("versions with files", seen.versions), ("label issues", f"{seen.label_issues:,}")]
    facts.append(("compared with Label Studio", moment(seen.project.synced_at)))
    if seen.project.sync_error:
        facts.append(("trouble", seen.project.sync_error))
    return facts


def _title(seen: Overview) -> str:
    return f"{seen.project.id} {seen.project.title}".strip()


def _changed(seen: Overview) -> str:
    return f"{seen.changed:,} of {seen.threshold:,}" if seen.threshold else f"{seen.changed:,}"


def _training(seen: Overview) -> str:
    if seen.running:
        return state_in_words(seen.running)
    if seen.due_in is None:
        return "only by hand"
    return f"after {seen.due_in:,} more" if seen.due_in else "due"


def _fields(seen: Overview) -> dict[str, Any]:
    project = seen.project
    return {
        "project": project.uid,
        "id": project.id,
        "title": project.title,
        "labelled": seen.labelled,
        "changed": seen.changed,
        "threshold": seen.threshold,
        "due_in": seen.due_in,
        "running": fields_of(seen.running) if seen.running else None,
        "last": fields_of(seen.last) if seen.last else None,
        "current": fields_of(seen.current) if seen.current else None,
        "f1": seen.f1,
        "versions": seen.versions,
        "label_issues": seen.label_issues,
        "review": fields_of(seen.review) if seen.review else None,
        "sync_error": project.sync_error,
        "synced_at": iso(project.synced_at),
    }
