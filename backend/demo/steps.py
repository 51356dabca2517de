"""Prints the steps of the demonstration and how long each takes."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import click

_PRINT_SECONDS = 10.0


class Steps:
    """Numbered steps. A terminal shows the current step's progress; elsewhere it is printed every 10 seconds."""

    def __init__(self, number: int) -> None:
        self._number = number
        self._started = 0
        self._terminal = sys.stdout.isatty()

    @contextmanager
    def step(self, title: str) -> Iterator[Callable[[str], None]]:
        """Print the step's start and its end; the function it yields prints progress and may be called often."""
        self._started += 1
        head = f"[{self._started}/{self._number}] {title}"
        started = printed = time.monotonic()
        click.echo(f"{head} …", nl=not self._terminal)

        def tick(detail: str) -> None:
            nonlocal printed
            now = time.monotonic()
            text = f"{head} … {now - started:.0f} s {detail}"
            if self._terminal:
                click.echo(f"\r\033[K{text}", nl=False)
            elif now - printed >= _PRINT_SECONDS:
                click.echo(text)
                printed = now

        try:
            yield tick
        except BaseException:
            if self._terminal:
                click.echo()
            raise
        done = f"{head}: done in {time.monotonic() - started:.0f} s"
        click.echo(f"\r\033[K{done}" if self._terminal else done)
