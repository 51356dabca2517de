from __future__ import annotations

import os
import sys
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.inference import bulk
from backend.inference.bulk import BULK_CHARS, bulk_threads, is_bulk, parts


@given(st.lists(st.integers(0, 3000), max_size=30))
def test_parts_hold_all_texts_in_order(lengths: list[int]) -> None:
    texts = ["x" * length for length in lengths]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(bulk, "_PART_TEXTS", 5)
        patch.setattr(bulk, "_PART_CHARS", 4000)
        cut = list(parts(texts))
    assert [text for part in cut for text in part] == texts
    for part in cut:
        assert 1 <= len(part) <= 5
        assert len(part) == 1 or sum(map(len, part)) <= 4000


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        ([], False),
        (["find me some Thai food"] * 20, False),
        (["find me some Thai food"] * 2000, True),
        (["x" * BULK_CHARS], False),
        (["x" * (BULK_CHARS + 1)], True),
    ],
)
def test_much_text_is_bulk(texts: list[str], expected: bool) -> None:
    assert is_bulk(texts) is expected


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has a niceness for each thread")
def test_bulk_threads_come_after_all_others() -> None:
    def niceness() -> int:
        return os.getpriority(os.PRIO_PROCESS, threading.get_native_id())

    before = niceness()
    assert bulk_threads().submit(niceness).result(10) > before
    assert niceness() == before


def test_a_process_has_one_set_of_bulk_threads() -> None:
    assert bulk_threads() is bulk_threads()
