"""``train``, ``cancel``, ``runs`` and ``log``: training runs."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import click

from backend.commands.common import any_project_option, json_option, open_loop, project_option, project_uid
from backend.commands.label_names import map_label_option, map_labels
from backend.commands.output import duration, fields_of, moment, plain, show_json, show_table
from backend.commands.progress_bar import Bar
from backend.conversion import Conversion
from backend.settings import Settings

if TYPE_CHECKING:
    from backend.loop import Loop
    from backend.store.models import Run


@click.command()
@project_option
@click.option("--wait", is_flag=True, help="Wait until the run has ended, and show its progress.")
@click.option("--epochs", type=float, help="Passes over the training documents.")
@click.option("--learning-rate", type=float, help="Peak learning rate.")
@click.option("--weight-decay", type=float, help="AdamW weight decay.")
@click.option("--batch-size", type=int, help="Training examples per optimiser step.")
@click.option("--seed", type=int, help="Seed of every random choice.")
@click.option("--warm-start/--from-base", default=None, help="Start from the current version, or from the base model.")
@map_label_option("The project keeps this for later runs: see `labels`.")
@click.pass_obj
def train(settings: Settings, /, project: str, wait: bool, renamed: tuple[str, ...], **overrides: Any) -> None:
    """Queue a training run for a project; `work` executes it.

    Parameters not given here come from the extra params of the ML backend in Label Studio, then from the settings.
    """
    loop = open_loop(settings)
    map_labels(settings, loop, project_uid(settings, loop, project), renamed)
    given = {name: value for name, value in overrides.items() if value is not None}
    run = loop.train(project_uid(settings, loop, project), reason="command line", overrides=given)
    if not wait:
        click.echo(f"Run {run.id} is queued.")
        return
    run = _wait_for_end(loop, run)
    if run.state == "cancelled":
        raise click.ClickException(f"Run {run.id} was cancelled.")
    if run.lacks_labels:
        raise click.ClickException(f"Run {run.id} made no version. {run.error}")
    if run.state != "finished":
        raise click.ClickException(f"Run {run.id} {run.state}: {run.error or 'no reason was recorded'}")
    from backend.evaluation.verdict import describe

    verdict = describe(loop.store.versions.get(run.project, run.version or ""))
    click.echo(f"Run {run.id} finished: version {run.version}{f', {verdict}' if verdict else ''}.")
    if run.conversion:
        conversion = Conversion.from_dict(run.conversion)
        click.echo(f"{'; '.join([conversion.summary, *conversion.loss_sentences()])}.")


def _wait_for_end(loop: Loop, run: Run) -> Run:
    from backend.store.models import LIVE

    try:
        with Bar(f"Run {run.id}", total=1.0) as bar:
            while run.state in LIVE:
                bar.show(run.progress, _activity(run))
                time.sleep(0.5)
                run = loop.run(run.id)
            bar.show(1.0 if run.state == "finished" else run.progress, describe_state(run))
    except KeyboardInterrupt:
        click.echo(f"Run {run.id} continues; `python -m backend cancel {run.id}` ends it.", err=True)
        raise
    return run


def _activity(run: Run) -> str:
    return "waits for a worker (`python -m backend work`)" if run.state == "queued" else run.phase + _time_left(run)


def _time_left(run: Run) -> str:
    return "" if run.eta_seconds is None else f", about {duration(run.eta_seconds)} left"


@click.command()
@click.argument("run")
@click.pass_obj
def cancel(settings: Settings, run: str) -> None:
    """End a training run for good; RUN is its id or the beginning of it.

    The current version keeps serving. Training starts automatically again once as many further tasks have changed as
    START_TRAINING_EACH_N_UPDATES says.
    """
    loop = open_loop(settings)
    cancelled = loop.cancel(loop.store.runs.find(run).id)
    click.echo(f"Run {cancelled.id} is cancelled.")


@click.command()
@any_project_option
@click.option("--limit", default=20, show_default=True, type=click.IntRange(min=1), help="List at most this many runs.")
@json_option
@click.pass_obj
def runs(settings: Settings, project: str | None, limit: int, as_json: bool) -> None:
    """List training runs, newest first: why each started, how far it is, what it produced."""
    loop = open_loop(settings)
    uid = project_uid(settings, loop, project) if project is not None else None
    listed = loop.store.runs.latest(project=uid, limit=limit)
    if as_json:
        show_json(map(fields_of, listed))
    elif not listed:
        click.echo("No run yet: label some tasks, or run `python -m backend train --project ID`.")
    else:
        headings = ("run", "project", "queued", "reason", "state", "took", "regions used", "result")
        show_table(headings, map(_row, listed))


def _row(run: Run) -> tuple[str, ...]:
    number = run.project.partition(".")[0]
    result = run.version or run.error or ""
    return run.id, number, moment(run.queued_at), run.reason, describe_state(run), _took(run), _used(run), result


def _used(run: Run) -> str:
    if not run.conversion:
        return "–"
    total = Conversion.from_dict(run.conversion).total
    return f"{total.regions_used:,} of {total.regions:,}"


def describe_state(run: Run) -> str:
    """``"started: training 41 %, about 2 min left"``; the state alone unless the run is started."""
    if run.lacks_labels:
        return "too few labels"
    if run.state != "started":
        return run.state
    return f"{run.state}: {run.phase} {run.progress:.0%}{_time_left(run)}".replace("%", " %")


def _took(run: Run) -> str:
    if run.started_at is None:
        return "–"
    return duration((run.finished_at or time.time()) - run.started_at)


@click.command()
@click.argument("run")
@click.option(
    "--lines", default=50, show_default=True, type=click.IntRange(min=1), help="Print at most this many lines."
)
@click.pass_obj
def log(settings: Settings, run: str, lines: int) -> None:
    """Print the last lines that a training run's process wrote; RUN is its id or the beginning of it."""
    loop = open_loop(settings)
    row = loop.store.runs.find(run)
    text = loop.run_log(row.id, lines=lines)
    if not text:
        click.echo(f"Run {row.id} has written nothing yet; it is {row.state}.", err=True)
    for line in text.split("\n") if text else ():
        click.echo(plain(line))
