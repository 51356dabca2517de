"""Files for the command line: ``-`` is standard input or output; files are written atomically."""

from __future__ import annotations

import codecs
import io
import os
import re
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


_HEAD = 4096
_UNDECODED_BYTE = 0xDC00
_UNDECODED = re.compile("[\ud800-\udfff]")
_MARK = "converters.mark"

_BYTE_ORDER_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_PACKED = (
    (b"\x1f\x8b", "a gzip file"),
    (b"PK\x03\x04", "a ZIP archive or a spreadsheet"),
    (b"PK\x05\x06", "an empty ZIP archive"),
    (b"\xd0\xcf\x11\xe0", "an old Word or Excel file"),
    (b"%PDF", "a PDF file"),
)
_ZIP_FOLDERS = (
    (b"word/", "a Word document"),
    (b"xl/", "an Excel file"),
    (b"mimetypeapplication/vnd.oasis", "an OpenDocument file"),
)

# A Latin letter, quotation mark or dash of cp1252 that is not beside another byte beyond ASCII.
_WESTERN = re.compile(rb"(?<![\x80-\xff])[\x80\x85\x91-\x97\xa0\xa1\xa3\xab\xb0\xbb\xbf-\xff](?![\x80-\xff])")

_DOUBLE_BYTE = ("gb18030", "big5", "shift_jis", "euc-jp", "euc-kr")


class EncodingError(ValueError):
    """A file that is not text in the encoding; the message names the line, if there is one, and the remedy."""


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
        stream = part.open("wb")
    except OSError as error:
        raise OSError(error.errno, error.strerror, name) from None
    try:
        with stream:
            yield stream
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)


@contextmanager
def reading_text(name: str, encoding: str | None = None) -> Iterator[Iterator[str]]:
    """Open a text file to read line by line, or standard input; line ends are kept, a byte order mark is removed.

    Without an ``encoding`` it is UTF-8, or UTF-16 or UTF-32 with a byte order mark. Raises `EncodingError` for an
    unknown encoding, and where a line cannot be decoded: characters are never replaced.
    """
    with reading(name) as raw:
        head = head_of(raw)
        chosen = _encoding(encoding) if encoding else _detected_encoding(head)
        text = io.TextIOWrapper(raw, encoding=chosen, errors=_MARK, newline="")
        try:
            yield _decoded(text, encoding or chosen.upper().removesuffix("-SIG"), head)
        finally:
            text.detach()


def head_of(stream: BinaryIO) -> bytes:
    """The first bytes of a file of `reading`, which are read again afterwards."""
    if isinstance(stream, io.BufferedReader):
        return stream.peek(_HEAD)
    if not stream.seekable():
        return b""
    position = stream.tell()
    head = stream.read(_HEAD)
    stream.seek(position)
    return head


def _encoding(name: str) -> str:
    try:
        codec = codecs.lookup(name)
        "".encode(codec.name)  # raises LookupError for codecs that are not encodings of text
    except (LookupError, ValueError):
        problem = f"There is no encoding {name!r}: give one such as utf-8, latin-1, cp1252, utf-16 or gb18030."
        raise EncodingError(problem) from None
    return "utf-8-sig" if codec.name == "utf-8" else codec.name


def _detected_encoding(head: bytes) -> str:
    for mark, encoding in _BYTE_ORDER_MARKS:
        if head.startswith(mark):
            return encoding
    if (kind := packed(head)) is not None:
        raise EncodingError(f"Line 1: this is {kind}, not text: unpack it, or save it as text in UTF-8.")
    if head.count(0) * 4 > len(head):
        encoding = "utf-16-be" if head.startswith(b"\0") else "utf-16-le"
        raise EncodingError(f"Line 1: this is not UTF-8 but looks like UTF-16: try --encoding {encoding}.")
    return "utf-8-sig"


def packed(head: bytes) -> str | None:
    """What a file is, in words, if its first bytes are those of an archive or a document that is no text."""
    kind = next((kind for start, kind in _PACKED if head.startswith(start)), None)
    if kind is not None and head.startswith(b"PK"):
        return next((document for folder, document in _ZIP_FOLDERS if folder in head), kind)
    return kind


def _decoded(lines: Iterable[str], encoding: str, head: bytes) -> Iterator[str]:
    for number, line in enumerate(lines, start=1):
        if not line.isascii() and (mark := _UNDECODED.search(line)):
            byte = ord(mark.group()) - _UNDECODED_BYTE
            place = f"byte 0x{byte:02X} after {line[: mark.start()][-30:]!r}"
            remedy = _remedy(line, head) if encoding == "UTF-8" else "try another --encoding"
            raise EncodingError(f"Line {number}: this is not {encoding} ({place}): {remedy}.")
        yield line


def _remedy(line: str, head: bytes) -> str:
    """What to do about a line that is not UTF-8: the encodings that its bytes, or the file's first ones, suggest."""
    content = _undecoded(line) if head.isascii() else head
    text = content.decode("utf-8", "replace")
    if sum(not character.isascii() for character in text) > 2 * text.count("\N{REPLACEMENT CHARACTER}"):
        return "correct the line, or find out the encoding of the file and give it with --encoding"
    single = len(_WESTERN.findall(content))
    if single * 10 >= 7 * sum(byte > 0x7F for byte in content):
        return "try --encoding latin-1 or cp1252"
    possible = [encoding for encoding in _DOUBLE_BYTE if _can_be(content, encoding)]
    names = ", ".join([*possible, "cp1251 (Cyrillic)"])
    return f"find out the encoding of the file and give it with --encoding; it may be {names}"


def _undecoded(line: str) -> bytes:
    """The bytes of a line of which some could not be decoded."""
    return b"".join(
        bytes([ord(character) - _UNDECODED_BYTE]) if _UNDECODED.match(character) else character.encode()
        for character in line
    )


def _can_be(content: bytes, encoding: str) -> bool:
    """Whether bytes, of which the last character may be cut off, are text in an encoding."""
    try:
        codecs.getincrementaldecoder(encoding)().decode(content)
    except UnicodeDecodeError:
        return False
    return True


def _mark_undecoded(error: UnicodeError) -> tuple[str, int]:
    """Decode each byte that cannot be decoded to a lone surrogate; unlike ``surrogateescape``, any byte."""
    if not isinstance(error, UnicodeDecodeError):
        raise error
    part = error.object[error.start : error.end]
    return "".join(chr(_UNDECODED_BYTE + byte) for byte in part), error.end


codecs.register_error(_MARK, _mark_undecoded)


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
