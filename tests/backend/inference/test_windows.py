from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer
from tokenizers.models import WordLevel, WordPiece
from tokenizers.normalizers import BertNormalizer
from tokenizers.pre_tokenizers import BertPreTokenizer
from tokenizers.processors import TemplateProcessing

from backend.inference.windows import Window, WindowEncoder, decided_ranges, window_bounds

CLS, SEP = 1, 2


def make_tokenizer(*, template: str | None = "[CLS] $A [SEP]") -> Tokenizer:
    """A word of n letters "a" becomes n pieces; control characters disappear."""
    vocabulary = {"[UNK]": 0, "[CLS]": CLS, "[SEP]": SEP, "a": 3, "##a": 4, "b": 5}
    tokenizer = Tokenizer(WordPiece(vocabulary, unk_token="[UNK]", max_input_chars_per_word=5000))
    tokenizer.normalizer = BertNormalizer()
    tokenizer.pre_tokenizer = BertPreTokenizer()
    if template:
        tokenizer.post_processor = TemplateProcessing(single=template, special_tokens=[("[CLS]", CLS), ("[SEP]", SEP)])
    return tokenizer


def encode(words: list[str], *, max_length: int = 10) -> list[Window]:
    return WindowEncoder(make_tokenizer(), max_length=max_length).encode([words])


def test_short_text_is_one_window_with_special_tokens() -> None:
    (window,) = encode(["a", "aaa", "b"])
    assert window.input_ids.tolist() == [CLS, 3, 3, 4, 4, 5, SEP]
    assert window.words.tolist() == [0, 1, 2]
    assert window.positions.tolist() == [1, 2, 5]


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        (None, [3]),
        ("[CLS] $A", [CLS, 3]),
        ("$A [SEP]", [3, SEP]),
        ("[CLS] [CLS] $A [SEP]", [CLS, CLS, 3, SEP]),
    ],
)
def test_special_tokens_are_those_of_the_post_processor(template: str | None, expected: list[int]) -> None:
    encoder = WindowEncoder(make_tokenizer(template=template), max_length=10)
    (window,) = encoder.encode([["a"]])
    assert window.input_ids.tolist() == expected
    assert window.input_ids[window.positions].tolist() == [3]


def test_text_without_pieces_has_no_window() -> None:
    assert encode([]) == []
    assert encode(["\x01", "\u200b"]) == []


def test_word_without_pieces_gets_no_position() -> None:
    (window,) = encode(["a", "\x01", "b"])
    assert window.words.tolist() == [0, 2]


def test_word_longer_than_the_model_is_cut_to_fit() -> None:
    windows = encode(["b", "a" * 50, "b"])
    assert max(len(window.input_ids) for window in windows) == 10
    assert sorted(word for window in windows for word in window.words.tolist()) == [0, 1, 2]


def test_lone_surrogate_is_replaced() -> None:
    tokenizer = Tokenizer(WordLevel({"[UNK]": 0, "\ufffd": 1, "a\ufffd": 2}, unk_token="[UNK]"))
    (window,) = WindowEncoder(tokenizer, max_length=10).encode([["\ud800", "a\udfff"]])
    assert window.input_ids.tolist() == [1, 2]


def test_windows_name_the_text_they_belong_to() -> None:
    windows = WindowEncoder(make_tokenizer(), max_length=6).encode([["a"] * 9, [], ["b"]])
    assert {window.text for window in windows} == {0, 2}


def test_model_without_room_is_refused() -> None:
    with pytest.raises(ValueError, match="leaves no room"):
        WindowEncoder(make_tokenizer(), max_length=2)


@given(
    lengths=st.lists(st.integers(0, 12), max_size=60),
    max_length=st.integers(3, 16),
)
def test_every_word_is_decided_exactly_once(lengths: list[int], max_length: int) -> None:
    words = ["a" * length if length else "\x01" for length in lengths]
    windows = encode(words, max_length=max_length)
    decided = [word for window in windows for word in window.words.tolist()]
    assert decided == [index for index, length in enumerate(lengths) if length]
    for window in windows:
        assert len(window.input_ids) <= max_length
        assert (window.input_ids[0], window.input_ids[-1]) == (CLS, SEP)
        assert set(window.input_ids[window.positions].tolist()) <= {3}
        assert len(set(window.positions.tolist())) == len(window.words)


@given(
    counts=st.lists(st.integers(1, 10), min_size=1, max_size=60),
    capacity=st.integers(10, 30),
)
def test_windows_overlap_and_fit_and_advance(counts: list[int], capacity: int) -> None:
    offsets = np.concatenate(([0], np.cumsum(counts)))
    bounds = window_bounds(offsets, capacity)
    assert bounds[0][0] == 0
    assert bounds[-1][1] == len(counts)
    for start, end in bounds:
        assert 0 < offsets[end] - offsets[start] <= capacity
    for (start, end), (next_start, next_end) in pairwise(bounds):
        assert start < next_start <= end < next_end
    for (start, end), (first, last) in zip(bounds, decided_ranges(offsets, bounds), strict=True):
        assert start <= first <= last <= end


def test_word_is_decided_where_its_poorer_side_has_more_context() -> None:
    offsets = np.arange(101)
    bounds = window_bounds(offsets, 40)
    for number, (first, last) in enumerate(decided_ranges(offsets, bounds)):
        for word in range(first, last):
            contexts = [
                min(word - start if start else 100, end - 1 - word if end < 100 else 100)
                for start, end in bounds
                if start <= word < end
            ]
            start, end = bounds[number]
            mine = min(word - start if start else 100, end - 1 - word if end < 100 else 100)
            assert mine == max(contexts)
