"""The benchmark of int8 writes every variant and compares them; the figures themselves are not tested."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import cast

import pytest
from transformers import DistilBertConfig, DistilBertForTokenClassification

from backend.inference.tagger import Tagger, Tagging
from backend.training.base_model import embedded
from backend.training.onnx.export import export
from bench import quantization
from bench.quantization import TOGETHER, VARIANTS, changed_words, samples
from converters import TaggedDocument
from converters.bio import tag_set
from converters.document import Span
from tests.samples import LABELS


@pytest.fixture(scope="module")
def version(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A version with one narrow, untrained layer: it is quantised in a moment."""
    folder = tmp_path_factory.mktemp("versions") / "ner-v1"
    _, tokenizer = embedded.load(["O"])
    tags = dict(enumerate(tag_set(LABELS)))
    config = DistilBertConfig(dim=16, hidden_dim=32, n_layers=1, n_heads=2, id2label=tags)
    export(DistilBertForTokenClassification(config), tokenizer, folder)
    return folder


@pytest.fixture
def corpus(tmp_path: Path, tagged_documents: list[TaggedDocument]) -> Path:
    """A folder laid out like the corpus: one ``TAG<TAB>word`` a line."""
    blocks = [
        "\n".join(f"{tag}\t{word.text}" for word, tag in zip(document.words, document.tags, strict=True))
        for document in tagged_documents[:20]
    ]
    for name in ("train", "test"):
        (tmp_path / f"{name}.bio").write_text("\n\n".join(blocks) + "\n", encoding="utf-8")
    return tmp_path


@pytest.mark.slow
def test_every_variant_is_written_and_compared(version: Path, corpus: Path, capsys: pytest.CaptureFixture[str]) -> None:
    quantization.main(["--model", str(version), "--data", str(corpus), "--rounds", "1", "--json"])
    *table, last = capsys.readouterr().out.splitlines()
    report = json.loads(last)
    assert (report["bench"], report["texts"]) == ("quantization", 20)
    variants = report["variants"]
    assert list(variants) == ["fp32", *VARIANTS]
    assert [line[:30].strip() for line in table[1 : len(variants) + 1]] == list(variants)
    fp32 = variants.pop("fp32")
    assert (fp32["agreement"], fp32["rate_ratio"], fp32["p50_ratio"]) == (1.0, 1.0, 1.0)
    for figures in variants.values():
        assert 0.0 <= figures["changed_words"] <= 1.0
        assert 0.0 <= figures["agreement"] <= 1.0
        assert figures["mb"] < fp32["mb"] / 2


class LonelyTagger:
    """Finds the first word of a text that is sent alone, and nothing in others."""

    def tag(self, texts: Sequence[str]) -> list[Tagging]:
        spans = (Span(0, 5, "Dish"),) if len(texts) == 1 else ()
        return [Tagging(spans, 1.0) for _ in texts]


def test_changed_words_have_another_tag_among_other_texts() -> None:
    assert changed_words(cast(Tagger, LonelyTagger()), ["sushi in Boston", "sushi"]) == 2 / 4
    assert changed_words(cast(Tagger, LonelyTagger()), ["sushi"] * (TOGETHER + 1)) == TOGETHER / (TOGETHER + 1)


def test_samples_hold_one_text_each(version: Path, tagged_documents: list[TaggedDocument]) -> None:
    inputs = samples(version, tagged_documents)
    assert len(inputs) == len(tagged_documents)
    assert {feed["input_ids"].shape[0] for feed in inputs} == {1}
