from __future__ import annotations

import time

import pytest

from backend.errors import LabelStudioUnreachable, ProjectReplaced
from backend.label_studio.reconcile import lost_changes
from backend.store import Store
from backend.store.models import Project
from tests.backend.fakes import LABEL_CONFIG, UID, FakeLabelStudio


@pytest.fixture
def project(store: Store) -> Project:
    return store.projects.save(UID, label_config=LABEL_CONFIG)


@pytest.mark.parametrize(
    ("stored", "present", "lost"),
    [
        ({}, {}, []),
        ({10: 1}, {10: 1}, []),
        ({}, {10: 1, 11: 1, 20: 2}, ["1", "2"]),
        ({10: 1, 20: 2}, {}, ["1", "2"]),
        ({10: 1, 20: 2}, {20: 2}, ["1"]),
        ({10: 1}, {10: 1, 30: 3}, ["3"]),
        ({10: 1, 11: 1}, {12: 1, 20: 2, 30: 3}, ["1", "2", "3"]),
        ({}, {100: 10, 20: 2}, ["2", "10"]),
    ],
)
def test_annotations_that_differ_name_the_changed_tasks(
    stored: dict[int, int], present: dict[int, int], lost: list[str], project: Project, store: Store
) -> None:
    studio = FakeLabelStudio()
    studio.owners = present
    store.annotations.remember(UID, stored)
    assert lost_changes(store, studio, project) == lost
    assert store.annotations.of(UID) == present
    assert lost_changes(store, studio, project) == []


def test_equal_counts_cost_one_small_request(project: Project, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    studio = FakeLabelStudio()
    monkeypatch.setattr(studio, "annotation_tasks", None)
    assert lost_changes(store, studio, project) == []


def test_project_that_replaced_ours_under_its_number_is_not_compared(project: Project, store: Store) -> None:
    studio = FakeLabelStudio("7.1999999999")
    studio.owners = {10: 1}
    with pytest.raises(ProjectReplaced):
        lost_changes(store, studio, project)
    assert store.annotations.of(UID) == {}


def test_unreachable_label_studio_changes_nothing(project: Project, store: Store) -> None:
    store.annotations.remember(UID, {10: 1})
    with pytest.raises(LabelStudioUnreachable):
        lost_changes(store, FakeLabelStudio(down=LabelStudioUnreachable("no")), project)
    assert store.annotations.of(UID) == {10: 1}


# Numbers of tasks


@pytest.mark.parametrize(
    ("labelled", "skipping", "skipped"),
    [
        ({}, {}, 0),
        ({10: 1}, {}, 0),
        ({10: 1}, {20: 2, 30: 3}, 2),
        ({10: 1}, {11: 1, 20: 2, 21: 2}, 1),
    ],
)
def test_a_task_is_skipped_if_nobody_has_labelled_it(
    labelled: dict[int, int], skipping: dict[int, int], skipped: int, project: Project, store: Store
) -> None:
    studio = FakeLabelStudio(tasks=5)
    studio.owners, studio.skipping = labelled, skipping
    lost_changes(store, studio, project)
    counts = store.projects.get(UID).task_counts or {}
    assert (counts["tasks"], counts["skipped"]) == (5, skipped)
    assert counts["counted_at"] == pytest.approx(time.time(), abs=60)


def test_skipped_tasks_are_counted_again_only_after_people_skipped_or_submitted(
    project: Project, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    studio = FakeLabelStudio(tasks=5)
    studio.skipping = {20: 2}
    lost_changes(store, studio, project)
    with monkeypatch.context() as patch:
        patch.setattr(studio, "count_skipped_tasks", None)
        studio.texts[6] = "imported since"
        lost_changes(store, studio, store.projects.get(UID))
    assert [(store.projects.get(UID).task_counts or {})[name] for name in ("tasks", "skipped")] == [6, 1]
    studio.owners = {21: 2}
    lost_changes(store, studio, store.projects.get(UID))
    assert (store.projects.get(UID).task_counts or {})["skipped"] == 0


# After an upgrade

SKIPPED_BEFORE = {20: 2, 30: 3, 11: 1}
"""Annotations that skip a task, whose ids earlier releases stored too; task 1 is labelled as well."""


@pytest.mark.parametrize(
    ("present", "skipping", "changed"),
    [
        ({10: 1}, SKIPPED_BEFORE, []),
        ({10: 1, 40: 4}, SKIPPED_BEFORE, ["4"]),
        ({}, SKIPPED_BEFORE, ["1"]),
        ({10: 1}, {20: 2}, ["1", "3"]),
        ({10: 1}, {}, ["1", "2", "3"]),
    ],
)
def test_first_comparison_takes_stored_skips_of_earlier_releases_for_no_change(
    present: dict[int, int], skipping: dict[int, int], changed: list[str], project: Project, store: Store
) -> None:
    studio = FakeLabelStudio()
    studio.owners, studio.skipping = present, skipping
    store.annotations.remember(UID, {10: 1, **SKIPPED_BEFORE})
    assert lost_changes(store, studio, project) == changed
    assert store.annotations.of(UID) == present


def test_a_task_that_was_labelled_and_is_skipped_after_the_first_comparison_is_a_change(
    project: Project, store: Store
) -> None:
    studio = FakeLabelStudio()
    studio.owners, studio.skipping = {10: 1, 40: 4}, SKIPPED_BEFORE
    store.annotations.remember(UID, {10: 1, 40: 4, **SKIPPED_BEFORE})
    assert lost_changes(store, studio, project) == []
    studio.skipping = {**SKIPPED_BEFORE, 40: studio.owners.pop(40)}
    assert lost_changes(store, studio, store.projects.get(UID)) == ["4"]
