"""Windows, batches and bulk work with a model that needs no computing, so that every position can be tried."""

from __future__ import annotations

import threading
import tracemalloc
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from numpy.typing import NDArray
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.processors import TemplateProcessing

from backend.errors import ModelError
from backend.inference.bulk import is_bulk
from backend.inference.decoders import BioDecoder
from backend.inference.tagger import Tagger
from backend.inference.windows import Window, WindowEncoder
from converters.bio import tag_set

Floats = NDArray[np.float32]

MAX_LENGTH = 34
SENTENCE = "we had pad thai noodles and pad krapao here"
FOUND = ["pad thai noodles", "pad krapao"]
VOCABULARY = {word: number for number, word in enumerate(["[UNK]", "[CLS]", "[SEP]", *SENTENCE.split(), "so"])}
PAD, THAI, NOODLES, KRAPAO = (VOCABULARY[word] for word in ("pad", "thai", "noodles", "krapao"))
SEES = 3
"""How many pieces to each side the model must see of a text, if it has them, to be sure of a word."""


class NearSighted:
    """A session that knows two dishes, and takes a word for a Cuisine where a window's edge is too near to be sure.

    ``words`` is how many words a text of several windows has. ``hold`` keeps batches of several texts waiting.
    """

    on_gpu = False

    def __init__(self, words: int = 0, *, hold: threading.Event | None = None, fail: bool = False) -> None:
        self.words = words
        self.widest = 0
        self._hold = hold
        self._fail = fail

    def log_probabilities(self, batch: Sequence[Window]) -> list[Floats]:
        self.widest = max(self.widest, len(batch) * max(len(window.input_ids) for window in batch))
        if self._fail:
            raise ModelError("The model is damaged.")
        if self._hold and len(batch) > 1:
            assert self._hold.wait(30)
        return [self._score(window) for window in batch]

    def _score(self, window: Window) -> Floats:
        ids = window.input_ids
        tags = np.zeros(len(ids), dtype=np.int64)
        tags[ids == PAD] = 1
        tags[(ids == THAI) | (ids == NOODLES) | (ids == KRAPAO)] = 2
        chosen = tags[window.positions]
        cut_before, cut_after = window.words[0] > 0, window.words[-1] < self.words - 1
        too_near = cut_before & (window.positions <= SEES)
        too_near |= cut_after & (window.positions >= len(ids) - 1 - SEES)
        chosen[too_near] = 3
        scores = np.full((len(chosen), 5), np.log(0.01), dtype=np.float32)
        scores[np.arange(len(chosen)), chosen] = np.log(0.96)
        return scores


def make_tagger(session: NearSighted, *, max_length: int = MAX_LENGTH) -> Tagger:
    tokenizer = Tokenizer(WordLevel(VOCABULARY, unk_token="[UNK]"))
    special = [("[CLS]", 1), ("[SEP]", 2)]
    tokenizer.post_processor = TemplateProcessing(single="[CLS] $A [SEP]", special_tokens=special)
    encoder = WindowEncoder(tokenizer, max_length=max_length)
    return Tagger(encoder, session, BioDecoder(tag_set(["Dish", "Cuisine"])))  # type: ignore[arg-type]


@pytest.mark.parametrize("after", [0, 1, 7, 100])
def test_sentence_is_found_at_every_position(after: int) -> None:
    for before in range(3 * MAX_LENGTH):
        text = "so " * before + SENTENCE + " so" * after
        (tagging,) = make_tagger(NearSighted(len(text.split()))).tag([text])
        assert [text[span.start : span.end] for span in tagging.spans] == FOUND
        assert {span.label for span in tagging.spans} == {"Dish"}
        assert tagging.score == pytest.approx(0.96)


def test_hundred_thousand_words_are_tagged_in_bounded_memory() -> None:
    text = ("so " * 91 + SENTENCE + " ") * 1000
    session = NearSighted(100_000)
    tagger = make_tagger(session, max_length=512)
    tracemalloc.start()
    (tagging,) = tagger.tag([text])
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert [text[span.start : span.end] for span in tagging.spans] == FOUND * 1000
    assert session.widest <= 512
    assert peak < 200 * 2**20


def test_each_text_of_a_bulk_request_has_its_own_labels() -> None:
    texts = [SENTENCE] * 1200
    offered = [("Cuisine",), None, ("Dish",)] * 400
    assert is_bulk(texts)
    parts = list(make_tagger(NearSighted(), max_length=64).tag_parts(texts, offered))
    assert len(parts) > 1
    found = [[SENTENCE[span.start : span.end] for span in tagging.spans] for part in parts for tagging in part]
    assert found == [[], FOUND, FOUND] * 400
    scores = [tagging.score for part in parts for tagging in part][:3]
    words, dishes = len(SENTENCE.split()), sum(len(dish.split()) for dish in FOUND)
    # Of five tags three remain: the words of dishes have three equally improbable ones left.
    without = ((0.96 / 0.98) ** (words - dishes) * (1 / 3) ** dishes) ** (1 / words)
    assert scores == pytest.approx([without, 0.96, 0.96 / 0.98])


@pytest.mark.slow
def test_many_texts_are_answered_in_order_and_in_bounded_memory() -> None:
    texts = [SENTENCE if number % 3 else "so " * (number % 40) for number in range(20_000)]
    session = NearSighted()
    assert is_bulk(texts)
    tracemalloc.start()
    counts = [len(tagging.spans) for part in make_tagger(session, max_length=64).tag_parts(texts) for tagging in part]
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert counts == [2 if number % 3 else 0 for number in range(20_000)]
    assert session.widest <= 512
    assert peak < 30 * 2**20


def test_single_text_is_answered_while_bulk_requests_wait() -> None:
    """Bulk requests never occupy the threads on which other requests arrive."""
    go_on = threading.Event()
    tagger = make_tagger(NearSighted(hold=go_on))
    with ThreadPoolExecutor(4) as requests:
        bulk = [requests.submit(tagger.tag, [SENTENCE] * 2000) for _ in range(3)]
        (tagging,) = requests.submit(tagger.tag, [SENTENCE]).result(30)
        assert len(tagging.spans) == 2
        assert not any(future.done() for future in bulk)
        go_on.set()
        assert [len(future.result(60)) for future in bulk] == [2000] * 3


@pytest.mark.parametrize("count", [1, 5000])
def test_error_of_the_model_is_raised(count: int) -> None:
    with pytest.raises(ModelError, match="damaged"):
        make_tagger(NearSighted(fail=True)).tag([SENTENCE] * count)
