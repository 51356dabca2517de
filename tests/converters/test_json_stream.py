from __future__ import annotations

import io
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from converters import UnreadableJSON
from converters.json_stream import JSONStream


class Drops(io.BytesIO):
    """A stream that gives a few bytes at a time, as a slow pipe does."""

    def __init__(self, content: bytes, size: int) -> None:
        super().__init__(content)
        self.size = size

    def read(self, size: int | None = -1, /) -> bytes:
        return super().read(self.size)


VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), st.text()),
    lambda inner: st.one_of(st.lists(inner), st.dictionaries(st.text(), inner)),
    max_leaves=10,
)


def elements(content: bytes, size: int = 1 << 20) -> list[Any]:
    return list(JSONStream(Drops(content, size)).elements())


@given(st.lists(VALUES), st.booleans(), st.sampled_from([None, 1]), st.integers(1, 30))
@settings(deadline=None)
def test_elements_are_what_json_reads_however_they_arrive(
    values: list[Any], escaped: bool, indent: int | None, size: int
) -> None:
    content = json.dumps(values, ensure_ascii=escaped, indent=indent).encode("utf-8", "backslashreplace")
    assert elements(content, size) == values


@pytest.mark.parametrize("size", [1, 2, 3, 5, 1000])
def test_lone_surrogates_and_byte_order_mark_are_taken(size: int) -> None:
    content = b'\xef\xbb\xbf["\\ud83d", "\\ude00x", "\\ud83d\\u0041", "\\ud83d\\ude00", "\xf0\x9f\x98\x80"]'
    assert elements(content, size) == ["\ud83d", "\ude00x", "\ud83dA", "😀", "😀"]


@pytest.mark.parametrize(
    ("content", "read", "says"),
    [
        (b"[1, 2", [1, 2], "after 5 bytes, in line 1: the file ends too early"),
        (b'[{"id": 1,', [], "the file ends too early: export it again"),
        (b'["a", "b', ["a"], "after 6 bytes, in line 1: Unterminated string"),
        (b'["a"\n"b"]', ["a"], "after 5 bytes, in line 2: '\"' where , or ] should be"),
        (b'["a",\n {"b" 3}]', ["a"], "after 12 bytes, in line 2: Expecting ':'"),
        ('["é",\n oops]'.encode(), ["é"], "after 8 bytes, in line 2: Expecting value"),
        (b'\xef\xbb\xbf["a" oops]', ["a"], "after 8 bytes, in line 1: 'o'"),
        (b'["a",\n "\xff"]', [], "after 8 bytes: the file is not UTF-8 (byte 0xFF): save"),
        ('["a"]'.encode("utf-16"), [], "not UTF-8"),
        (b"[" * 100_000, [], "in line 1: the brackets are nested too deeply: this is not a task"),
        (b"[" + b"1" * 5000 + b"]", [], "a number has thousands of digits: this is not a task"),
        (b"[", [], "ends too early"),
        (b"", [], "after 0 bytes, in line 1: the file ends too early"),
    ],
)
def test_error_names_the_place_and_the_remedy_after_what_came_before(
    content: bytes, read: list[Any], says: str
) -> None:
    elements: list[Any] = []
    with pytest.raises(UnreadableJSON) as caught:
        elements.extend(JSONStream(io.BytesIO(content)).elements())
    assert elements == read
    assert says in str(caught.value)


def test_place_is_right_far_into_a_stream() -> None:
    good = b'{"text": "na\xc3\xafve"},\n' * 100_000
    with pytest.raises(UnreadableJSON, match=f"after {len(good) + 1} bytes, in line 100001: "):
        elements(b"[" + good + b"oops]")


@given(st.binary(max_size=30))
def test_no_bytes_raise_anything_else(content: bytes) -> None:
    try:
        elements(b"[" + content)
    except UnreadableJSON as error:
        assert str(error).endswith(".")  # noqa: PT017
