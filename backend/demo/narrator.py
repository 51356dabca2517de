"""Tells the person at the terminal what the demonstration is doing."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import click

_QUIET_SECONDS = 10.0


class Narrator:
    """Numbered steps. On a terminal the running step counts its seconds; elsewhere it speaks every ten."""

    def __init__(self, steps: int) -> None:
        self._steps = steps
        self._done = 0
        self._live = sys.stdout.isatty()
        self.seconds: dict[str, float] = {}

    @contextmanager
    def step(self, title: str) -> Iterator[Callable[[str], None]]:
        """Announce a step; what it yields is called now and then, with a detail or nothing."""
        self._done += 1
        head = f"[{self._done}/{self._steps}] {title}"
        began = spoken = time.monotonic()
        click.echo(f"{head} …", nl=not self._live)

        def tick(detail: str) -> None:
            nonlocal spoken
            now = time.monotonic()
            text = f"{head} … {now - began:.0f} s {detail}"
            if self._live:
                click.echo(f"\r\033[K{text}", nl=False)
            elif now - spoken >= _QUIET_SECONDS:
                click.echo(text)
                spoken = now

        try:
            yield tick
        except BaseException:
            if self._live:
                click.echo()
            raise
        self.seconds[title] = time.monotonic() - began
        done = f"{head}: done in {self.seconds[title]:.0f} s"
        click.echo(f"\r\033[K{done}" if self._live else done)
