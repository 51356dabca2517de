from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

import pytest
from sqlalchemy.exc import IntegrityError

from backend.errors import Conflict, UnknownProject, UnknownVersion, VersionPruned
from backend.store import Store
from backend.store.models import Version
from tests.backend.fakes import UID
from tests.backend.store.races import race

OTHER = "8.1795221978"


def version(number: int, uid: str = UID) -> Version:
    return Version(project=uid, number=number, name=f"ner-v{number}", labels=["Dish"], metrics={"f1": 0.5})


def test_versions_are_listed_newest_first(any_store: Store) -> None:
    any_store.projects.remember(OTHER)
    assert any_store.versions.next_number(UID) == 1
    for number in (1, 2, 10):
        any_store.versions.add(version(number))
    any_store.versions.add(version(1, OTHER))
    assert [each.name for each in any_store.versions.of(UID)] == ["ner-v10", "ner-v2", "ner-v1"]
    assert any_store.versions.next_number(UID) == 11
    assert any_store.versions.get(UID, "ner-v2").metrics == {"f1": 0.5}


def test_version_name_is_given_once(any_store: Store) -> None:
    any_store.versions.add(version(1))
    with pytest.raises(IntegrityError):
        any_store.versions.add(version(1))


def test_unknown_version_names_those_there_are(any_store: Store) -> None:
    any_store.versions.add(version(1))
    with pytest.raises(UnknownVersion, match="'ner-v9'; it has: ner-v1"):
        any_store.versions.get(UID, "ner-v9")


def test_promotion_writes_the_current_version_and_why(any_store: Store) -> None:
    any_store.versions.add(version(1))
    any_store.versions.add(version(2))
    assert (any_store.projects.current_version(UID), any_store.projects.current_version(OTHER)) == (None, None)
    any_store.versions.promote(UID, "ner-v2", verdict="promoted: better")
    assert (any_store.projects.current_version(UID), any_store.projects.current_version(OTHER)) == ("ner-v2", None)
    assert any_store.projects.get(UID).current_version == "ner-v2"
    assert [each.verdict for each in any_store.versions.of(UID)] == ["promoted: better", ""]


def test_pruned_version_keeps_its_figures_and_is_used_no_more(any_store: Store) -> None:
    for number in (1, 2, 3):
        any_store.versions.add(version(number))
    any_store.versions.prune(UID, "ner-v2")
    pruned = any_store.versions.get(UID, "ner-v2")
    assert pruned.metrics == {"f1": 0.5}
    assert pruned.pruned_at is not None
    assert [each.name for each in any_store.versions.of(UID)] == ["ner-v3", "ner-v2", "ner-v1"]
    assert [each.name for each in any_store.versions.of(UID, usable=True)] == ["ner-v3", "ner-v1"]
    assert any_store.versions.next_number(UID) == 4
    uses: list[Callable[[str], object]] = [
        lambda name: any_store.versions.usable(UID, name),
        lambda name: any_store.versions.promote(UID, name, verdict=""),
        lambda name: any_store.versions.pin(UID, name, True),
        lambda name: any_store.versions.prune(UID, name),
    ]
    for use in uses:
        with pytest.raises(VersionPruned, match="'ner-v2' were removed to save space: use ner-v3 or ner-v1, or train"):
            use("ner-v2")
        with pytest.raises(UnknownVersion, match="it has: ner-v3, ner-v1"):
            use("ner-v9")


def test_serving_and_pinned_versions_are_not_pruned(any_store: Store) -> None:
    any_store.versions.add(version(1))
    any_store.versions.add(version(2))
    any_store.versions.promote(UID, "ner-v1", verdict="")
    assert any_store.versions.pin(UID, "ner-v2", True).pinned
    with pytest.raises(Conflict, match="'ner-v1' serves"):
        any_store.versions.prune(UID, "ner-v1")
    with pytest.raises(Conflict, match="'ner-v2' is pinned"):
        any_store.versions.prune(UID, "ner-v2")
    assert not any_store.versions.pin(UID, "ner-v2", False).pinned
    any_store.versions.prune(UID, "ner-v2")
    assert [each.name for each in any_store.versions.of(UID, usable=True)] == ["ner-v1"]


def test_version_that_is_promoted_and_pruned_at_once_is_one_of_both(any_store: Store) -> None:
    any_store.versions.add(version(1))
    for number in range(2, 8):
        name = f"ner-v{number}"
        any_store.versions.add(version(number))

        def change(racer: int, name: str = name) -> None:
            with suppress(Conflict, VersionPruned):
                if racer % 2:
                    any_store.versions.promote(UID, name, verdict="")
                else:
                    any_store.versions.prune(UID, name)

        race(change, 4)
        serves = any_store.projects.current_version(UID) == name
        assert serves == (any_store.versions.get(UID, name).pruned_at is None)


def test_version_of_an_unknown_project_cannot_be_changed(any_store: Store) -> None:
    with pytest.raises(UnknownProject):
        any_store.versions.pin("9.1", "ner-v1", True)
