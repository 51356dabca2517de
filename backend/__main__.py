"""The command line: ``python -m backend``."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from backend.errors import BackendError
from backend.logs import configure_logging
from backend.settings import Settings, load_settings
from backend.tables import LIVE, Run
from converters.commands import tasks_to_conll, write_report
from converters.conversion import Reading
from converters.words import TOKENIZERS
from label_config import LabelConfig, UnsupportedLabelConfig

if TYPE_CHECKING:
    from backend.label_studio import LabelStudio
    from backend.loop import Loop


class _Sentences(click.Group):
    """Shows a foreseen failure as one sentence; exit code 1."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except (BackendError, UnsupportedLabelConfig) as error:
            raise click.ClickException(str(error)) from None


@click.group(cls=_Sentences, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.pass_context
def cli(ctx: click.Context) -> None:
    """A Label Studio ML backend that learns named entities from every label.

    Two processes make the service: `serve` answers Label Studio, `work` trains models and brings their predictions
    to Label Studio. `connect` introduces them to a project. Everything is configured by environment variables
    (LABEL_STUDIO_URL, LABEL_STUDIO_API_KEY, …) or a .env file: see the README.

    To see it all at work on this machine, with a Label Studio of its own: `python -m backend demo`.
    """
    ctx.obj = settings = load_settings()
    configure_logging(settings.log_level)


@cli.command()
@click.pass_obj
def serve(settings: Settings) -> None:
    """Answer Label Studio's calls on PORT (default 9090) until stopped."""
    from backend.server import serve as run_server

    run_server(settings)


@cli.command()
@click.pass_obj
def work(settings: Settings) -> None:
    """Train models and refresh predictions as they fall due, until stopped."""
    from backend.worker import work as run_worker

    run_worker(settings)


_project = click.option(
    "--project", required=True, metavar="ID", help="Number of the project in Label Studio (it is in its address)."
)


@cli.command()
@_project
@click.option("--url", metavar="URL", help="This service as Label Studio reaches it.  [default: http://localhost:PORT]")
@click.pass_obj
def connect(settings: Settings, project: str, url: str | None) -> None:
    """Make this service the ML backend of a Label Studio project.

    Creates the ML backend in Label Studio (or updates it), gives Label Studio and its webhook the Basic auth
    credentials when BASIC_AUTH_USER and BASIC_AUTH_PASS are set, and switches pre-labels on for annotators.
    `serve` must be running.
    """
    from backend.connect import connect as connect_project

    made = connect_project(
        settings, _open_label_studio(settings), _number(project), url or f"http://localhost:{settings.port}"
    )
    click.echo(f"Project {made.project.id} “{made.project.title}” is connected; its labels: {', '.join(made.labels)}.")
    each = settings.start_training_each_n_updates
    click.echo(f"A model is trained after every {each} changed tasks." if each else "Training starts only by hand.")


@cli.command()
@_project
@click.option("--wait", is_flag=True, help="Stay until the run has ended and show its progress.")
@click.option("--epochs", type=float, help="Passes over the training documents.")
@click.option("--learning-rate", type=float, help="Peak learning rate.")
@click.option("--weight-decay", type=float, help="AdamW weight decay.")
@click.option("--batch-size", type=int, help="Training examples per optimiser step.")
@click.option("--seed", type=int, help="Seed of every random choice.")
@click.option("--warm-start/--from-base", default=None, help="Go on from the current version, or from the base model.")
@click.pass_obj
def train(settings: Settings, /, project: str, wait: bool, **wishes: Any) -> None:
    """Queue a training run for a project; `work` carries it out.

    What is not given here comes from the extra params of the ML backend in Label Studio, then from the settings.
    """
    loop = _open_loop(settings)
    asked = {name: value for name, value in wishes.items() if value is not None}
    run = loop.train(_uid(settings, loop, project), reason="command line", wishes=asked)
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
    label = f"Run {run.id}"
    with click.progressbar(length=1000, label=label, show_eta=False, item_show_func=lambda shown: shown) as bar:
        while run.state in LIVE:
            bar.update(max(0, int(run.progress * 1000) - bar.pos), current_item=run.phase + _time_left(run))
            time.sleep(0.5)
            run = loop.run(run.id)
        bar.update(1000 - bar.pos, current_item=run.state)
    return run


def _time_left(run: Run) -> str:
    if run.eta_seconds is None:
        return ""
    minutes, seconds = divmod(round(run.eta_seconds), 60)
    return f", about {minutes} min left" if minutes else f", about {seconds} s left"


@cli.command()
@click.argument("run")
@click.pass_obj
def cancel(settings: Settings, run: str) -> None:
    """End a training run for good; RUN is its id, or the beginning of it.

    The model that serves stays. Training starts by itself again once as many further tasks have changed as
    START_TRAINING_EACH_N_UPDATES says.
    """
    loop = _open_loop(settings)
    ended = loop.cancel(loop.store.runs.find(run).id)
    click.echo(f"Run {ended.id} is cancelled.")


@cli.command()
@_project
@click.pass_obj
def versions(settings: Settings, project: str) -> None:
    """List a project's model versions, newest first; the serving one is marked *."""
    loop = _open_loop(settings)
    uid = _uid(settings, loop, project)
    current = loop.store.projects.get(uid).current_version
    known = loop.versions(uid)
    if not known:
        click.echo("No version yet: label some tasks, or run `python -m backend train`.")
    for version in known:
        f1 = version.metrics.get("f1")
        made = datetime.fromtimestamp(version.created_at, UTC).strftime("%Y-%m-%d %H:%M UTC")
        mark = "*" if version.name == current else " "
        score = f"F1 {f1:.3f}" if f1 is not None else "F1 –    "
        state = " [pinned]" if version.pinned else " [files removed]" if version.pruned_at else ""
        click.echo(f"{mark} {version.name:<10} {made}  {score}  {version.verdict}{state}")


@cli.command()
@_project
@click.argument("version")
@click.pass_obj
def promote(settings: Settings, project: str, version: str) -> None:
    """Serve VERSION (for example ner-v3) from now on; an earlier version is a rollback."""
    loop = _open_loop(settings)
    chosen = loop.promote(_uid(settings, loop, project), version)
    click.echo(f"{chosen.name} serves now; its predictions are on their way to Label Studio.")


@cli.command()
@_project
@click.argument("version")
@click.pass_obj
def pin(settings: Settings, project: str, version: str) -> None:
    """Keep VERSION's files, however many newer versions there are (see KEEP_VERSIONS)."""
    loop = _open_loop(settings)
    click.echo(f"{loop.pin(_uid(settings, loop, project), version, True).name} is pinned.")


@cli.command()
@_project
@click.argument("version")
@click.pass_obj
def unpin(settings: Settings, project: str, version: str) -> None:
    """Keep VERSION's files only as long as KEEP_VERSIONS says."""
    loop = _open_loop(settings)
    click.echo(f"{loop.pin(_uid(settings, loop, project), version, False).name} is not pinned any more.")


@cli.command()
@_project
@click.argument("output", metavar="OUT.conll")
@click.option("--report", metavar="REPORT.json", help="Write every problem by task to this file.")
@click.option("--tokenizer", type=click.Choice(sorted(TOKENIZERS)), default="unicode", show_default=True)
@click.option("--no-sentences", is_flag=True, help="Write each document as one sentence.")
@click.option("--annotator", metavar="ID", help="Take only this person's annotations (id or e-mail address).")
@click.option("--agreement", is_flag=True, help="Take the majority of all annotators, word by word.")
@click.pass_obj
def export(settings: Settings, /, project: str, output: str, report: str | None, **how: Any) -> None:
    """Write a project's labels as CoNLL-2003, straight from Label Studio; "-" is standard output."""
    number = _number(project)
    label_studio = _open_label_studio(settings)
    config = LabelConfig.from_xml(label_studio.project(number).label_config)
    reading = Reading(how["tokenizer"], not how["no_sentences"], how["annotator"], how["agreement"])
    try:
        written, seen = tasks_to_conll(label_studio.labelled_tasks(number), output, config, how=reading)
        if report:
            write_report(seen, report)
    except OSError as error:
        raise click.ClickException(f"{error.filename}: {error.strerror}") from None
    click.echo(seen.summary(), err=True)
    click.echo(f"{written.documents} documents, {written.tokens} tokens, {written.spans} entities written.", err=True)


@cli.command()
@click.option("--once", is_flag=True, help="Run unattended: act as an annotator, check the loop, report, exit.")
@click.option("--port", default=9090, show_default=True, help="Port of the ML backend.")
@click.option("--label-studio-port", default=8080, show_default=True, help="Port of Label Studio.")
@click.option(
    "--label-studio",
    type=click.Path(path_type=Path),
    default=Path(".venv-label-studio/bin/label-studio"),
    show_default=True,
    help="The label-studio program.",
)
@click.option("--folder", type=click.Path(path_type=Path), default=Path(".demo"), show_default=True, help="Its data.")
def demo(once: bool, port: int, label_studio_port: int, label_studio: Path, folder: Path) -> None:
    """Show the whole loop on this machine: Label Studio, this service, a project of restaurant queries."""
    from backend.demo.show import run_demo

    raise SystemExit(
        run_demo(
            once=once, port=port, label_studio_port=label_studio_port, program=label_studio, folder=folder.resolve()
        )
    )


# These import what they open: `serve` must not inherit ONNX Runtime through its fork, nor carry Label Studio's library.
def _open_loop(settings: Settings) -> Loop:
    from backend.jobs import open_loop

    return open_loop(settings)[0]


def _open_label_studio(settings: Settings) -> LabelStudio:
    from backend.label_studio import open_label_studio

    return open_label_studio(settings)


def _number(project: str) -> int:
    if not project.partition(".")[0].isdecimal():
        raise click.BadParameter(f"{project!r} is not a project number.", param_hint="--project")
    return int(project.partition(".")[0])


def _uid(settings: Settings, loop: Loop, project: str) -> str:
    """The project's key here; a project this service has not met yet is looked up in Label Studio."""
    number = _number(project)
    known = [each.uid for each in loop.store.projects.all() if each.id == number and project in (each.uid, str(number))]
    if known:
        return max(known, key=lambda uid: int(uid.partition(".")[2] or 0))
    remote = _open_label_studio(settings).project(number)
    return loop.meet(remote.uid, title=remote.title, label_config=remote.label_config).uid


if __name__ == "__main__":
    cli(prog_name="python -m backend")
