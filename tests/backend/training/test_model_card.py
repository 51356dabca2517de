"""What a model card says of a version's scores; the card of a real version is in ``test_build.py``."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from backend.evaluation.evaluate import Metrics, score
from backend.training.model_card import model_card

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
    },
    "int8": {"published": False},
}


def of(documents: int, *predicted: list[str]) -> Metrics:
    """Every document has a dish and a place; what was found begins with ``predicted``, the rest is right."""
    return score([GOLD] * documents, [*predicted, *[GOLD] * (documents - len(predicted))])


def card(test: Metrics | None, validation: Metrics | None = None) -> str:
    return model_card(INFO, validation=validation, test=test)


def test_score_comes_with_its_interval() -> None:
    said = card(of(40))
    assert "On 40 held-out tasks, by whole regions" in said
    assert "and F1 anywhere from 0.912 to 1.000 (95 % intervals)." in said
    assert "| all | 1.000 | 1.000 | 1.000 | 0.912–1.000 | 80 |" in said
    assert "| `Dish` | 1.000 | 1.000 | 1.000 | 0.912–1.000 | 40 |" in said
    assert "hardly known" not in said


def test_few_tasks_have_no_interval_and_say_so() -> None:
    said = card(of(12))
    assert "Measured on only 12 held-out tasks: too few" in said
    assert "| all | 1.000 | 1.000 | 1.000 | too few tasks | 24 |" in said
    assert "Its quality is hardly known: it was measured on only 12 held-out tasks (24 regions)" in said
    assert (
        "12 held-out tasks" in yaml.safe_load(said.split("---\n")[1])["model-index"][0]["results"][0]["dataset"]["name"]
    )


def test_rare_labels_are_named() -> None:
    said = card(score([["B-Dish"]] * 38 + [["B-Place"]] * 2, [["B-Dish"]] * 40))
    assert "Little is known about its quality on rare labels: `Place` (2)." in said


def test_tasks_without_regions_measure_nothing() -> None:
    said = card(score([["O"]] * 40, [["B-Dish"]] * 40))
    assert "No region is in the 40 held-out tasks of this side, so nothing was measured." in said
    assert "Its quality is unknown" in said
    assert "0.000" not in said.partition("## Training")[0]


def test_few_tasks_with_regions_among_many_have_no_interval() -> None:
    said = card(score([["B-Dish"]] * 9 + [["O"]] * 31, [["B-Dish"]] * 9 + [["O"]] * 31))
    assert "Fewer than 10 of them hold regions: too few to say how far the scores may be off." in said


@pytest.mark.parametrize(
    ("predicted", "line"),
    [
        (["B-Place", "I-Place", "B-Place", "O"], "- `Dish` was taken for `Place`: 2 of 40 regions"),
        (["B-Dish", "O", "B-Place", "O"], "- `Dish` was found with other boundaries: 2 of 40 regions"),
        (["B-Dish", "I-Dish", "O", "O"], "- `Place` was missed: 2 of 40 regions"),
        (["B-Dish", "I-Dish", "B-Place", "B-Dish"], "- `Dish` was found where nobody marked it: 2 times"),
    ],
)
def test_frequent_mistakes_are_told_in_words(predicted: list[str], line: str) -> None:
    assert line in card(of(40, predicted, predicted)).splitlines()
    assert "most frequent mistakes" not in card(of(40, predicted))


def test_most_frequent_mistake_comes_first() -> None:
    missed, taken = ["B-Dish", "I-Dish", "O", "O"], ["B-Place", "I-Place", "B-Place", "O"]
    said = card(of(40, *[missed] * 2, *[taken] * 3))
    assert said.index("was taken for") < said.index("was missed")


def test_validation_scores_are_told_to_flatter() -> None:
    assert card(of(40), validation=of(40)).count("which flatters the scores") == 1


@pytest.mark.parametrize("label", ["a|b", "- x", "é 🍣"])
def test_any_label_is_one_cell_of_the_table(label: str) -> None:
    said = card(score([[f"B-{label}"]], [[f"B-{label}"]]))
    [row] = [line for line in said.splitlines() if line.startswith("| `")]
    assert row.replace("\\|", "").count("|") == 7


def test_recipe_is_told() -> None:
    said = card(of(40))
    assert "It began with the base model: 3 epochs, 30 steps of 32 examples of similar length" in said
    assert "in bf16 on cpu. Kept is the running average of the weights after 3 epochs. 25 s in all." in said


def test_what_training_went_on_from_and_chose_by_is_told() -> None:
    look = {"epoch": 1.0, "loss": 0.5, "validation": {"f1": 0.5, "loss": 0.1}}
    training = INFO["training"] | {"start": "ner-v2", "evaluation_steps": [look, look], "chosen": 1.0, "processes": 2}
    said = model_card(INFO | {"training": training}, validation=None, test=of(40))
    assert "It went on from `ner-v2`" in said
    assert "on cpu × 2" in said
    assert "after 1 epochs, the best of 2 looks at the validation tasks." in said
