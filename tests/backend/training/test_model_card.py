"""What a model card says about a version's scores; the card of a real version is tested in ``test_build.py``."""

from __future__ import annotations

import re
import socket
from dataclasses import replace
from typing import Any

import pytest
import yaml
from huggingface_hub import ModelCard

from backend.conversion import Conversion, Use
from backend.evaluation.evaluate import Metrics, score
from backend.training.model_card import model_card
from tests.backend.lossy import LOSSY, WHOLE

GOLD = ["B-Dish", "I-Dish", "B-Place", "O"]

INFO: dict[str, Any] = {
    "name": "ner-v3",
    "labels": ["Dish", "Place"],
    "recipe": {"base": "embedded", "batch_size": 32, "weight_decay": 0.01, "seed": 42},
    "training": {
        "start": None,
        "epochs": 3.0,
        "steps": 30,
        "learning_rate": 5e-4,
        "layer_decay": 0.9,
        "label_smoothing": 0.1,
        "warm_up": 0.1,
        "evaluation_steps": [{"epoch": 3.0, "loss": 0.5, "validation": None}],
        "chosen": 3.0,
        "device": "cpu",
        "processes": 1,
        "precision": "bf16",
    },
    "seconds": {"training": 20.0, "exporting": 5.0},
    "libraries": {"torch": "2.13.0"},
    "counts": {
        "documents": {"train": 320, "validation": 40, "test": 40},
        "entities": {"train": 640, "validation": 80, "test": 80},
        "spans_of_other_labels": 0,
        "spans_without_place": 0,
        "incomplete": 0,
        "complete": 400,
    },
    "int8": {"published": False},
}


def metrics(documents: int, *predicted: list[str]) -> Metrics:
    """Every document has a dish and a place; the first predictions are ``predicted``, the rest are correct."""
    return score([GOLD] * documents, [*predicted, *[GOLD] * (documents - len(predicted))])


def card(test: Metrics | None, validation: Metrics | None = None) -> str:
    return model_card(INFO, validation=validation, test=test)


def metadata(card: str) -> dict[str, Any]:
    front: dict[str, Any] = yaml.safe_load(card.split("---\n")[1])
    return front


def section(card: str, heading: str) -> str:
    return card.partition(f"\n## {heading}\n\n")[2].partition("\n## ")[0]


def test_score_is_given_with_its_interval() -> None:
    test = section(card(metrics(40)), "Test")
    assert test.startswith("F1 1.000 (95 %: 0.912 to 1.000) on 40 held-out tasks; precision 1.000 (95 %: 0.912 to")
    assert "| all | 1.000 | 1.000 | 1.000 | 0.912 to 1.000 | 80 |" in test
    assert "| `Dish` | 1.000 | 1.000 | 1.000 | 0.912 to 1.000 | 40 |" in test
    assert "unknown" not in card(metrics(40), validation=metrics(40))


def test_known_scores_are_in_the_model_index() -> None:
    missed = ["B-Dish", "I-Dish", "O", "O"]
    [model] = metadata(card(metrics(40, missed)))["model-index"]
    [result] = model["results"]
    assert (model["name"], result["task"]) == ("ner-v3", {"type": "token-classification"})
    assert result["dataset"]["name"] == "Label Studio project (40 held-out tasks)"
    assert {row["type"]: row["value"] for row in result["metrics"]} == {
        "precision": 1.0,
        "recall": 0.988,
        "f1": 0.994,
    }


@pytest.mark.parametrize(
    ("test", "reason"),
    [
        (None, "no task is held out yet, 30 are needed"),
        (score([["O"]] * 40, [["O"]] * 40), "no held-out task has regions"),
        (score([["O"]] * 40, [["B-Dish"]] * 40), "no held-out task has regions"),
        (metrics(2), "only 2 held-out tasks, 28 more are needed"),
        (metrics(29), "only 29 held-out tasks, 1 more is needed"),
    ],
)
def test_unknown_score_is_said_to_be_unknown(test: Metrics | None, reason: str) -> None:
    text = card(test)
    assert f"The quality of this model is unknown: {reason}." in section(text, "Limits")
    assert section(text, "Test").startswith("F1 unknown: ")
    assert metadata(text).keys() == {"base_model", "library_name", "pipeline_tag", "tags"}
    assert not re.search(r"F1 \d|\| all \| \d", text)


