"""Training runs: start, watch, read, end."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import click

from backend.commands.common import any_project_option, json_option, open_loop, project_option, uid_of
from backend.commands.progress import Bar
from backend.commands.tables import duration, fields_of, moment, plain, show_json, show_table
from backend.settings import Settings

if TYPE_CHECKING:
    from backend.loop import Loop
    from backend.store.models import Run


@click.command()
@project_option
@click.option("--wait", is_flag=True, help="Stay until the run has ended and show its progress.")
@click.option("--epochs", type=float, help="Passes over the training documents.")
@click.option("--learning-rate", type=float, help="Peak learning rate.")
@click.option("--weight-decay", type=float, help="AdamW weight decay.")
@click.option("--batch-size", type=int, help="Training examples per optimiser step.")
@click.option("--seed", type=int, help="Seed of every random choice.")
@click.option("--warm-start/--from-base", default=None, help="Go on from the current version, or from the base model.")
@click.pass_obj
def train(settings: Settings, /, project: str, wait: bool, **overrides: Any) -> None:
    """Queue a training run for a project; `work` carries it out.

    What is not given here comes from the extra params of the ML backend in Label Studio, then from the settings.
    """
    loop = open_loop(settings)
    asked = {name: value for name, value in overrides.items() if value is not None}
    run = loop.train(uid_of(settings, loop, project), reason="command line", overrides=asked)
    if not wait:
        click.echo(f"Run {run.id} is queued.")
        return
    ended = _watch(loop, run)
    if ended.state == "cancelled":
        raise click.ClickException(f"Run {run.id} was cancelled.")
    if ended.state != "finished":
        raise click.ClickException(f"Run {run.id} {ended.state}: {ended.error or 'no reason was noted'}")
    verdict = loop.store.versions.get(ended.project, ended.version or "").verdict
    click.echo(f"Run {run.id} finished: version {ended.version}, {verdict}.")


def _watch(loop: Loop, run: Run) -> Run:
    from backend.store.models import LIVE

    try:
        with Bar(f"Run {run.id}", total=1.0) as bar:
            while run.state in LIVE:
                bar.show(run.progress, _doing(run))
                time.sleep(0.5)
                run = loop.run(run.id)
            bar.show(1.0 if run.state == "finished" else run.progress, run.state)
    except KeyboardInterrupt:
        click.echo(f"Run {run.id} goes on; `python -m backend cancel {run.id}` ends it.", err=True)
        raise
    return run


def _doing(run: Run) -> str:
    return "waits for a worker (`python -m backend work`)" if run.state == "queued" else run.phase + _time_left(run)


def _time_left(run: Run) -> str:
    return "" if run.eta_seconds is None else f", about {duration(run.eta_seconds)} left"


@click.command()
@click.argument("run")
@click.pass_obj
def cancel(settings: Settings, run: str) -> None:
    """End a training run for good; RUN is its id, or the beginning of it.

    The model that serves stays. Training starts by itself again once as many further tasks have changed as
    START_TRAINING_EACH_N_UPDATES says.
    """
    loop = open_loop(settings)
    ended = loop.cancel(loop.store.runs.find(run).id)
    click.echo(f"Run {ended.id} is cancelled.")


@click.command()
@any_project_option
@click.option("--limit", default=20, show_default=True, type=click.IntRange(min=1), help="At most so many.")
@json_option
@click.pass_obj
def runs(settings: Settings, project: str | None, limit: int, as_json: bool) -> None:
    """List training runs, newest first: why they started, how far they are, what came of them."""
    loop = open_loop(settings)
    uid = uid_of(settings, loop, project) if project is not None else None
    found = loop.store.runs.latest(project=uid, limit=limit)
    if as_json:
        show_json(map(fields_of, found))
    elif not found:
        click.echo("No run yet: label some tasks, or run `python -m backend train`.")
    else:
        headings = ("run", "project", "queued", "reason", "state", "took", "result")
        show_table(headings, ((*_identity(run), state_in_words(run), _took(run), _result(run)) for run in found))


def _identity(run: Run) -> tuple[str, str, str, str]:
    return run.id, run.project.partition(".")[0], moment(run.queued_at), run.reason


def state_in_words(run: Run) -> str:
    """``"started: training 41 %, about 2 min left"``; of a run that waits or has ended its state alone."""
    if run.state != "started":
        return run.state
    return f"{run.state}: {run.phase} {run.progress:.0%}{_time_left(run)}".replace("%", " %")


def _took(run: Run) -> str:
    if run.started_at is None:
        return "–"
    return duration((run.finished_at or time.time()) - run.started_at)


def _result(run: Run) -> str:
    return run.version or run.error or ""


@click.command()
@click.argument("run")
@click.option("--lines", default=50, show_default=True, type=click.IntRange(min=1), help="At most so many.")
@click.pass_obj
def log(settings: Settings, run: str, lines: int) -> None:
    """Print the last lines a training run's process has written; RUN is its id, or the beginning of it."""
    loop = open_loop(settings)
    found = loop.store.runs.find(run)
    text = loop.run_log(found.id, lines=lines)
    if not text:
        click.echo(f"Run {found.id} has written nothing yet; it is {found.state}.", err=True)
    for line in text.split("\n") if text else ():
        click.echo(plain(line))
