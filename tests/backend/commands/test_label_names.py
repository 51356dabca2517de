from __future__ import annotations

import json
import re
from dataclasses import replace

import pytest

from backend.conversion import MisplacedLabel
from backend.errors import LabelStudioUnreachable
from backend.store import Store
from tests.backend.commands.conftest import Command
from tests.backend.fakes import LABEL_CONFIG, UID, FakeLabelStudio
from tests.backend.lossy import LOSSY, note_losses


def test_labels_mappings_and_unknown_labels_are_shown(command: Command, registered: str, store: Store) -> None:
    note_losses(store)
    store.projects.save(UID, label_map={"Meal": "Dish", "Town": "Place"})
    shown = command("labels", "--project", "7").output
    for fact in (
        r"labels +Dish, Cuisine, Location",
        r"renamed +Meal is read as Dish",
        r"renamed +Town is not read as Place, because the configuration has no label Place",
        r"not used +30 regions carry the label Person, which the configuration no longer has: rename it back.*",
    ):
        assert re.search(f"^{fact}$", shown, re.MULTILINE), fact
    [fields] = json.loads(command("labels", "--project", "7", "--json").stdout)
    assert fields["labels"] == ["Dish", "Cuisine", "Location"]
    assert fields["labels_of_texts"] == {"text": fields["labels"]}
    assert (fields["unknown_labels"], fields["misplaced_labels"]) == ({"Person": 30}, [])
    assert fields["label_map"][0] == {"old": "Meal", "new": "Dish", "ignored": None, "is_removable": True}


def test_every_unknown_label_is_named_with_its_number(command: Command, registered: str, store: Store) -> None:
    note_losses(store, replace(LOSSY, unknown_labels={f"L{number}": 40 - number for number in range(30)}))
    shown = command("labels", "--project", "7").output
    for number in range(30):
        assert re.search(f"^not used +{40 - number} regions carry the label L{number}, which", shown, re.MULTILINE)


def test_labels_of_several_texts_are_shown_with_what_is_on_the_wrong_one(
    command: Command, registered: str, store: Store
) -> None:
    town = '<Labels name="l" toName="note"><Label value="Town"/></Labels><Text name="note" value="$note"/></View>'
    store.projects.save(UID, label_config=LABEL_CONFIG.replace("</View>", town))
    misplaced = (MisplacedLabel("Town", "text", 4),)
    note_losses(store, replace(LOSSY, misplaced_labels=misplaced, offered={"text": ["Dish"], "note": ["Town"]}))
    shown = command("labels", "--project", "7").output
    for fact in (
        "labels of text +Dish, Cuisine, Location",
        "labels of note +Town",
        "not used +4 regions carry.* Town on",
    ):
        assert re.search(f"^{fact}", shown, re.MULTILINE), fact
    [fields] = json.loads(command("labels", "--project", "7", "--json").stdout)
    assert fields["misplaced_labels"] == [{"label": "Town", "text": "text", "regions": 4, "read_as": None}]


@pytest.mark.parametrize(
    ("mapping", "unknown", "old", "new"),
    [
        ("Kind=of 2=Dish", {}, "Kind=of 2", "Dish"),
        ("Meal=Dish=small", {}, "Meal", "Dish=small"),
        ("a=b=Dish=small", {"a": 1}, "a=b", "Dish=small"),
        ("a=x=b", {"a": 1}, "a", "x=b"),
        ("a=x=b", {"a=x": 1}, "a=x", "b"),
        ("a=x=b", {}, "a=x", "b"),
    ],
)
def test_mapping_of_labels_with_an_equals_sign_is_split_at_a_label(
    mapping: str, unknown: dict[str, int], old: str, new: str, command: Command, registered: str, store: Store
) -> None:
    labels = "".join(f'<Label value="{label}"/>' for label in ("Dish=small", "b", "x=b"))
    store.projects.save(UID, label_config=LABEL_CONFIG.replace("</Labels>", f"{labels}</Labels>"))
    note_losses(store, replace(LOSSY, unknown_labels=unknown))
    result = command("labels", "--project", "7", "--map", mapping)
    assert result.exit_code == 0, result.output
    assert store.projects.get(UID).label_map == {old: new}


def test_mappings_are_added_and_removed(command: Command, registered: str, store: Store) -> None:
    note_losses(store)
    shown = command("labels", "--project", "7", "--map", "Person=Dish", "--map", "Town=Location").output
    assert re.search(r"^next run +Person is read as Dish \(30 regions\)$", shown, re.MULTILINE)
    assert "30 regions carry" not in shown
    assert store.projects.get(UID).label_map == {"Person": "Dish", "Town": "Location"}
    command("labels", "--project", "7", "--unmap", "Person", "--unmap", "Town")
    assert store.projects.get(UID).label_map == {}


@pytest.mark.parametrize("words", [("labels", "--map"), ("train", "--map-label"), ("export", "out", "--map-label")])
@pytest.mark.parametrize("pair", ["Meal", "=Dish", "Meal=", ""])
def test_what_is_no_mapping_is_refused(
    words: tuple[str, ...], pair: str, command: Command, registered: str, store: Store
) -> None:
    result = command(*words, pair, "--project", "7")
    assert result.exit_code == 2
    assert "is no mapping: use OLD=NEW, for example Person=PERSON." in result.output
    assert store.runs.latest() == []


def test_training_keeps_the_mapping_and_starts(
    command: Command, registered: str, store: Store, studio: FakeLabelStudio
) -> None:
    result = command("train", "--project", "7", "--map-label", "Meal=Dish", "--epochs", "2")
    assert result.exit_code == 0, result.output
    assert store.projects.get(UID).label_map == {"Meal": "Dish"}
    assert store.runs.latest()[0].overrides == {"epochs": 2.0}


def test_label_that_was_renamed_just_now_is_found_in_label_studio(
    command: Command, registered: str, store: Store, studio: FakeLabelStudio
) -> None:
    studio.label_config = LABEL_CONFIG.replace("Dish", "DISH")
    assert command("train", "--project", "7", "--map-label", "Dish=DISH").exit_code == 0
    assert store.projects.get(UID).label_map == {"Dish": "DISH"}


def test_mapping_to_a_label_that_is_nowhere_starts_nothing(
    command: Command, registered: str, store: Store, studio: FakeLabelStudio
) -> None:
    result = command("train", "--project", "7", "--map-label", "Meal=Food")
    assert result.exit_code == 1
    assert "no label 'Food', use one of its labels: Dish, Cuisine, Location." in result.output
    assert store.runs.latest() == []


def test_label_studio_that_is_away_is_one_sentence(command: Command, registered: str, studio: FakeLabelStudio) -> None:
    studio.down = LabelStudioUnreachable("Label Studio does not answer: check that it runs.")
    result = command("labels", "--project", "7", "--map", "Meal=Food")
    assert (result.exit_code, result.output) == (1, "Error: Label Studio does not answer: check that it runs.\n")
