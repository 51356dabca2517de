"""Splits a JSON array of objects into blocks of whole elements without decoding it.

Blocks can be decoded at once, by a faster library, and in several processes. The position of a cut is a guess: after an
element, before one that begins like the first element. Decoding the block confirms the guess: text that begins at an
element and is valid JSON between two brackets also ends at the end of an element.
"""

from __future__ import annotations

import json
import re
from collections import deque
from collections.abc import Iterator, Sequence
from typing import Any, BinaryIO, NamedTuple

import orjson

from converters.json_stream import JSONStream

_SIZE = 1 << 20
_TAIL = 1 << 16
"""How much of the buffer's end is searched for a cut first; then twice as much, and so on."""
_GIVE_UP = 16
"""After so many block sizes without a cut, the rest is read as a stream, so that memory stays bounded."""

# The array, its first element, that one's first key, and a second key after a plain value.
_HEAD = re.compile(
    rb"""(?P<head> (?:\xef\xbb\xbf)? \s* \[ \s* ) \{ \s* (?P<first> "[^"\\]{1,200}" ) \s*:
         (?: \s* (?: [-+.\w]{1,40} | "[^"\\]{0,200}" ) \s*,\s* (?P<second> "[^"\\]{1,200}" ) \s*: )?""",
    re.VERBOSE,
)


class Block(NamedTuple):
    """Elements with commas between them, the comma ``after`` them, and the bytes and line ends before them."""

    data: bytes
    after: bytes
    offset: int
    lines: int


class Blocks:
    """Splits a stream into blocks of about a megabyte; `rest` reads what follows the last cut."""

    def __init__(self, stream: BinaryIO, *, size: int = _SIZE) -> None:
        self._stream = stream
        self._size = size
        self._buffer = b""
        self._offset = 0  # bytes before the buffer
        self._lines = 0
        self._inside = False  # whether the buffer begins with an element of the array

    def __iter__(self) -> Iterator[Block]:
        """Yield the blocks in order; none if the stream is not a long array of objects."""
        self._buffer = self._read()
        head = _HEAD.match(self._buffer)
        if head is None:
            return
        boundary = _boundary(head)
        self._advance(head.end("head"))
        self._inside = True
        while chunk := self._read():
            searched = max(len(self._buffer) - _TAIL, 0)
            self._buffer += chunk
            if cut := _last(boundary, self._buffer, searched):
                end = cut.start() + 1
                block = Block(self._buffer[:end], self._buffer[end : cut.end()], self._offset, self._lines)
                self._advance(cut.end())
                yield block
            elif len(self._buffer) > _GIVE_UP * self._size:
                return

    def rest(self, undecoded: Sequence[Block] = ()) -> JSONStream:
        """Continue as a stream: after all blocks, or from the first of the ``undecoded`` ones, which are the latest."""
        if not self._inside:
            return JSONStream(_Chained([self._buffer], self._stream))
        offset, lines = undecoded[0][2:] if undecoded else (self._offset, self._lines)
        parts = [b"[", *(part for block in undecoded for part in (block.data, block.after)), self._buffer]
        return JSONStream(_Chained(parts, self._stream), before=offset - 1, lines=lines)

    def _read(self) -> bytes:
        """Read a whole block, since a pipe may return less at a time."""
        parts: list[bytes] = []
        missing = self._size
        while missing > 0 and (part := self._stream.read(missing)):
            parts.append(part)
            missing -= len(part)
        return b"".join(parts)

    def _advance(self, count: int) -> None:
        self._offset += count
        self._lines += self._buffer.count(b"\n", 0, count)
        self._buffer = self._buffer[count:]


def decode_block(data: bytes) -> list[Any] | None:
    """Decode the elements of a block; ``None`` if they are not valid JSON, or the cut was wrong."""
    array = b"[%b]" % data
    try:
        values: list[Any] = orjson.loads(array)
    except orjson.JSONDecodeError:
        # orjson rejects lone surrogates, line ends inside strings and NaN, which edited files may contain.
        try:
            values = json.loads(array.decode(), strict=False)
        except (ValueError, RecursionError):
            return None
    return values


def _boundary(head: re.Match[bytes]) -> re.Pattern[bytes]:
    """Matches between two elements that begin alike; regions inside tasks begin with other keys."""
    begins = rb"\{\s*%b\s*:" % re.escape(head["first"])
    if head["second"]:
        begins += rb'\s*(?:[-+.\w]{1,40}|"[^"\\]{0,200}")\s*,\s*%b\s*:' % re.escape(head["second"])
    return re.compile(rb"\}\s{0,200},\s{0,200}(?=%b)" % begins)


def _last(boundary: re.Pattern[bytes], buffer: bytes, searched: int) -> re.Match[bytes] | None:
    """Find the last possible cut; there is none before ``searched``."""
    window = _TAIL
    while True:
        start = max(len(buffer) - window, searched)
        last = next(iter(deque(boundary.finditer(buffer, start), maxlen=1)), None)
        if last or start == searched:
            return last
        window *= 2


class _Chained:
    """Reads the parts that were read from a stream before, then the stream itself."""

    def __init__(self, parts: Sequence[bytes], stream: BinaryIO) -> None:
        self._parts = [part for part in reversed(parts) if part]
        self._stream = stream

    def read(self, size: int, /) -> bytes:
        return self._parts.pop() if self._parts else self._stream.read(size)
