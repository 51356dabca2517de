"""Progress on standard error: a bar on a terminal, a line every few seconds elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, TypeVar

import click

from backend.commands.output import plain

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

_Item = TypeVar("_Item")

_LINE_SECONDS = 10.0
"""Time between two lines where there is no terminal."""

_UPDATE_ITEMS = 100


class Bar:
    """Shows progress out of ``total``; while the total is unknown, the bar only pulses. Standard output stays free."""

    def __init__(self, label: str, *, total: float | None = None) -> None:
        self._label = label
        self._total = total
        self._bar: Progress | None = None
        self._task: TaskID | None = None
        self._last_line = time.monotonic()

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
        """Move the bar to ``done``; ``detail`` says what is being done, ``total`` may be given late."""
        self._total = total or self._total
        if self._bar and self._task is not None:
            self._bar.update(self._task, completed=done, total=self._total, detail=plain(detail))
        elif time.monotonic() - self._last_line >= _LINE_SECONDS:
            percent = f" {done / self._total:.0%}".replace("%", " %") if self._total else ""
            click.echo(f"{self._label}:{percent} {plain(detail)}".rstrip(), err=True)
            self._last_line = time.monotonic()

    def track(self, items: Sequence[_Item], noun: str) -> Iterator[_Item]:
        """Yield the items, and show how many have been processed."""
        detail = f"{len(items):,} {noun}"
        for done, item in enumerate(items):
            if done % _UPDATE_ITEMS == 0:
                self.show(done, detail, total=len(items))
            yield item
        self.show(len(items), detail)
