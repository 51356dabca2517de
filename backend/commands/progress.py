"""Progress on standard error: a bar on a terminal, a line now and then elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, TypeVar

import click

from backend.commands.tables import plain

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

_Thing = TypeVar("_Thing")

_QUIET_SECONDS = 10.0
_EVERY = 100


class Bar:
    """How far something is, out of ``total``; without one it only moves. Standard output stays the result's."""

    def __init__(self, label: str, *, total: float | None = None) -> None:
        self._label = label
        self._total = total
        self._bar: Progress | None = None
        self._task: TaskID | None = None
        self._spoken = time.monotonic()

    def __enter__(self) -> Bar:
        if sys.stderr.isatty():
            from rich.console import Console
            from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn

            columns = (TextColumn("{task.description}", markup=False), BarColumn(), TaskProgressColumn(),
                       TextColumn("{task.fields[detail]}", markup=False))  # fmt: skip
            self._bar = Progress(*columns, console=Console(stderr=True))
            self._task = self._bar.add_task(self._label, total=self._total, detail="")
            self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar:
            self._bar.stop()

    def show(self, done: float, detail: str = "", *, total: float | None = None) -> None:
        """Move to ``done`` and say what goes on; the ``total`` may become known later."""
        self._total = total or self._total
        if self._bar and self._task is not None:
            self._bar.update(self._task, completed=done, total=self._total, detail=plain(detail))
        elif time.monotonic() - self._spoken >= _QUIET_SECONDS:
            percent = f" {done / self._total:.0%}".replace("%", " %") if self._total else ""
            click.echo(f"{self._label}:{percent} {plain(detail)}".rstrip(), err=True)
            self._spoken = time.monotonic()

    def each(self, things: Sequence[_Thing], noun: str) -> Iterator[_Thing]:
        """Give the things on and show how many of them are through."""
        said = f"{len(things):,} {noun}"
        for done, thing in enumerate(things):
            if done % _EVERY == 0:
                self.show(done, said, total=len(things))
            yield thing
        self.show(len(things), said)
