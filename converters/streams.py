"""Files and standard streams for the command line: ``-`` is one, a half-written file is none."""

from __future__ import annotations

import io
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, TextIO, TypeVar

STANDARD = "-"

_T = TypeVar("_T")
_QUIET_SECONDS = 2.0


@contextmanager
def reading(name: str) -> Iterator[BinaryIO]:
    """Open a file to read bytes, or standard input."""
    if name == STANDARD:
        yield sys.stdin.buffer
    else:
        with Path(name).open("rb") as stream:
            yield stream


@contextmanager
def rereadable(name: str) -> Iterator[str]:
    """The name of a file that can be read more than once: standard input is kept in a temporary file meanwhile."""
    if name != STANDARD:
        yield name
        return
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "standard-input"
        with copy.open("wb") as stream:
            shutil.copyfileobj(sys.stdin.buffer, stream)
        yield str(copy)


@contextmanager
def writing(name: str) -> Iterator[BinaryIO]:
    """Open a file to write bytes, or standard output; the file appears when it is complete, and not before."""
    if name == STANDARD:
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    target = Path(name)
    if target.exists() and not target.is_file():  # a device or a pipe cannot be replaced
        with target.open("wb") as stream:
            yield stream
        return
    part = target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        with part.open("wb") as stream:
            yield stream
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)


@contextmanager
def reading_text(name: str) -> Iterator[TextIO]:
    """Open a UTF-8 file to read, or standard input; line ends stay as they are, a byte order mark goes."""
    with reading(name) as raw:
        text = io.TextIOWrapper(raw, encoding="utf-8-sig", errors="surrogateescape", newline="")
        try:
            yield text
        finally:
            text.detach()


@contextmanager
def writing_text(name: str) -> Iterator[TextIO]:
    """Open a UTF-8 file to write, or standard output."""
    with writing(name) as raw:
        text = io.TextIOWrapper(raw, encoding="utf-8", newline="\n")
        try:
            yield text
        finally:
            text.detach()  # which writes what is still held


def progress(things: Iterable[_T], noun: str, *, stream: TextIO | None = None) -> Iterator[_T]:
    """Give the things on, and say on standard error how many there were, every two seconds."""
    stream = stream or sys.stderr
    count, spoken = 0, False
    began = said = time.monotonic()
    for count, thing in enumerate(things, start=1):
        if not count % 256 and (now := time.monotonic()) - said >= _QUIET_SECONDS:
            stream.write(f"{count:,} {noun}, {count / (now - began):,.0f} a second\n")
            said, spoken = now, True
        yield thing
    if spoken:
        stream.write(f"{count:,} {noun} in {time.monotonic() - began:.0f} s\n")
