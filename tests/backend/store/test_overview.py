from __future__ import annotations

from collections.abc import Callable

import pytest

from backend.errors import UnknownProject
from backend.loop import Loop
from backend.settings import Settings
from backend.store import Store
from backend.store.models import Version
from backend.store.overview import TaskProgress
from backend.store.projects import TaskCounts
from tests.backend.fakes import UID


def test_new_project_has_nothing_but_a_threshold(loop: Loop) -> None:
    loop.register_project(UID, title="Restaurants")
    state = loop.overview(UID)
    assert (state.labelled, state.changed, state.threshold, state.due_in) == (0, 0, 3, 3)
    assert (state.running, state.last, state.current, state.score.f1, state.review) == (None, None, None, None, None)
    assert (state.versions, state.label_issues) == (0, 0)


def test_labels_count_by_task_and_a_live_run_is_shown(loop: Loop, store: Store) -> None:
    loop.register_project(UID)
    loop.annotations_saved(UID, {11: 1, 12: 1})
    assert (loop.overview(UID).labelled, loop.overview(UID).changed, loop.overview(UID).due_in) == (1, 1, 2)
    loop.annotations_saved(UID, {13: 2, 14: 3})
    state = loop.overview(UID)
    assert state.running is not None
    assert (state.labelled, state.due_in, state.running.state) == (3, None, "queued")
    store.runs.claim()
    waiting = loop.train(UID, reason="button")
    running = loop.overview(UID).running
    assert running is not None
    assert running.id == state.running.id
    loop.cancel(running.id)
    loop.cancel(waiting.id)
    ended = loop.overview(UID)
    assert ended.last is not None
    assert (ended.running, ended.last.state, ended.due_in) == (None, "cancelled", 3)


def test_current_version_and_its_score(loop: Loop, publish: Callable[..., Version]) -> None:
    publish("ner-v1", metrics={"f1": 0.5, "documents": 84})
    state = loop.overview(UID)
    assert state.current is not None
    assert (state.current.name, state.score.f1, state.versions) == ("ner-v1", 0.5, 1)


def test_without_a_threshold_nothing_is_due(loop: Loop, make_settings: Callable[..., Settings]) -> None:
    loop.settings = make_settings(start_training_each_n_updates=0)
    loop.register_project(UID)
    assert loop.overview(UID).due_in is None


def test_each_task_is_labelled_skipped_or_left(loop: Loop, store: Store) -> None:
    loop.register_project(UID)
    assert loop.overview(UID).task_progress is None
    counts: TaskCounts = {"tasks": 10, "skipped": 3, "annotations": 4, "skips": 3, "counted_at": 1.5}
    store.projects.note_counts(UID, counts)
    loop.annotations_saved(UID, {11: 1, 12: 1, 13: 2, 14: 3})
    assert loop.overview(UID).task_progress == TaskProgress(tasks=10, labelled=3, skipped=3, counted_at=1.5)
    assert TaskProgress.from_counts(counts, labelled=3).left == 4
    for labelled, (tasks, skipped, left) in {8: (10, 2, 0), 10: (10, 0, 0), 12: (12, 0, 0)}.items():
        progress = TaskProgress.from_counts(counts, labelled=labelled)
        assert (progress.tasks, progress.skipped, progress.left) == (tasks, skipped, left)


def test_unknown_project(loop: Loop) -> None:
    with pytest.raises(UnknownProject):
        loop.overview(UID)
