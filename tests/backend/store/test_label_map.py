from __future__ import annotations

from typing import Any

import pytest

from backend.errors import InvalidRequest, UnusableMapping
from backend.loop import Loop
from backend.store import Store
from backend.store.label_map import label_mappings
from tests.backend.fakes import LABEL_CONFIG, UID

WITH_ALIAS = LABEL_CONFIG.replace('<Label value="Dish"/>', '<Label value="Dish" alias="food"/>')


@pytest.fixture
def uid(store: Store) -> str:
    return store.projects.save(UID, label_config=LABEL_CONFIG).uid


def test_mappings_are_kept_until_they_are_removed(loop: Loop, store: Store, uid: str) -> None:
    loop.map_label(uid, "Meal", "Dish")
    loop.map_label(uid, "Town", "Location")
    assert store.projects.get(uid).renamed_labels == {"Meal": "Dish", "Town": "Location"}
    loop.map_label(uid, "Meal", "Cuisine")
    loop.map_label(uid, "Town", None)
    assert store.projects.get(uid).renamed_labels == {"Meal": "Cuisine"}
    loop.map_label(uid, "Meal", None)
    assert store.projects.get(uid).renamed_labels == {}


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ("Meal", "Food", "The configuration has no label 'Food', use one of its labels: Dish, Cuisine, Location."),
        ("Dish", "Cuisine", "'Dish' is a label of the configuration: give a label that it no longer has."),
        ("Meal", None, "Label 'Meal' is not mapped; mapped labels: Town."),
    ],
)
def test_unusable_mapping_is_refused_with_the_labels(
    old: str, new: str | None, sentence: str, loop: Loop, store: Store, uid: str
) -> None:
    loop.map_label(uid, "Town", "Location")
    with pytest.raises(UnusableMapping) as raised:
        loop.map_label(uid, old, new)
    assert str(raised.value).startswith(sentence)
    assert store.projects.get(uid).renamed_labels == {"Town": "Location"}


def test_label_may_be_named_by_its_value_or_alias(loop: Loop, store: Store) -> None:
    store.projects.save(UID, label_config=WITH_ALIAS)
    assert loop.map_label(UID, "Meal", "Dish").label_map == {"Meal": "food"}
    with pytest.raises(UnusableMapping, match="'Dish' is a label"):
        loop.map_label(UID, "Dish", "Cuisine")


@pytest.mark.parametrize(
    ("label_config", "sentence"),
    [
        (LABEL_CONFIG, "Meal is read as Dish"),
        (LABEL_CONFIG.replace("Dish", "Food"), "Meal is not read as Dish, because the configuration has no label Dish"),
        (
            LABEL_CONFIG.replace("Cuisine", "Meal"),
            "Meal is not read as Dish, because the configuration has a label Meal",
        ),
        ("<View/>", "Meal is not read as Dish, because the configuration is not supported"),
    ],
)
def test_mapping_that_does_not_fit_the_configuration_any_more_is_said(
    label_config: str, sentence: str, loop: Loop, store: Store, uid: str
) -> None:
    loop.map_label(uid, "Meal", "Dish")
    [mapping] = label_mappings(store.projects.save(uid, label_config=label_config))
    assert mapping.sentence == sentence


def test_mappings_of_the_extra_params_are_removed_there(loop: Loop, store: Store, uid: str) -> None:
    loop.register_project(uid, extra_params={"epochs": 2, "label_map": {"Meal": "Dish", "Town": "Dish"}})
    loop.map_label(uid, "Town", "Location")
    project = store.projects.get(uid)
    assert project.renamed_labels == {"Meal": "Dish", "Town": "Location"}
    assert [(mapping.old, mapping.is_removable) for mapping in label_mappings(project)] == [
        ("Meal", False),
        ("Town", True),
    ]
    with pytest.raises(UnusableMapping, match="in the extra params of the ML backend in Label Studio: remove it there"):
        loop.map_label(uid, "Meal", None)


@pytest.mark.parametrize("label_map", [["Meal"], {"Meal": 1}, "Meal=Dish"])
def test_extra_params_with_another_kind_of_mapping_are_refused(label_map: Any, loop: Loop) -> None:
    with pytest.raises(InvalidRequest, match="label_map"):
        loop.register_project(UID, extra_params={"label_map": label_map})
