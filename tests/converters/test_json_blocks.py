from __future__ import annotations

import io
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from converters.json_blocks import Blocks, decode_block
from converters.json_stream import UnreadableJSON

KEYS = st.sampled_from(["id", "result", "x"])
VALUES = st.recursive(
    st.one_of(st.integers(0, 20), st.sampled_from(["", "},{", '}, {"id": 1, "result":', "\\", '"', "é"])),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(KEYS, inner, max_size=3)),
    max_leaves=12,
)


def read(content: bytes, size: int) -> tuple[int, list[Any]]:
    """Read as `load_tasks` does; the number of blocks and the values."""
    blocks = Blocks(io.BytesIO(content), size=size)
    values: list[Any] = []
    number = 0
    for block in blocks:
        assert content[block.offset : block.offset + len(block.data)] == block.data
        assert block.lines == content.count(b"\n", 0, block.offset)
        decoded = decode_block(block.data)
        if decoded is None:
            return number, values + list(blocks.rest([block]).elements())
        number += 1
        values += decoded
    return number, values + list(blocks.rest().elements())


@given(
    st.lists(st.dictionaries(KEYS, VALUES, min_size=1), max_size=12),
    st.sampled_from([None, 0, 2]),
    st.integers(1, 200),
)
@settings(deadline=None, max_examples=300)
def test_values_are_all_there_wherever_it_is_cut(values: list[Any], indent: int | None, size: int) -> None:
    content = json.dumps(values, indent=indent, ensure_ascii=False).encode()
    assert read(content, size)[1] == values


def test_array_of_tasks_is_cut_and_its_regions_are_not() -> None:
    regions = [{"id": n, "value": "},{"} for n in range(5)]
    values = [{"id": n, "annotations": [{"id": 1, "result": regions}]} for n in range(200)]
    content = json.dumps(values).encode()
    number, elements = read(content, 1000)
    assert elements == values
    assert number > len(content) / 2000


def test_place_of_an_error_is_the_files() -> None:
    rows = [f'{{"id": {n}, "data": {{}}}}' for n in range(300)]
    content = "[\n" + ",\n".join(rows) + ',\n{"id": oops}]'
    with pytest.raises(UnreadableJSON, match=rf"after {content.index('oops')} bytes, in line 302: Expecting value"):
        read(content.encode(), 700)


def test_strings_that_are_no_strict_json_are_read_all_the_same() -> None:
    rows = [f'{{"id": {n}, "text": "a\nb\\ud83d", "score": NaN}}' for n in range(50)]
    number, elements = read(("[" + ",".join(rows) + "]").encode(), 200)
    assert number > 5
    assert [element["text"] for element in elements] == ["a\nb\ud83d"] * 50


def test_stream_without_a_place_to_cut_is_given_up_before_it_fills_the_memory() -> None:
    class Endless(io.BytesIO):
        taken = 0

        def read(self, size: int | None = -1, /) -> bytes:
            self.taken += 1000
            return b'[{"id": 1, "text": "' if self.taken == 1000 else b"x" * 1000

    stream = Endless()
    assert list(Blocks(stream, size=1000)) == []
    assert stream.taken < 30_000
