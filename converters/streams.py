"""Files for the command line: ``-`` is standard input or output; files are written atomically."""

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
from typing import BinaryIO, Protocol, TextIO, TypeVar

STANDARD = "-"

_Item = TypeVar("_Item")
_LINE_SECONDS = 2.0


class Writable(Protocol):
    """A text stream that can be written to."""

    def write(self, text: str, /) -> object: ...


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
    """A file name that can be read more than once: standard input is copied to a temporary file."""
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
    """Open a file to write bytes, or standard output; the file appears only once it is complete."""
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
    """Open a UTF-8 file to read, or standard input; line ends are kept, a byte order mark is removed."""
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
            text.detach()  # flushes


class Progress:
    """Prints a count on standard error every two seconds and at the end; nothing if it takes less than that."""

    def __init__(self, noun: str, *, stream: TextIO | None = None) -> None:
        self._noun = noun
        self._stream = stream or sys.stderr
        self._count = 0
        self._began = self._printed = time.monotonic()

    def add(self, count: int = 1) -> None:
        """Add to the count."""
        self._count += count
        if (now := time.monotonic()) - self._printed >= _LINE_SECONDS:
            rate = self._count / (now - self._began)
            self._stream.write(f"{self._count:,} {self._noun}, {rate:,.0f} a second\n")
            self._printed = now

    def end(self) -> None:
        """Print the total, if a count was printed before."""
        if self._printed > self._began:
            self._stream.write(f"{self._count:,} {self._noun} in {time.monotonic() - self._began:.0f} s\n")


def progress(items: Iterable[_Item], noun: str, *, stream: TextIO | None = None) -> Iterator[_Item]:
    """Yield the items and print their `Progress`."""
    counter = Progress(noun, stream=stream)
    for item in items:
        counter.add()
        yield item
    counter.end()
