"""``preannotate``: predictions for all unlabelled tasks, past Label Studio's limit of tasks per request."""

from __future__ import annotations

import time
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from backend.commands.common import json_option, open_label_studio, open_loop, project_option, project_uid
from backend.commands.output import duration, show_json
from backend.commands.progress_bar import Bar
from backend.conversion import count
from backend.settings import Settings

if TYPE_CHECKING:
    from backend.label_studio.api import LabelStudioAPI
    from backend.label_studio.sync import SyncResult
    from backend.loop import Loop
    from backend.store.lease import Lease

_LISTED_TASKS = 20
_ACQUIRE_SECONDS = 1.0
"""Time between two attempts to acquire the lease."""


@click.command()
@project_option
@json_option
@click.pass_obj
def preannotate(settings: Settings, project: str, as_json: bool) -> None:
    """Give every unlabelled task a prediction of the current version, or of phrases before the first one.

    Resumes where it was interrupted: predictions that Label Studio has are not sent again.
    """
    from backend.errors import LabelStudioError

    loop = open_loop(settings)
    uid = project_uid(settings, loop, project)
    label_studio = open_label_studio(settings, loop.store.projects.get(uid))
    progress = _Progress()
    try:
        version, result = _sync(loop, label_studio, uid, progress)
    except LabelStudioError as error:
        raise click.ClickException(f"{error} {progress.sentence()}") from None
    except KeyboardInterrupt:
        click.echo(progress.sentence(), err=True)
        raise
    if as_json:
        figures = {name: value for name, value in asdict(result).items() if name != "unread"}
        unread = loop.store.projects.get(uid).unread_texts
        show_json([{"project": uid, "version": version, **figures, "unread_texts": unread}])
    else:
        click.echo("\n".join([_summary(version, result), *loop.overview(uid).unread_sentences]))
    if result.refused:
        ids = ", ".join(map(str, result.refused[:_LISTED_TASKS])) + (
            ", …" if len(result.refused) > _LISTED_TASKS else ""
        )
        raise click.ClickException(f"Label Studio refused the predictions of {len(result.refused):,} tasks: {ids}.")
    if late := result.unread.delayed:
        raise click.ClickException(
            f"{count(late, 'task')} got no prediction, because the text did not arrive: run the same command again."
        )


class _Progress:
    def __init__(self) -> None:
        self.stored = 0

    def sentence(self) -> str:
        return f"{self.stored:,} predictions are stored and stay there; run the same command again to continue."


def _sync(loop: Loop, label_studio: LabelStudioAPI, uid: str, progress: _Progress) -> tuple[str, SyncResult]:
    from backend.errors import Conflict

    with loop.sync_lease(uid) as lease, Bar("Pre-annotation") as bar:

        def on_progress(result: SyncResult) -> None:
            progress.stored = result.stored
            # Predicting counts for one half, storing for the other.
            predicted = result.present + result.predicted + result.unread.delayed
            bar.show(
                (predicted + result.done) / 2,
                f"{result.done:,} of {result.unlabelled:,} tasks",
                total=result.unlabelled,
            )

        _acquire(lease, bar)
        while True:
            result = loop.preannotate(uid, label_studio, lease, on_progress=on_progress)
            if result is None:
                raise Conflict(
                    "The project has neither a model version nor phrases yet: mark entities in Label Studio first."
                )
            if result.complete:
                return result.unread.version, result
            if not lease.renew():
                raise Conflict("Another process has taken over the pre-annotation of this project: this one stops.")


def _acquire(lease: Lease, bar: Bar) -> None:
    while not lease.acquire():
        bar.show(0, "another process is working on it, or was killed less than a minute ago: waiting for it")
        time.sleep(_ACQUIRE_SECONDS)


def _summary(version: str, result: SyncResult) -> str:
    seconds = result.seconds
    present = f", {result.present:,} were stored before" if result.present else ""
    return (
        f"{result.unlabelled:,} unlabelled tasks: {result.stored:,} predictions of {version} stored{present}, "
        f"in {duration(seconds.total)}.\n"
        f"Label Studio: reading {seconds.reading:.1f} s, storing {seconds.importing:.1f} s, counting "
        f"{seconds.counting:.1f} s; this service: predicting {seconds.predicting:.1f} s, most of it at the same time."
    )
