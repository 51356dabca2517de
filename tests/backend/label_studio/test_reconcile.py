from __future__ import annotations

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
