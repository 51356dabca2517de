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
    remembering = WordPieces(tokenizer)
    for text in [*texts, *texts]:
        found = [word.text for word in words(text)]
        clean = [re.sub("[\ud800-\udfff]", "\ufffd", word) for word in found]
        whole = tokenizer.encode(clean, is_pretokenized=True, add_special_tokens=False)
        looked_up = remembering.look_up(found)
        assert [piece for each in looked_up for piece in each] == whole.ids
        assert [number for number, each in enumerate(looked_up) for _ in each] == whole.word_ids


def test_memory_starts_anew_when_it_is_full(tokenizer: Tokenizer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pieces, "_REMEMBERED_CHARS", 100)
    remembering = WordPieces(tokenizer)
    texts = [[f"word{number}", "sushi", "x" * 30] for number in range(50)]
    assert [remembering.look_up(text) for text in texts] == [WordPieces(tokenizer).look_up(text) for text in texts]
    assert len(remembering._known) < 20


def test_threads_may_share_it(tokenizer: Tokenizer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pieces, "_REMEMBERED_CHARS", 200)
    remembering = WordPieces(tokenizer)
    texts = [[f"word{number % 17}", f"other{number % 5}"] for number in range(400)]
    expected = [WordPieces(tokenizer).look_up(text) for text in texts]
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(remembering.look_up, texts)) == expected