def test_labels_of_few_tasks_are_counts() -> None:
    missed = ["B-Dish", "I-Dish", "O", "B-Dish"]
    test = section(card(metrics(12, missed)), "Test")
    assert test.startswith("F1 unknown: only 12 held-out tasks, 18 more are needed.")
    assert "| all | unknown | unknown | unknown | too few tasks | 24 |" in test
    assert "| `Dish` | unknown | unknown | found 12 of 12, 1 wrong | too few tasks | 12 |" in test
    assert "| `Place` | unknown | unknown | found 11 of 12 | too few tasks | 12 |" in test
    assert not re.search(r"\d\.\d{2}", test)


def test_label_of_few_tasks_among_many_is_a_count() -> None:
    text = card(score([["B-Dish"]] * 38 + [["B-Place"]] * 2, [["B-Dish"]] * 40))
    assert "| `Place` | unknown | unknown | found 0 of 2 | too few tasks | 2 |" in section(text, "Test")


@pytest.mark.parametrize("test", [None, score([["O"]] * 40, [["B-Dish"]] * 40)])
def test_without_regions_there_is_no_table(test: Metrics | None) -> None:
    assert "|" not in section(card(test), "Test")


def test_rare_labels_are_named() -> None:
    text = card(score([["B-Dish"]] * 38 + [["B-Place"]] * 2, [["B-Dish"]] * 40))
    assert "Its quality on rare labels is hardly known: `Place` (2 regions)." in section(text, "Limits")


def test_precision_without_predictions_has_no_interval() -> None:
    test = section(card(score([["B-Dish"]] * 40, [["O"]] * 40)), "Test")
    assert test.startswith("F1 0.000 (95 %: 0.000 to 0.")
    assert "; precision 0.000, recall 0.000 (95 %: 0.000 to 0." in test
    assert "too few for an interval" not in test


def test_few_tasks_with_regions_among_many_have_no_interval() -> None:
    text = card(score([["B-Dish"]] * 9 + [["O"]] * 31, [["B-Dish"]] * 9 + [["O"]] * 31))
    assert "F1 1.000 on 40 held-out tasks; fewer than 10 of them have regions, too few for an interval." in text


@pytest.mark.parametrize(
    ("predicted", "line"),
    [
        (["B-Place", "I-Place", "B-Place", "O"], "- `Dish` was labelled `Place`: 2 of 40 regions"),
        (["B-Dish", "O", "B-Place", "O"], "- `Dish` was found with other boundaries: 2 of 40 regions"),
        (["B-Dish", "I-Dish", "O", "O"], "- `Place` was missed: 2 of 40 regions"),
        (["B-Dish", "I-Dish", "B-Place", "B-Dish"], "- `Dish` was found where no annotator marked it: 2 times"),
    ],
)
def test_repeated_mistakes_are_listed(predicted: list[str], line: str) -> None:
    assert line in card(metrics(40, predicted, predicted)).splitlines()
    assert "most frequent mistakes" not in card(metrics(40, predicted))


def test_most_frequent_mistake_comes_first() -> None:
    missed, mixed_up = ["B-Dish", "I-Dish", "O", "O"], ["B-Place", "I-Place", "B-Place", "O"]
    text = card(metrics(40, *[missed] * 2, *[mixed_up] * 3))
    assert text.index("was labelled") < text.index("was missed")


def test_validation_scores_are_said_to_be_optimistic() -> None:
    text = card(metrics(40), validation=metrics(40))
    assert section(text, "Validation").count("too optimistic") == text.count("too optimistic") == 1
    assert section(card(metrics(40)), "Validation") == "F1 unknown: no task is in this set.\n"


HOSTILE = [
    "a|b",
    "- x",
    "é 🍣",
    'say "hi"',
    "it's",
    "a\nb",
    "x\r\n---\r\ny",
    "{{ 7 * 7 }}",
    "{% raw %}",
    "# &x: [",
    "`a``b",
]


@pytest.mark.parametrize("label", HOSTILE)
def test_any_label_is_one_cell_of_the_table(label: str) -> None:
    info = INFO | {"labels": [label, "Dish"]}
    text = model_card(info, validation=None, test=score([[f"B-{label}"]] * 40, [[f"B-{label}"]] * 40))
    [row] = [line for line in text.splitlines() if line.startswith("| `")]
    assert row.replace("\\|", "").count("|") == 7
    shown = " ".join(label.split())
    assert shown.replace("|", "\\|") in row
    assert re.search(f"Marks entities in text: `+ ?{re.escape(shown)} ?`+, `Dish`\\.", text)
    assert metadata(text) == metadata(card(metrics(40)))


