"""``check``: what works, and how to mend what does not."""

from __future__ import annotations

import shutil
import sys
from typing import TYPE_CHECKING, Any

import click

from backend.commands.common import json_option, open_label_studio, project_number
from backend.commands.output import plain, show_json
from backend.settings import Settings

if TYPE_CHECKING:
    from backend.check.result import Result

_COLOURS = {"ok": "green", "note": "yellow", "fault": "red"}


@click.command()
@click.option("--project", metavar="ID", help="Number of the project in Label Studio.  [default: connected projects]")
@json_option
@click.pass_context
def check(ctx: click.Context, project: str | None, as_json: bool) -> None:
    """Check settings, database, disk, base model, worker, Label Studio, and each project's connection.

    Each line says ok, or names what is wrong and the remedy. A note need not be mended. The exit code is 1 if there is
    a fault.
    """
    from backend.check.run import run_checks

    settings: Settings = ctx.obj
    number = project_number(project) if project is not None else None
    results: list[Result] = []
    for result in run_checks(settings, number, open_label_studio):
        results.append(result)
        if not as_json:
            _show(result)
    faults = sum(result.outcome.state == "fault" for result in results)
    if as_json:
        show_json(map(_fields, results))
    else:
        click.echo(_summary(faults, has_projects=any(result.project is not None for result in results)))
    ctx.exit(1 if faults else 0)


def _show(result: Result) -> None:
    project = "" if result.project is None else f"project {result.project}, "
    state = click.style(f"{result.outcome.state:<5}", fg=_COLOURS[result.outcome.state])
    text = f": {plain(result.outcome.text)}" if result.outcome.text else ""
    line = f"{state}  {project}{result.item}{text}"
    if sys.stdout.isatty():
        line = click.wrap_text(line, shutil.get_terminal_size().columns, subsequent_indent=" " * 7)
    click.echo(line)


def _summary(faults: int, *, has_projects: bool) -> str:
    if faults:
        return (
            "1 fault: mend it, then check again." if faults == 1 else f"{faults} faults: mend them, then check again."
        )
    return (
        "No faults."
        if has_projects
        else "No faults; no project is connected: `python -m backend connect --project ID`."
    )


def _fields(result: Result) -> dict[str, Any]:
    return {
        "project": result.project,
        "item": result.item,
        "state": result.outcome.state,
        "message": result.outcome.text,
    }
