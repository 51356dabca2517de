from __future__ import annotations

import json
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer
from transformers import AutoModelForTokenClassification

from backend.errors import ModelError
from backend.inference.decode import Viterbi
from backend.inference.session import log_softmax
from backend.inference.tagger import INT8_FILE, Precision, Tagger
from backend.inference.windows import WindowEncoder
from backend.training.base_model.encoder import quiet
from converters.bio import starts, tag_set, tags_to_spans, transitions
from converters.document import Document
from converters.words import words
from tests import samples
from tests.converters.strategies import texts as any_text
from tests.devices import DEVICES


@pytest.fixture(scope="module", params=DEVICES)
def tagger(request: pytest.FixtureRequest, version_folder: Path) -> Tagger:
    return Tagger.load(version_folder, device=request.param)


@pytest.fixture
def copied(version_folder: Path, tmp_path: Path) -> Path:
    return shutil.copytree(version_folder, tmp_path / "copy")


@pytest.mark.parametrize("text", samples.ODD_TEXTS.values(), ids=samples.ODD_TEXTS.keys())
def test_any_text_gets_a_tagging_whose_spans_are_exact(tagger: Tagger, text: str) -> None:
    (tagging,) = tagger.tag([text])
    assert 0.0 <= tagging.score <= 1.0
    boundaries = {(word.start, "start") for word in words(text)} | {(word.end, "end") for word in words(text)}
    for span in tagging.spans:
        assert {(span.start, "start"), (span.end, "end")} <= boundaries
        assert span.label in tagger.labels
        assert span.score is not None
        assert 0.0 <= span.score <= 1.0
    assert list(tagging.spans) == sorted(tagging.spans)


@given(texts=st.lists(any_text, max_size=5))
@settings(max_examples=50, deadline=None)
def test_whatever_is_written_is_tagged(tagger: Tagger, texts: list[str]) -> None:
    taggings = tagger.tag(texts)
    assert len(taggings) == len(texts)
    for text, tagging in zip(texts, taggings, strict=True):
        assert 0.0 <= tagging.score <= 1.0
        for span in tagging.spans:
            assert text[span.start : span.end].strip() == text[span.start : span.end] != ""


def test_text_without_words_is_certain_and_empty(tagger: Tagger) -> None:
    for tagging in tagger.tag(["", "  \n"]):
        assert tagging.spans == ()
        assert tagging.score == 1.0


def test_no_texts_no_taggings(tagger: Tagger) -> None:
    assert tagger.tag([]) == []


def test_emoji_before_an_entity_does_not_move_it(tagger: Tagger) -> None:
    text = "🍣🍕 find me some Mexican food"
    (tagging,) = tagger.tag([text])
    assert [text[span.start : span.end] for span in tagging.spans] == ["Mexican"]


def test_texts_are_tagged_alike_alone_and_together(tagger: Tagger, sample_documents: list[Document]) -> None:
    texts = [document.text for document in sample_documents] + ["", " ".join(["find some Thai food"] * 300)]
    for text, batched in zip(texts, tagger.tag(texts), strict=True):
        (alone,) = tagger.tag([text])
        assert [(span.start, span.end, span.label) for span in alone.spans] == [
            (span.start, span.end, span.label) for span in batched.spans
        ]
        assert alone.score == pytest.approx(batched.score, abs=1e-4)


@pytest.mark.parametrize("offered", [("Dish",), ("Cuisine", "Location"), ("Location", "unknown to the model"), ()])
def test_text_is_decoded_with_the_labels_it_offers(
    offered: tuple[str, ...], tagger: Tagger, sample_documents: list[Document]
) -> None:
    all_tags = tag_set(tagger.labels)
    allowed = [number for number, tag in enumerate(all_tags) if tag == "O" or tag[2:] in offered]
    tags = [all_tags[number] for number in allowed]
    viterbi = Viterbi(transitions(tags), starts(tags))
    texts = [document.text for document in sample_documents[:21]]
    taggings = tagger.tag(texts, [offered] * len(texts))
    for text, tagging in zip(texts, taggings, strict=True):
        [scores] = tagger._session.log_probabilities(tagger._encoder.encode_texts([text]).windows)
        [best] = viterbi.decode([log_softmax(scores[:, allowed])])
        expected = tags_to_spans(words(text), [tags[tag] for tag in best])
        assert [(span.start, span.end, span.label) for span in tagging.spans] == [
            (span.start, span.end, span.label) for span in expected
        ]
        assert 0.0 <= tagging.score <= 1.0
        assert all(0.0 <= (span.score or 0.0) <= 1.0 for span in tagging.spans)
    assert {span.label for tagging in taggings for span in tagging.spans} == {*offered} & {*tagger.labels}


def test_text_that_may_have_no_entity_is_certain(tagger: Tagger) -> None:
    (tagging,) = tagger.tag(["find me some Mexican food"], [()])
    assert tagging.spans == ()
    assert tagging.score == pytest.approx(1.0)


def test_labels_that_leave_nothing_out_change_nothing(tagger: Tagger, sample_documents: list[Document]) -> None:
    texts = [document.text for document in sample_documents]
    everything = [tagger.labels if number % 2 else None for number in range(len(texts))]
    assert tagger.tag(texts, everything) == tagger.tag(texts)


