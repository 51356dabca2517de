"""Prints rows: a table for people, or JSON for programs (``--json``)."""

from __future__ import annotations

import json
import shutil
import sys
import unicodedata
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from backend.store.models import Base

_PIPE_COLUMNS = 100_000
"""Width where standard output is not a terminal: a row stays one line, for grep and awk."""

_GAP = 3
_LONG_WORD = 24
"""Longer words, such as addresses, may be broken into lines."""


def show_table(headings: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Print a table as wide as the terminal, its cells wrapped between words; in a pipe one line per row.

    Where the terminal is too narrow for the columns side by side, each row is printed as facts, one line per column.
    """
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    cells = [tuple(map(plain, row)) for row in rows]
    columns = list(zip(headings, *cells, strict=True))
    terminal = _is_terminal()
    widths = _widths(columns, _terminal_columns()) if terminal else [None] * len(columns)
    if widths is None:
        for row in cells:
            show_facts("", (fact for fact in zip(headings, row, strict=True) if fact[1]))
            click.echo()
        return
    table = Table(box=SIMPLE_HEAD if terminal else None, show_edge=False, pad_edge=False, header_style="bold")
    for heading, width in zip(headings, widths, strict=True):
        table.add_column(_cell(heading), overflow="fold", width=width)
    for row in cells:
        table.add_row(*map(_cell, row))
    _print(table)


def show_facts(title: str, facts: Iterable[tuple[str, object]]) -> None:
    """Print names and values, one pair per line."""
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in facts:
        table.add_row(name, _cell(value))
    _print(*([Text(plain(title), style="bold")] if title else []), table)


def show_json(rows: Iterable[dict[str, Any]]) -> None:
    """Print a list of objects."""
    click.echo(json.dumps(list(rows), ensure_ascii=False, indent=2))


def fields_of(row: Base, *, without: Sequence[str] = ()) -> dict[str, Any]:
    """A row's columns by name, times as ISO 8601 in UTC."""
    names = [column.name for column in row.__table__.columns if column.name not in without]
    return {name: iso(getattr(row, name)) if name.endswith("_at") else getattr(row, name) for name in names}


def iso(seconds: float | None) -> str | None:
    """``"2026-11-21T16:10:10Z"``"""
    return _utc(seconds).strftime("%Y-%m-%dT%H:%M:%SZ") if seconds is not None else None


def moment(seconds: float | None) -> str:
    """``"2026-11-21 16:10 UTC"``, for people."""
    return _utc(seconds).strftime("%Y-%m-%d %H:%M UTC") if seconds is not None else "–"


def duration(seconds: float | None) -> str:
    """``"48 s"``, ``"12 min"``, ``"3 h 20 min"``."""
    if seconds is None:
        return "–"
    minutes, left = divmod(round(seconds), 60)
    if not minutes:
        return f"{left} s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min"


def plain(value: object) -> str:
    """Make any text safe to print in one line: control characters, which a terminal would obey, become U+FFFD."""
    text = " ".join(str(value).split())
    return "".join("\ufffd" if unicodedata.category(char) in _NOT_SHOWN else char for char in text)


def shorten(text: str, length: int = 60) -> str:
    """Any text in one line of at most ``length`` characters, for a cell of a table."""
    line = plain(text)
    return line if len(line) <= length else f"{line[: length - 1]}…"


# Controls (escape sequences), surrogates, and characters that are invisible or change the writing direction.
_NOT_SHOWN = ("Cc", "Cs", "Cf")


def _cell(value: object) -> Any:
    from rich.text import Text

    return Text(plain(value))  # a `Text`, so that [brackets] are not read as markup


def _print(*renderables: object) -> None:
    from rich.console import Console

    terminal = _is_terminal()
    console = Console(width=None if terminal else _PIPE_COLUMNS, highlight=False, emoji=False)
    with console.capture() as captured:
        console.print(*renderables, sep="\n")
    for line in captured.get().rstrip("\n").split("\n"):
        click.echo(line.rstrip() if not terminal else line)


def _widths(columns: Sequence[Sequence[str]], available: int) -> list[int] | None:
    """Column widths that break no word, wider for columns with long cells; ``None`` where they do not fit."""
    from rich.cells import cell_len

    whole = [max(map(cell_len, column)) for column in columns]
    words = [max(map(cell_len, " ".join(column).split()), default=1) for column in columns]
    widths = [max(1, min(word, _LONG_WORD, cell)) for word, cell in zip(words, whole, strict=True)]
    left = available - sum(widths) - _GAP * (len(columns) - 1)
    if left < 0:
        return None
    while left and (short := [index for index, width in enumerate(widths) if width < whole[index]]):
        widths[max(short, key=lambda index: whole[index] / widths[index])] += 1
        left -= 1
    return widths


def _is_terminal() -> bool:
    return sys.stdout.isatty()


def _terminal_columns() -> int:
    return shutil.get_terminal_size().columns


def _utc(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
