from __future__ import annotations

import pytest

from backend.errors import UnknownProject
from backend.store import Store
from tests.backend.fakes import UID, settle
from tests.backend.store.races import RACERS, race

OTHER = "8.1795221978"


def test_task_that_changes_twice_counts_once(any_store: Store) -> None:
    assert any_store.changes.record(UID, ["1"]) == 1
    assert any_store.changes.record(UID, ["1", "1", "2"]) == 2
    assert any_store.changes.count(UID) == 2


def test_changes_are_counted_per_project(any_store: Store) -> None:
    any_store.projects.save(OTHER)
    any_store.changes.record(UID, ["1", "2"])
    assert any_store.changes.record(OTHER, ["1"]) == 1
    settle(any_store, any_store.projects.get(OTHER).revision, OTHER)
    assert any_store.changes.count(UID) == 2


def test_changes_after_a_snapshot_stay_counted(any_store: Store) -> None:
    any_store.changes.record(UID, ["1", "2", "3"])
    snapshot = any_store.projects.get(UID).revision
    any_store.changes.record(UID, ["3", "4"])
    settle(any_store, snapshot)
    assert any_store.changes.count(UID) == 2


def test_changes_since_a_revision_are_those_that_came_later(any_store: Store) -> None:
    any_store.changes.record(UID, ["1", "2"])
    revision = any_store.projects.get(UID).revision
    assert any_store.changes.count(UID, since=revision) == 0
    any_store.changes.record(UID, ["2", "3"])
    assert any_store.changes.count(UID, since=revision) == 2
    assert any_store.changes.count(UID) == 3


def test_changes_of_an_unknown_project_are_refused(any_store: Store) -> None:
    with pytest.raises(UnknownProject):
        any_store.changes.record("9.1", ["1"])


def test_five_thousand_changes_are_one_call(any_store: Store) -> None:
    assert any_store.changes.record(UID, (str(task) for task in range(5001))) == 5001


def test_changes_recorded_by_many_threads_are_all_counted(any_store: Store) -> None:
    def record(number: int) -> None:
        for task in range(5):
            any_store.changes.record(UID, [str(number * 5 + task)])

    race(record)
    assert any_store.changes.count(UID) == RACERS * 5
    assert any_store.projects.get(UID).revision == RACERS * 5


def test_labelled_tasks_are_those_with_annotations_and_those_that_changed(any_store: Store) -> None:
    assert any_store.changes.count_labelled(UID, up_to=10) == 0
    any_store.annotations.remember(UID, {10: 1, 11: 1, 20: 2})
    any_store.changes.record(UID, ["2", "3", "annotation-99"])
    assert any_store.changes.count_labelled(UID, up_to=10) == 3
    assert any_store.changes.count_labelled(UID, up_to=2) == 2