def test_entity_is_found_wherever_a_window_ends(tagger: Tagger, version_folder: Path) -> None:
    tokenizer = Tokenizer.from_file(str(version_folder / "tokenizer.json"))
    short = Tagger(WindowEncoder(tokenizer, max_length=64), tagger._session, tagger._decoder)
    sentence = "We ordered the chicken tikka masala and the tacos al pastor ."
    texts = ["so " * before + sentence + " so" * 70 for before in range(140)]
    for text, tagging in zip(texts, short.tag(texts), strict=True):
        regions = {text[span.start : span.end] for span in tagging.spans}
        assert {"chicken tikka masala", "tacos al pastor"} <= regions


def test_long_text_is_tagged_to_its_end(tagger: Tagger) -> None:
    sentences = ["Who makes the best chicken tikka masala for kids?"] * 400
    text = " ".join(sentences)
    (tagging,) = tagger.tag([text])
    dishes = [span for span in tagging.spans if text[span.start : span.end] == "chicken tikka masala"]
    assert len(dishes) > 300
    assert max(span.end for span in dishes) > len(text) - 100


def test_served_tags_are_those_of_the_trained_network(version_folder: Path, sample_documents: list[Document]) -> None:
    tagger = Tagger.load(version_folder, precision="fp32")
    with quiet():
        model = AutoModelForTokenClassification.from_pretrained(version_folder).eval()
    tags = [model.config.id2label[index] for index in range(model.config.num_labels)]
    viterbi = Viterbi(transitions(tags), starts(tags))
    for document in sample_documents[:15]:
        text = document.text
        (window,) = tagger._encoder.encode_texts([text]).windows
        ids = torch.tensor(window.input_ids)[None]
        with torch.no_grad():
            scores = model(input_ids=ids).logits[0].log_softmax(-1).numpy()[window.positions]
        (best,) = viterbi.decode([scores.astype(np.float32)])
        expected = tags_to_spans(words(text), [tags[tag] for tag in best])
        (tagging,) = tagger.tag([text])
        assert [(span.start, span.end, span.label) for span in tagging.spans] == [
            (span.start, span.end, span.label) for span in expected
        ]


def test_threads_may_share_a_tagger(tagger: Tagger, sample_documents: list[Document]) -> None:
    texts = [document.text for document in sample_documents]
    expected = tagger.tag(texts)
    with ThreadPoolExecutor(4) as pool:
        for taggings in pool.map(tagger.tag, [texts] * 8):
            assert taggings == expected


def test_labels_are_the_trained_ones(tagger: Tagger) -> None:
    assert tagger.labels == samples.LABELS


@pytest.mark.parametrize("name", ["config.json", "tokenizer.json", "tokenizer_config.json", "onnx/model.onnx"])
def test_missing_file_is_named(copied: Path, name: str) -> None:
    (copied / name).unlink()
    with pytest.raises(ModelError, match=name.replace(".", r"\.")):
        Tagger.load(copied)


@pytest.mark.parametrize("name", ["config.json", "tokenizer.json", "tokenizer_config.json", "onnx/model.onnx"])
def test_damaged_file_is_named(copied: Path, name: str) -> None:
    (copied / name).write_bytes((copied / name).read_bytes()[:100])
    with pytest.raises(ModelError, match=name.replace(".", r"\.")):
        Tagger.load(copied, precision="fp32")


@pytest.mark.parametrize(
    ("published", "exact", "precision", "opened"),
    [
        (True, True, "auto", "model_quantized.onnx"),
        (False, True, "auto", "model.onnx"),
        (True, False, "auto", "model.onnx"),
        (True, True, "fp32", "model.onnx"),
        (True, False, "int8", "model_quantized.onnx"),
        (False, True, "int8", "model_quantized.onnx"),
    ],
)
def test_int8_is_opened_where_it_was_published_and_the_processor_is_exact(
    copied: Path, monkeypatch: pytest.MonkeyPatch, published: bool, exact: bool, precision: Precision, opened: str
) -> None:
    monkeypatch.setattr("backend.inference.tagger.int8_is_exact", lambda: exact)
    (copied / "onnx" / opened).unlink(missing_ok=True)
    if published and opened == "model.onnx":
        (copied / INT8_FILE).write_bytes(b"never opened")
    if not published:
        (copied / INT8_FILE).unlink(missing_ok=True)
    if published and opened == "model_quantized.onnx":
        (copied / INT8_FILE).write_bytes(b"damaged")
    with pytest.raises(ModelError, match=opened.replace(".", r"\.")):
        Tagger.load(copied, device="cpu", precision=precision)


@pytest.mark.parametrize(
    ("id2label", "message"),
    [
        ({"0": "O", "1": "B-Dish"}, "scores 7 tags"),
        ({"0": "O", "2": "B-Dish"}, "does not number the tags"),
        ({"0": "LABEL_0", "1": "LABEL_1"}, "does not use BIO tags"),
        (None, "does not number the tags"),
    ],
)
def test_tags_that_do_not_fit_are_refused(copied: Path, id2label: object, message: str) -> None:
    config = json.loads((copied / "config.json").read_text())
    (copied / "config.json").write_text(json.dumps(config | {"id2label": id2label}))
    with pytest.raises(ModelError, match=message):
        Tagger.load(copied)


def test_serving_imports_neither_torch_nor_transformers() -> None:
    code = (
        "import sys, backend.inference.tagger\n"
        "heavy = {'torch', 'transformers', 'backend.training', 'flask', 'pandas'} & set(sys.modules)\n"
        "sys.exit(', '.join(sorted(heavy)) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
