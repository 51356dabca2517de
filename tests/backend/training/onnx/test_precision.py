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
from backend.training.onnx.quantize import QUANTIZATION_CONFIGS, Recipe
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
def sides(tagged_documents: list[TaggedDocument]) -> Split:
    return split(tagged_documents)


def break_recipes(monkeypatch: pytest.MonkeyPatch, *broken: Recipe) -> list[Recipe]:
    """Quantise some recipes so that the model answers nonsense; the list names those that were tried."""
    tried: list[Recipe] = []
    quantize = module.quantize

    def quantize_badly(fp32: Path, int8: Path, recipe: Recipe, ranges: Mapping[str, Any]) -> None:
        tried.append(recipe)
        bad = dict.fromkeys(ranges, (0.0, 0.001)) if recipe in broken else ranges
        quantize(fp32, int8, recipe, bad)

    monkeypatch.setattr(module, "quantize", quantize_badly)
    return tried


def test_good_int8_model_is_published_with_both_figures(folder: Path, sides: Split) -> None:
    decision = decide_precision(folder, sides)
    assert decision.published
    assert (folder / INT8_FILE).is_file()
    assert decision.serving == "int8"
    assert decision.recipe == QUANTIZATION_CONFIGS[0].name
    assert decision.documents == len(sides.test)
    assert decision.f1 is not None
    assert decision.fp32_f1 is not None
    assert decision.f1 >= decision.fp32_f1 - F1_LOSS
    assert decision.agreement is not None
    assert decision.agreement >= AGREEMENT
    served = evaluate(Tagger.load(folder, precision="int8"), sides.test)
    assert served is not None
    assert served.f1 == decision.f1


def test_next_recipe_is_tried_where_one_answers_worse(
    folder: Path, sides: Split, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried = break_recipes(monkeypatch, *QUANTIZATION_CONFIGS[:2])
    decision = decide_precision(folder, sides)
    assert tried == list(QUANTIZATION_CONFIGS)
    assert (decision.published, decision.recipe) == (True, QUANTIZATION_CONFIGS[2].name)


@pytest.mark.parametrize("held_out", ["as split", "none", "without regions"])
def test_broken_int8_model_is_not_published_however_few_the_held_out_documents(
    held_out: str, folder: Path, sides: Split, monkeypatch: pytest.MonkeyPatch
) -> None:
    if held_out == "none":
        sides = Split(sides.train, (), ())
    if held_out == "without regions":
        sides = Split(sides.train, (), (tag_document(Document("1", "hello")),))
    break_recipes(monkeypatch, *QUANTIZATION_CONFIGS)
    decision = decide_precision(folder, sides)
    assert (decision.published, decision.serving) == (False, "fp32")
    assert not (folder / INT8_FILE).exists()
    assert (decision.f1 is None) == (held_out != "as split")
    assert "is asked for" in decision.reason


def test_without_held_out_documents_the_answers_alone_are_compared(folder: Path, sides: Split) -> None:
    decision = decide_precision(folder, Split(sides.train, (), ()))
    assert decision.published
    assert (decision.f1, decision.documents) == (None, 0)
    assert decision.agreement is not None


def test_validation_documents_judge_where_there_are_no_test_documents(folder: Path, sides: Split) -> None:
    decision = decide_precision(folder, Split(sides.train, sides.validation, ()))
    assert decision.documents == len(sides.validation)


def test_lower_f1_is_not_published_though_the_answers_agree(
    folder: Path, sides: Split, monkeypatch: pytest.MonkeyPatch
) -> None:
    scores = iter([0.9] + [0.8, 1.0] * len(QUANTIZATION_CONFIGS))

    def score(tagger: Tagger, documents: list[TaggedDocument]) -> Any:
        metrics = evaluate(tagger, documents)
        assert metrics is not None
        return replace(metrics, f1=next(scores))

    monkeypatch.setattr(module, "evaluate", score)
    decision = decide_precision(folder, sides)
    assert not decision.published
    assert decision.reason.startswith("F1 0.8000 against 0.9000 in fp32")
    assert not (folder / INT8_FILE).exists()


def test_failure_leaves_fp32_and_says_why(
    folder: Path, sides: Split, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*arguments: object) -> None:
        (folder / INT8_FILE).write_bytes(b"half a file")
        raise OSError("disk full")

    monkeypatch.setattr(module, "quantize", fail)
    decision = decide_precision(folder, sides)
    assert (decision.published, decision.serving) == (False, "fp32")
    assert decision.reason == "quantisation failed: OSError: disk full"
    assert not (folder / INT8_FILE).exists()
    assert "cannot be quantised" in caplog.text
    assert Tagger.load(folder).tag(["sushi"])


def test_model_that_finds_nothing_is_served_in_fp32(folder: Path, sides: Split) -> None:
    empty = Split(tuple(replace(one, text="hello") for one in sides.train[:3]), (), ())
    assert "no regions" in decide_precision(folder, empty).reason


def test_nobody_who_wants_fp32_waits_for_int8(folder: Path, sides: Split, monkeypatch: pytest.MonkeyPatch) -> None:
    tried = break_recipes(monkeypatch)
    assert decide_precision(folder, sides, wanted="fp32").reason == "PRECISION=fp32"
    monkeypatch.setattr(module, "int8_is_exact", lambda: False)
    assert "VNNI" in decide_precision(folder, sides).reason
    assert tried == []


def test_long_documents_are_compared_in_part(sides: Split) -> None:
    long = [tag_document(Document(str(number), "word " * 4000)) for number in range(50)]
    assert 1 <= len(module._spread(long)) <= 5
    assert len(module._spread([tag_document(Document("1", "word " * 100_000))])) == 1
    assert len(module._spread([replace(long[0], text="x")] * 1000)) == 300
    assert module._spread([]) == []