@pytest.mark.parametrize("name", [*HOSTILE, "a: b # c", "yes", "1.0"])
def test_any_name_is_safe_in_the_metadata(name: str) -> None:
    info = INFO | {"name": name, "recipe": INFO["recipe"] | {"base": name}}
    data: Any = ModelCard(model_card(info, validation=None, test=metrics(40))).data
    assert (data.model_name, data.base_model) == (name, name)
    assert [result.metric_type for result in data.eval_results] == ["precision", "recall", "f1"]


@pytest.mark.parametrize("base", ["./models/mine", "/models/mine", "~/mine"])
def test_folder_is_not_a_model_of_the_hub(base: str) -> None:
    text = model_card(INFO | {"recipe": INFO["recipe"] | {"base": base}}, validation=None, test=None)
    assert "base_model" not in metadata(text)
    assert f"fine-tuned from `{base}`" in text


def test_card_is_written_without_a_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("a connection was opened")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    assert card(metrics(40))


def test_lost_regions_are_counted_with_the_reason() -> None:
    counts = INFO["counts"] | {"spans_of_other_labels": 1, "spans_without_place": 1200}
    data = section(model_card(INFO | {"counts": counts}, validation=None, test=None), "Data")
    assert "Left out: 1 region with labels that this model lacks." in data
    assert "Left out: 1,200 regions that overlap another region or contain no word." in data
    assert "Left out" not in section(card(None), "Data")


@pytest.mark.parametrize(
    ("incomplete", "conversion", "says"),
    [
        (0, None, "all tasks."),
        (0, WHOLE, "all tasks."),
        (3, None, "20 texts. It lacks 3 texts in which not every word's tag is known."),
        (3, WHOLE, "20 texts of 120 labelled tasks. It lacks 3 texts in which not every word's tag is known."),
        (
            0,
            Conversion(Use(26, 20, 9, 9), texts_left_out=6),
            "20 texts of 26 labelled tasks. It lacks 6 tasks that could not be read.",
        ),
        (
            1,
            Conversion(Use(26, 25, 9, 9), texts_left_out=2),
            "20 texts of 26 labelled tasks. It lacks 1 task that could not be read, 2 texts with a region that could "
            "not be read, 1 text in which not every word's tag is known.",
        ),
    ],
)
def test_card_says_what_the_snapshot_lacks(incomplete: int, conversion: Conversion | None, says: str) -> None:
    counts = INFO["counts"] | {"incomplete": incomplete, "complete": 20}
    info = INFO | {"counts": counts, "conversion": conversion.to_dict() if conversion else None}
    assert f"`snapshot.conll` contains {says}" in section(model_card(info, validation=None, test=None), "Data")


def test_card_says_what_became_of_the_regions() -> None:
    info = INFO | {"conversion": replace(LOSSY, unknown_labels={"per_son|*": 30}).to_dict()}
    data = section(model_card(info, validation=None, test=None), "Data")
    assert "378 of 412 regions of 120 labelled tasks (2 tasks could not be read) are used." in data
    assert r"Not learnt: 30 regions carry the label per\_son\|\*, which the configuration no longer has" in data
    assert "other reasons: overlaps another region (4)" in data
    whole = section(model_card(INFO | {"conversion": WHOLE.to_dict()}, validation=None, test=None), "Data")
    assert "all 412 regions of 120 labelled tasks are used." in whole
    assert "Not learnt" not in whole


def test_training_is_described() -> None:
    training = section(card(metrics(40)), "Training")
    assert "Training started from the base model: 3 epochs, 30 steps of 32 examples of similar length." in training
    assert "peak learning rate 0.0005 for the head" in training
    assert "over 10 % of the steps" in training
    assert "Trained in bf16 on cpu; 25 s in all." in training
    assert "The weights are the running average after 3 epochs. Library versions: torch 2.13.0." in training


def test_training_that_continued_from_a_version_is_described() -> None:
    step = {"epoch": 1.0, "loss": 0.5, "validation": {"f1": 0.5, "loss": 0.1}}
    training = INFO["training"] | {"start": "ner-v2", "evaluation_steps": [step, step], "chosen": 1.0, "processes": 2}
    text = section(model_card(INFO | {"training": training}, validation=None, test=metrics(40)), "Training")
    assert "Training continued from `ner-v2`: " in text
    assert "on cpu, in 2 processes;" in text
    assert "after 1 epochs, the best of 2 evaluations on the validation tasks." in text
