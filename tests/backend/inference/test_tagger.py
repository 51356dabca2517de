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
from transformers import AutoModelForTokenClassification

from backend.errors import ModelError
from backend.inference.decode import Viterbi
from backend.inference.tagger import Tagger
from backend.training.encoder import quiet
from converters.bio import starts, tags_to_spans, transitions
from converters.document import Document
from converters.words import words
from tests import samples


@pytest.fixture(scope="module")
def tagger(version_folder: Path) -> Tagger:
    return Tagger.load(version_folder)


@pytest.fixture
def copied(version_folder: Path, tmp_path: Path) -> Path:
    return shutil.copytree(version_folder, tmp_path / "copy")


ODD_TEXTS = {
    "empty": "",
    "whitespace": " \t\n\r\n\u00a0\u3000 ",
    "control characters": "\x00\x01 Thai \x7f food \x1b[31m",
    "invisible": "\u200b \u200d \ufeff",
    "lone surrogate": "good \ud83c pad thai \udfff",
    "emoji before": "🍣🍕👨‍👩‍👧 great pad thai in Boston",
    "combining": "cafe\u0301 e\u0301\u0301\u0301\u0301 ramen",
    "right to left": "مطعم \u202eThai\u202c طيب",
    "no spaces": "a" * 1_000_000,
    "punctuation": "!?…" * 500,
    "chinese": "我想吃泰国菜" * 200,
    "crlf": "find\r\nThai\r\nfood",
}


@pytest.mark.parametrize("text", ODD_TEXTS.values(), ids=ODD_TEXTS.keys())
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
    for text, together in zip(texts, tagger.tag(texts), strict=True):
        (alone,) = tagger.tag([text])
        assert [(span.start, span.end, span.label) for span in alone.spans] == [
            (span.start, span.end, span.label) for span in together.spans
        ]
        assert alone.score == pytest.approx(together.score, abs=1e-4)


@pytest.mark.parametrize("before", range(495, 520, 3))
def test_entity_is_found_wherever_a_window_ends(tagger: Tagger, before: int) -> None:
    sentence = "We ordered the chicken tikka masala and the tacos al pastor ."
    text = "so " * before + sentence + " so" * 200
    (tagging,) = tagger.tag([text])
    found = {text[span.start : span.end] for span in tagging.spans}
    assert {"chicken tikka masala", "tacos al pastor"} <= found


def test_long_text_is_tagged_to_its_end(tagger: Tagger) -> None:
    sentences = ["Who makes the best chicken tikka masala for kids?"] * 400
    text = " ".join(sentences)
    (tagging,) = tagger.tag([text])
    dishes = [span for span in tagging.spans if text[span.start : span.end] == "chicken tikka masala"]
    assert len(dishes) > 300
    assert max(span.end for span in dishes) > len(text) - 100


def test_served_tags_are_those_of_the_trained_network(
    tagger: Tagger, version_folder: Path, sample_documents: list[Document]
) -> None:
    with quiet():
        model = AutoModelForTokenClassification.from_pretrained(version_folder).eval()
    tags = [model.config.id2label[index] for index in range(model.config.num_labels)]
    viterbi = Viterbi(transitions(tags), starts(tags))
    for document in sample_documents[:15]:
        text = document.text
        (window,) = tagger._encoder.encode([[word.text for word in words(text)]])
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
        for found in pool.map(tagger.tag, [texts] * 8):
            assert found == expected


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
        Tagger.load(copied)


@pytest.mark.parametrize(
    ("id2label", "message"),
    [
        ({"0": "O", "1": "B-Dish"}, "scores 7 tags"),
        ({"0": "O", "2": "B-Dish"}, "numbers no tags"),
        ({"0": "LABEL_0", "1": "LABEL_1"}, "does not use BIO tags"),
        (None, "numbers no tags"),
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
