"""Bulk pre-annotation, past Label Studio's limit for a request."""

from __future__ import annotations

import time
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from backend.commands.common import json_option, open_label_studio, open_loop, project_option, uid_of
from backend.commands.progress import Bar
from backend.commands.tables import duration, show_json
from backend.settings import Settings

if TYPE_CHECKING:
    from backend.label_studio.client import LabelStudio
    from backend.label_studio.sync import SyncResult
    from backend.loop import Loop
    from backend.store.lease import Turn

_NAMED = 20
_LOOK_SECONDS = 1.0


@click.command()
@project_option
@json_option
@click.pass_obj
def preannotate(settings: Settings, project: str, as_json: bool) -> None:
    """Give every unlabelled task a prediction of the serving version, however many there are.

    Goes on where it was interrupted: what Label Studio holds is not sent again.
    """
    from backend.errors import LabelStudioError

    loop = open_loop(settings)
    uid = uid_of(settings, loop, project)
    label_studio = open_label_studio(settings, loop.store.projects.get(uid))
    progress = _Progress()
    try:
        version, done = _carry_out(loop, label_studio, uid, progress)
    except LabelStudioError as error:
        raise click.ClickException(f"{error} {progress.kept()}") from None
    except KeyboardInterrupt:
        click.echo(progress.kept(), err=True)
        raise
    if as_json:
        show_json([{"project": uid, "version": version, **asdict(done)}])
    else:
        click.echo(_told(version, done))
    if done.refused:
        names = ", ".join(map(str, done.refused[:_NAMED])) + (", …" if len(done.refused) > _NAMED else "")
        raise click.ClickException(f"Label Studio keeps no prediction of {len(done.refused):,} tasks: {names}.")


class _Progress:
    def __init__(self) -> None:
        self.stored = 0

    def kept(self) -> str:
        return f"{self.stored:,} predictions are stored and stay; the same command goes on there."


def _carry_out(loop: Loop, label_studio: LabelStudio, uid: str, progress: _Progress) -> tuple[str, SyncResult]:
    from backend.errors import Conflict
    from backend.label_studio.preannotate import bring_up_to_date
    from backend.store.lease import Turn

    with Turn(loop.store, uid) as turn, Bar("Pre-annotation") as bar:

        def watch(done: SyncResult) -> None:
            progress.stored = done.stored
            half_way = done.present + done.predicted  # predicted is half of it, stored the other
            said = f"{done.done:,} of {done.unlabelled:,} tasks"
            bar.show((half_way + done.done) / 2, said, total=done.unlabelled)

        _wait_for(turn, bar)
        while True:
            version = loop.store.projects.current_version(uid)
            done = bring_up_to_date(loop, label_studio, uid, turn, watch=watch)
            if version is None or done is None:
                raise Conflict("The project has no model version yet: run `python -m backend train --wait` first.")
            if done.complete:
                return version, done
            if not turn.held():
                raise Conflict("Another process has taken the pre-annotation over: this one ends.")


def _wait_for(turn: Turn, bar: Bar) -> None:
    while not turn.take():
        bar.show(0, "another process is at it, or ended within the last minute without a word: waiting for it")
        time.sleep(_LOOK_SECONDS)


def _told(version: str, done: SyncResult) -> str:
    seconds = done.seconds
    there = f", {done.present:,} were there" if done.present else ""
    return (
        f"{done.unlabelled:,} unlabelled tasks: {done.stored:,} predictions of {version} stored{there}, "
        f"in {duration(seconds.total)}.\n"
        f"Label Studio's reading {seconds.reading:.1f} s, storing {seconds.importing:.1f} s, counting "
        f"{seconds.counting:.1f} s; our predicting {seconds.predicting:.1f} s, most of it meanwhile."
    )
