from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer

from backend.inference import pieces
from backend.inference.pieces import WordPieces
from converters.words import words
from tests.converters.strategies import texts as any_text


@pytest.fixture(scope="module")
def tokenizer(version_folder: Path) -> Tokenizer:
    tokenizer = Tokenizer.from_file(str(version_folder / "tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.no_truncation()
    return tokenizer


@given(st.lists(any_text, max_size=4))
def test_pieces_are_those_the_tokenizer_makes_of_a_whole_text(tokenizer: Tokenizer, texts: list[str]) -> None:
    cached = WordPieces(tokenizer)
    for text in [*texts, *texts]:
        text_words = [word.text for word in words(text)]
        clean = [re.sub("[\ud800-\udfff]", "\ufffd", word) for word in text_words]
        whole = tokenizer.encode(clean, is_pretokenized=True, add_special_tokens=False)
        looked_up = cached.look_up(text_words)
        assert [piece for word in looked_up for piece in word] == whole.ids
        assert [number for number, word in enumerate(looked_up) for _ in word] == whole.word_ids


def test_cache_is_replaced_when_it_is_full(tokenizer: Tokenizer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pieces, "_CACHED_CHARS", 100)
    cached = WordPieces(tokenizer)
    texts = [[f"word{number}", "sushi", "x" * 30] for number in range(50)]
    assert [cached.look_up(text) for text in texts] == [WordPieces(tokenizer).look_up(text) for text in texts]
    assert len(cached._cache) < 20


def test_threads_may_share_an_instance(tokenizer: Tokenizer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pieces, "_CACHED_CHARS", 200)
    cached = WordPieces(tokenizer)
    texts = [[f"word{number % 17}", f"other{number % 5}"] for number in range(400)]
    expected = [WordPieces(tokenizer).look_up(text) for text in texts]
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(cached.look_up, texts)) == expected
