from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from backend.errors import NotEnoughLabels, RunCancelled
from backend.evaluation.evaluate import evaluate
from backend.inference.tagger import Tagger
from backend.recipe import Recipe
from backend.training import build as module
from backend.training.build import BuiltVersion, build_version
from backend.training.model_card import model_card
from backend.training.split import split
from converters.document import Document, Span
from converters.tagged import TaggedDocument
from tests.samples import LABELS, marked


def build(documents: Sequence[Document], folder: Path, progress: module.Progress) -> BuiltVersion:
    return build_version(
        documents,
        labels=LABELS,
        name="ner-v2",
        recipe=Recipe(base="embedded", epochs=1),
        folder=folder,
        progress=progress,
    )


def test_version_has_learnt_its_training_documents(built: BuiltVersion, tagged_documents: list[TaggedDocument]) -> None:
    metrics = evaluate(Tagger.load(built.folder), split(tagged_documents).train)
    assert metrics is not None
    assert metrics.f1 > 0.9


def test_metrics_file_has_counts_and_parameters(built: BuiltVersion, tagged_documents: list[TaggedDocument]) -> None:
    written = json.loads((built.folder / "metrics.json").read_text(encoding="utf-8"))
    assert built.metrics is not None
    assert written["test"] == built.metrics.to_dict()
    assert written["validation"]["documents"] == len(split(tagged_documents).validation)
    assert sum(written["counts"]["documents"].values()) == len(tagged_documents)
    assert written["recipe"]["base"] == "embedded"
    assert written["training"]["epochs"] == 10
    assert set(written["seconds"]) == {"training", "exporting", "evaluating"}
    assert written["libraries"]["torch"]
    assert {key: written[key] for key in built.info} == json.loads(json.dumps(built.info))


def test_metrics_file_has_the_served_precision(built: BuiltVersion) -> None:
    written = json.loads((built.folder / "metrics.json").read_text(encoding="utf-8"))
    published = (built.folder / "onnx" / "model_quantized.onnx").is_file()
    assert written["serving"] == ("int8" if published else "fp32")
    assert written["int8"]["published"] is published
    assert written["int8"]["reason"]
    assert not published or written["int8"]["f1"] == written["test"]["f1"]


def test_snapshot_holds_every_document(built: BuiltVersion, sample_documents: list[Document]) -> None:
    text = (built.folder / "snapshot.conll").read_text(encoding="utf-8")
    assert text.count("-DOCSTART-") == len(sample_documents)
    assert "thai -X- _ I-Dish\n" in text


def test_model_card_is_for_a_reader(built: BuiltVersion) -> None:
    card = (built.folder / "README.md").read_text(encoding="utf-8")
    front = yaml.safe_load(card.split("---\n")[1])
    assert front["pipeline_tag"] == "token-classification"
    assert front["base_model"] == "sentence-transformers/all-MiniLM-L6-v2"
    assert "model-index" not in front
    assert "The quality of this model is unknown: only 3 held-out tasks, 27 more are needed." in card
    assert "`Cuisine`" in card


@pytest.mark.parametrize("published", [True, False])
def test_model_card_names_the_int8_file_if_there_is_one(built: BuiltVersion, published: bool) -> None:
    int8 = {"published": published, "config": "all", "reason": "F1 0.9 against 0.9 in fp32"}
    card = model_card({**built.info, "int8": int8}, validation=None, test=None)
    assert ("onnx/model_quantized.onnx" in card) is published
    assert ("F1 0.9 against 0.9 in fp32." in card) is published


def test_model_card_without_held_out_documents_says_so(built: BuiltVersion) -> None:
    card = model_card(built.info, validation=None, test=None)
    assert "The quality of this model is unknown: no task is held out yet" in card
    assert "model-index" not in card


def test_nothing_but_the_version_is_left_beside_it(built: BuiltVersion) -> None:
    assert [path.name for path in built.folder.parent.iterdir()] == [built.folder.name]


@pytest.mark.slow
def test_building_goes_through_all_phases_and_prints_nothing(
    sample_documents: list[Document], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    reports: list[tuple[str, float]] = []
    strange = [
        Document("\ud800", "a \ud800 b \x00", (Span(0, 1, "Dish"), Span(0, 3, "Dish"), Span(4, 5, "Unknown"))),
        Document("none", ""),
    ]
    built = build([*sample_documents[:12], *strange], tmp_path / "v", lambda *report: reports.append(report))
    assert list(dict.fromkeys(phase for phase, _ in reports)) == list(module.PHASES)
    assert all(0.0 <= fraction <= 1.0 for _, fraction in reports)
    assert reports[-1] == ("evaluating", 1.0)
    assert capfd.readouterr() == ("", "")
    assert built.info["counts"]["spans_of_other_labels"] == 1
    assert built.info["counts"]["spans_without_place"] == 1
    assert built.info["counts"]["incomplete"] == 1


def test_cancelled_run_leaves_no_working_files(sample_documents: list[Document], tmp_path: Path) -> None:
    def cancel(phase: str, fraction: float) -> None:
        if phase == "training":
            raise RunCancelled("cancelled")

    with pytest.raises(RunCancelled):
        build(sample_documents, tmp_path / "v", cancel)
    assert [path.name for path in tmp_path.iterdir()] in ([], ["v"])


@pytest.mark.parametrize(
    "document",
    [
        marked("try [ramen|Drink]"),
        Document("1", "", (Span(0, 4, "Dish"),)),
        Document("1", "a b", (Span(1, 2, "Dish"),)),
    ],
    ids=["other label", "outside the text", "only whitespace"],
)
def test_regions_that_cannot_be_learnt_are_too_few(tmp_path: Path, document: Document) -> None:
    other = [replace(document, id=str(number)) for number in range(5)]
    with pytest.raises(NotEnoughLabels, match="5 labelled tasks, but 0 regions with"):
        build(other, tmp_path / "v", lambda phase, fraction: None)
    assert list(tmp_path.iterdir()) == []
