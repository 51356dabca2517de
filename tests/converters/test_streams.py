from __future__ import annotations

import codecs
from pathlib import Path

import pytest

from converters.streams import EncodingError, reading_text, writing


def lines(content: bytes, folder: Path, encoding: str | None = None) -> list[str]:
    file = folder / "file"
    file.write_bytes(content)
    with reading_text(str(file), encoding) as text:
        return list(text)


@pytest.mark.parametrize(
    ("content", "encoding"),
    [
        ("España\n".encode(), None),
        (codecs.BOM_UTF8 + "España\n".encode(), None),
        (codecs.BOM_UTF8 + "España\n".encode(), "UTF-8"),
        ("España\n".encode("utf-16"), None),
        (codecs.BOM_UTF16_BE + "España\n".encode("utf-16-be"), None),
        ("España\n".encode("utf-32"), None),
        ("España\n".encode("utf-16-le"), "utf-16-le"),
        ("España\n".encode("latin-1"), "latin-1"),
        ("España\n".encode("cp1252"), "cp1252"),
        ("España\n".encode("gb18030"), "gb18030"),
    ],
)
def test_text_is_decoded_by_its_mark_or_by_the_encoding_that_is_given(
    content: bytes, encoding: str | None, tmp_path: Path
) -> None:
    assert lines(content, tmp_path, encoding) == ["España\n"]


def test_line_ends_are_kept(tmp_path: Path) -> None:
    assert lines(b"a\r\nb\rc\n", tmp_path) == ["a\r\n", "b\r", "c\n"]


@pytest.mark.parametrize(
    ("content", "encoding", "problem"),
    [
        ("a\n\nEspaña".encode("latin-1"), None, "Line 3: this is not UTF-8 (byte 0xF1 after 'Espa'): try --enc"),
        (b"a\xed\xa0\x80\n", None, "Line 1: this is not UTF-8 (byte 0xED after 'a')"),
        (b"x\n" * 9_000 + b"\xff\n", None, "Line 9001: this is not UTF-8"),
        ("a\nñ".encode(), "ascii", "Line 2: this is not ascii (byte 0xC3 after ''): try another --encoding"),
        ("北京".encode("gbk") + b"\xff", "gbk", "Line 1: this is not gbk"),
        (codecs.BOM_UTF16_LE + b"a\0\n\0\x00\xd8a\0", None, "Line 2: this is not UTF-16"),
        ("Ana O\n".encode("utf-16-le"), None, "looks like UTF-16: try --encoding utf-16-le"),
        ("Ana O\n".encode("utf-16-be"), None, "looks like UTF-16: try --encoding utf-16-be"),
        (b"\x1f\x8b\x08\x00", None, "a gzip file, not text"),
        (b"PK\x03\x04", None, "a ZIP archive or a spreadsheet, not text"),
        ("北京 B-LOC\n".encode("gbk"), None, "give it with --encoding; it may be gb18030, big5"),
        ("台北 B-LOC\n".encode("big5"), None, "it may be gb18030, big5"),
        ("東京 です\n".encode("shift_jis"), None, "shift_jis"),
        ("서울 B-LOC\n".encode("euc-kr"), None, "euc-kr"),
        (b"x\n" * 9_000 + "北京 B-LOC\n".encode("gbk"), None, "Line 9001: this is not UTF-8 (byte 0xB1 after ''): fin"),
        ("日本 O\n".encode() + b"\xff\n", None, "Line 2: this is not UTF-8 (byte 0xFF after ''): correct the line"),
        ("“naïve”\n".encode("cp1252"), None, "try --encoding latin-1 or cp1252"),
        (b"PK\x03\x04" + b"\0" * 60 + b"word/document.xml", None, "a Word document, not text"),
        (b"a", "latinx", "There is no encoding 'latinx': give one such as utf-8"),
        (b"a", "hex", "There is no encoding 'hex'"),
        (b"a", "a\0b", "There is no encoding"),
    ],
)  # fmt: skip
def test_what_cannot_be_decoded_is_refused_with_the_line_and_the_remedy(
    content: bytes, encoding: str | None, problem: str, tmp_path: Path
) -> None:
    with pytest.raises(EncodingError) as caught:
        lines(content, tmp_path, encoding)
    assert problem in str(caught.value)


def test_file_that_cannot_be_written_is_named_as_it_was_given(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError) as caught, writing(str(tmp_path / "none" / "o.conll")):
        pass
    assert caught.value.filename == str(tmp_path / "none" / "o.conll")
