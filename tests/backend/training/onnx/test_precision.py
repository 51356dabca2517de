from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from backend.evaluation.evaluate import evaluate
from backend.inference.tagger import INT8_FILE, Tagger
from backend.training.onnx import precision as module
from backend.training.onnx.precision import AGREEMENT, F1_LOSS, decide_precision
from backend.training.onnx.quantize import QUANTIZATION_CONFIGS, QuantizationConfig
from backend.training.split import Split, split
from converters.document import Document
from converters.tagged import TaggedDocument, tag_document


@pytest.fixture(autouse=True)
def _with_vnni(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "int8_is_exact", lambda: True)


@pytest.fixture
def folder(version_folder: Path, tmp_path: Path) -> Path:
    copy = shutil.copytree(version_folder, tmp_path / "version")
    (copy / INT8_FILE).unlink(missing_ok=True)
    return copy


@pytest.fixture
def subsets(tagged_documents: list[TaggedDocument]) -> Split:
    return split(tagged_documents)


def break_configs(monkeypatch: pytest.MonkeyPatch, *broken: QuantizationConfig) -> list[QuantizationConfig]:
    """Quantise with the configs ``broken`` so that the predictions are nonsense; return the configs that get tried."""
    tried: list[QuantizationConfig] = []
    quantize = module.quantize

    def quantize_badly(fp32: Path, int8: Path, config: QuantizationConfig, ranges: Mapping[str, Any]) -> None:
        tried.append(config)
        bad = dict.fromkeys(ranges, (0.0, 0.001)) if config in broken else ranges
        quantize(fp32, int8, config, bad)

    monkeypatch.setattr(module, "quantize", quantize_badly)
    return tried


def test_good_int8_model_is_published_with_both_figures(folder: Path, subsets: Split) -> None:
    decision = decide_precision(folder, subsets)
    assert decision.published
    assert (folder / INT8_FILE).is_file()
    assert decision.serving == "int8"
    assert decision.config == QUANTIZATION_CONFIGS[0].name
    assert decision.documents == len(subsets.test)
    assert decision.f1 is not None
    assert decision.fp32_f1 is not None
    assert decision.f1 >= decision.fp32_f1 - F1_LOSS
    assert decision.agreement is not None
    assert decision.agreement >= AGREEMENT
    served = evaluate(Tagger.load(folder, precision="int8"), subsets.test)
    assert served is not None
    assert served.f1 == decision.f1


@pytest.mark.slow
def test_next_config_is_tried_if_one_is_worse(folder: Path, subsets: Split, monkeypatch: pytest.MonkeyPatch) -> None:
    tried = break_configs(monkeypatch, *QUANTIZATION_CONFIGS[:2])
    decision = decide_precision(folder, subsets)
    assert tried == list(QUANTIZATION_CONFIGS)
    assert (decision.published, decision.config) == (True, QUANTIZATION_CONFIGS[2].name)


@pytest.mark.parametrize(
    "held_out", ["as split", *(pytest.param(name, marks=pytest.mark.slow) for name in ("none", "without regions"))]
)
def test_broken_int8_model_is_not_published_however_few_the_held_out_documents(
    held_out: str, folder: Path, subsets: Split, monkeypatch: pytest.MonkeyPatch
) -> None:
    if held_out == "none":
        subsets = Split(subsets.train, (), ())
    if held_out == "without regions":
        subsets = Split(subsets.train, (), (tag_document(Document("1", "hello")),))
    break_configs(monkeypatch, *QUANTIZATION_CONFIGS)
    decision = decide_precision(folder, subsets)
    assert (decision.published, decision.serving) == (False, "fp32")
    assert not (folder / INT8_FILE).exists()
    assert (decision.f1 is None) == (held_out != "as split")
    assert "0.95 is required" in decision.reason


def test_without_held_out_documents_only_the_predictions_are_compared(folder: Path, subsets: Split) -> None:
    decision = decide_precision(folder, Split(subsets.train, (), ()))
    assert decision.published
    assert (decision.f1, decision.documents) == (None, 0)
    assert decision.agreement is not None


def test_validation_documents_decide_if_there_are_no_test_documents(folder: Path, subsets: Split) -> None:
    decision = decide_precision(folder, Split(subsets.train, subsets.validation, ()))
    assert decision.documents == len(subsets.validation)


@pytest.mark.slow
def test_lower_f1_is_not_published_though_the_predictions_agree(
    folder: Path, subsets: Split, monkeypatch: pytest.MonkeyPatch
) -> None:
    scores = iter([0.9] + [0.8, 1.0] * len(QUANTIZATION_CONFIGS))

    def score(tagger: Tagger, documents: list[TaggedDocument]) -> Any:
        metrics = evaluate(tagger, documents)
        assert metrics is not None
        return replace(metrics, f1=next(scores))

    monkeypatch.setattr(module, "evaluate", score)
    decision = decide_precision(folder, subsets)
    assert not decision.published
    assert decision.reason.startswith("0.1000 of F1 lost against fp32 (0.003 is allowed) on only 3 held-out tasks; ")
    assert not (folder / INT8_FILE).exists()


def test_failure_leaves_fp32_and_the_reason(
    folder: Path, subsets: Split, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*arguments: object) -> None:
        (folder / INT8_FILE).write_bytes(b"half a file")
        raise OSError("disk full")

    monkeypatch.setattr(module, "quantize", fail)
    decision = decide_precision(folder, subsets)
    assert (decision.published, decision.serving) == (False, "fp32")
    assert decision.reason == "quantisation failed: OSError: disk full"
    assert not (folder / INT8_FILE).exists()
    assert "cannot be quantised" in caplog.text
    assert Tagger.load(folder).tag(["sushi"])


def test_model_that_finds_nothing_is_served_in_fp32(folder: Path, subsets: Split) -> None:
    empty = Split(tuple(replace(document, text="hello") for document in subsets.train[:3]), (), ())
    assert "no regions" in decide_precision(folder, empty).reason


def test_nothing_is_quantised_if_fp32_is_wanted_or_int8_is_inexact(
    folder: Path, subsets: Split, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried = break_configs(monkeypatch)
    assert decide_precision(folder, subsets, wanted="fp32").reason == "PRECISION=fp32"
    monkeypatch.setattr(module, "int8_is_exact", lambda: False)
    assert "VNNI" in decide_precision(folder, subsets).reason
    assert tried == []


def test_long_documents_are_compared_in_part(subsets: Split) -> None:
    long = [tag_document(Document(str(number), "word " * 4000)) for number in range(50)]
    assert 1 <= len(module._sample(long)) <= 5
    assert len(module._sample([tag_document(Document("1", "word " * 100_000))])) == 1
    assert len(module._sample([replace(long[0], text="x")] * 1000)) == 300
    assert module._sample([]) == []
