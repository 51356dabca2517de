from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
from sqlalchemy import event
from sqlalchemy.exc import IntegrityError

from backend.errors import Conflict, UnknownProject, UnknownVersion, VersionPruned
from backend.store import Store
from backend.store.models import Decision, Version
from tests.backend.fakes import UID
from tests.backend.store.races import race

OTHER = "8.1795221978"


def columns(number: int, uid: str = UID) -> dict[str, Any]:
    name = f"ner-v{number}"
    return {
        "project": uid, "number": number, "name": name, "labels": ["Dish"], "metrics": {"f1": 0.5}, "promotions": [],
    }  # fmt: skip


def version(number: int, uid: str = UID) -> Version:
    return Version(**columns(number, uid))


def test_versions_are_listed_newest_first(any_store: Store) -> None:
    any_store.projects.save(OTHER)
    assert any_store.versions.next_number(UID) == 1
    for number in (1, 2, 10):
        any_store.versions.add(version(number))
    any_store.versions.add(version(1, OTHER))
    assert [row.name for row in any_store.versions.of(UID)] == ["ner-v10", "ner-v2", "ner-v1"]
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


def test_promotion_is_a_row_and_changes_the_current_version(any_store: Store) -> None:
    any_store.versions.add(version(1))
    any_store.versions.add(version(2))
    assert (any_store.projects.current_version(UID), any_store.projects.current_version(OTHER)) == (None, None)
    any_store.versions.promote(UID, "ner-v2", actor="command line")
    assert (any_store.projects.current_version(UID), any_store.projects.current_version(OTHER)) == ("ner-v2", None)
    assert any_store.projects.get(UID).current_version == "ner-v2"
    any_store.versions.promote(UID, "ner-v1", actor="dashboard")
    assert any_store.versions.promote(UID, "ner-v2", actor="gate").name == "ner-v2"
    second, first = any_store.versions.of(UID)
    assert [(row.actor, row.previous) for row in second.promotions] == [("command line", None), ("gate", "ner-v1")]
    assert [(row.actor, row.previous) for row in first.promotions] == [("dashboard", "ner-v2")]
    moments = [row.promoted_at or 0.0 for row in (second.promotions[0], first.promotions[0])]
    assert 0 < moments[0] <= moments[1] <= time.time()


def test_promotion_of_the_current_version_only_asks_for_its_predictions_again(any_store: Store) -> None:
    any_store.versions.add(version(1))
    for request in (1, 2):
        any_store.versions.promote(UID, "ner-v1", actor="dashboard")
        assert any_store.syncs.pending(UID) == request
    assert len(any_store.versions.get(UID, "ner-v1").promotions) == 1


def test_promotion_by_hand_leaves_what_the_gate_decided(any_store: Store) -> None:
    rejected = Decision(promote=False, rule="bootstrap", f1=0.4, current_f1=0.6, documents=40, new_labels=[])
    any_store.versions.add(Version(**columns(1), decision=rejected))
    any_store.versions.promote(UID, "ner-v1", actor="dashboard")
    promoted = any_store.versions.get(UID, "ner-v1")
    assert promoted.decision is not None
    assert (promoted.decision.promote, promoted.decision.current_f1, promoted.decision.documents) == (False, 0.6, 40)


def test_promotion_and_the_request_for_its_predictions_are_one_transaction(
    any_store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    any_store.versions.add(version(1))
    commits: list[str] = []
    event.listen(any_store.engine, "commit", lambda _: commits.append("commit"))
    any_store.versions.promote(UID, "ner-v1", actor="dashboard")
    assert len(commits) == 1
    assert (any_store.projects.current_version(UID), any_store.syncs.pending(UID)) == ("ner-v1", 1)


def test_pruned_version_keeps_its_figures_and_is_used_no_more(any_store: Store) -> None:
    for number in (1, 2, 3):
        any_store.versions.add(version(number))
    any_store.versions.prune(UID, "ner-v2")
    pruned = any_store.versions.get(UID, "ner-v2")
    assert pruned.metrics == {"f1": 0.5}
    assert pruned.pruned_at is not None
    assert [row.name for row in any_store.versions.of(UID)] == ["ner-v3", "ner-v2", "ner-v1"]
    assert [row.name for row in any_store.versions.of(UID, usable=True)] == ["ner-v3", "ner-v1"]
    assert any_store.versions.next_number(UID) == 4
    uses: list[Callable[[str], object]] = [
        lambda name: any_store.versions.usable(UID, name),
        lambda name: any_store.versions.promote(UID, name, actor="test"),
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
    any_store.versions.promote(UID, "ner-v1", actor="test")
    assert any_store.versions.pin(UID, "ner-v2", True).pinned
    with pytest.raises(Conflict, match="'ner-v1' serves"):
        any_store.versions.prune(UID, "ner-v1")
    with pytest.raises(Conflict, match="'ner-v2' is pinned"):
        any_store.versions.prune(UID, "ner-v2")
    assert not any_store.versions.pin(UID, "ner-v2", False).pinned
    any_store.versions.prune(UID, "ner-v2")
    assert [row.name for row in any_store.versions.of(UID, usable=True)] == ["ner-v1"]


def test_version_that_is_promoted_and_pruned_at_once_is_one_of_both(any_store: Store) -> None:
    any_store.versions.add(version(1))
    for number in range(2, 8):
        name = f"ner-v{number}"
        any_store.versions.add(version(number))

        def change(racer: int, name: str = name) -> None:
            with suppress(Conflict, VersionPruned):
                if racer % 2:
                    any_store.versions.promote(UID, name, actor="test")
                else:
                    any_store.versions.prune(UID, name)

        race(change, 4)
        serves = any_store.projects.current_version(UID) == name
        assert serves == (any_store.versions.get(UID, name).pruned_at is None)


def test_version_of_an_unknown_project_cannot_be_changed(any_store: Store) -> None:
    with pytest.raises(UnknownProject):
        any_store.versions.pin("9.1", "ner-v1", True)
