from __future__ import annotations

import json
import re

import pytest

from backend.errors import LabelStudioUnreachable
from backend.store import Store
from tests.backend.commands.conftest import Command
from tests.backend.fakes import LABEL_CONFIG, UID, FakeLabelStudio
from tests.backend.lossy import note_losses


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
    assert fields["unknown_labels"] == {"Person": 30}
    assert fields["label_map"][0] == {"old": "Meal", "new": "Dish", "ignored": None, "is_removable": True}


def test_mappings_are_added_and_removed(command: Command, registered: str, store: Store) -> None:
    note_losses(store)
    shown = command("labels", "--project", "7", "--map", "Person=Dish", "--map", "Town=Location").output
    assert re.search(r"^next run +Person is read as Dish$", shown, re.MULTILINE)
    assert "30 regions" not in shown
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
