from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from backend.errors import (
    Conflict,
    InvalidRequest,
    ModelError,
    UnknownProject,
    UnknownRun,
    UnknownVersion,
    VersionPruned,
)
from backend.loop import Loop
from backend.registry import UNTRAINED, Registry
from backend.settings import Settings
from backend.store import Store
from backend.store.models import Change, LabelIssue, Version
from tests.backend.fakes import LABEL_CONFIG, UID, FakeQueue, settle

Publish = Callable[..., Version]
THRESHOLD = 3


@pytest.fixture(autouse=True)
def _project(store: Store) -> None:
    store.projects.save(UID, title="Restaurants", label_config=LABEL_CONFIG)


def changed(store: Store) -> set[str]:
    with store.engine.connect() as connection:
        return set(connection.scalars(select(Change.task)))


def another(loop: Loop, settings: Settings) -> Loop:
    """The loop of another process on the same state."""
    store = Store(settings.database_url)
    return Loop(settings, store, Registry(settings.model_dir, store), FakeQueue())


# Labels arrive


def test_submitted_skipped_and_updated_annotations_count_their_task_once(loop: Loop, store: Store) -> None:
    loop.annotations_saved(UID, {10: 1})
    loop.annotations_saved(UID, {10: 1})
    loop.annotations_saved(UID, {11: 1})
    assert changed(store) == {"1"}
    assert store.annotations.of(UID) == {10: 1, 11: 1}


def test_deleted_annotation_counts_its_task(loop: Loop, store: Store) -> None:
    loop.store.annotations.remember(UID, {10: 1})
    loop.annotations_deleted(UID, [10])
    assert changed(store) == {"1"}
    assert store.annotations.of(UID) == {}


def test_deleted_annotation_never_seen_counts_too(loop: Loop, store: Store) -> None:
    loop.annotations_deleted(UID, [99])
    assert changed(store) == {"annotation-99"}


def test_imported_tasks_count_if_they_are_labelled(loop: Loop, store: Store, queue: FakeQueue) -> None:
    loop.tasks_created(UID, labelled=[1, 2], unlabelled=[3])
    assert changed(store) == {"1", "2"}
    assert queue.syncs == [UID]  # many requests are one


def test_imported_tasks_without_labels_are_predicted(
    loop: Loop, store: Store, queue: FakeQueue, publish: Publish
) -> None:
    publish("ner-v1")
    requested = store.projects.get(UID).sync_requested
    loop.tasks_created(UID, labelled=[], unlabelled=[3])
    assert queue.syncs == [UID]
    assert store.syncs.pending(UID) == requested + 1


def test_deleted_tasks_count_if_they_were_labelled(loop: Loop, store: Store) -> None:
    loop.store.annotations.remember(UID, {10: 1, 11: 1, 20: 2})
    loop.tasks_deleted(UID, [1, 3])
    assert changed(store) == {"1"}
    assert store.annotations.of(UID) == {20: 2}


def test_changes_of_a_project_never_met_are_refused(loop: Loop) -> None:
    with pytest.raises(UnknownProject):
        loop.tasks_changed("9.1", ["1"])


# Threshold


def test_run_is_queued_when_enough_tasks_have_changed(loop: Loop, queue: FakeQueue) -> None:
    for task in ("1", "2", "1", "2"):
        loop.tasks_changed(UID, [task])
    assert loop.runs(UID) == []
    loop.tasks_changed(UID, ["3"])
    assert [(run.state, run.reason) for run in loop.runs(UID)] == [("queued", "3 changed tasks")]
    assert queue.trainings == 1


def test_import_beyond_the_threshold_queues_one_run(loop: Loop) -> None:
    loop.tasks_created(UID, labelled=range(1, 5002), unlabelled=[])
    assert [run.reason for run in loop.runs(UID)] == ["5001 changed tasks"]


def test_burst_of_changes_yields_one_run(loop: Loop) -> None:
    line = threading.Barrier(8)

    def change(number: int) -> None:
        line.wait(10)
        for task in range(5):
            loop.annotations_saved(UID, {number * 5 + task: number * 5 + task})

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(change, range(8)))
    assert len(loop.runs(UID)) == 1


def test_changes_during_a_run_wait_and_then_start_one_run(loop: Loop, store: Store) -> None:
    loop.tasks_changed(UID, ["1", "2", "3"])
    run = store.runs.claim()
    assert run is not None
    snapshot = store.projects.get(UID).revision
    for task in ("3", "4", "5", "6"):
        loop.tasks_changed(UID, [task])
    assert len(loop.runs(UID)) == 1

    settle(store, snapshot)
    store.runs.end(run.id, "finished", attempt=1)
    loop.train_if_due(UID)
    loop.train_if_due(UID)
    waiting = store.runs.latest(project=UID, states=["queued"])
    assert [each.reason for each in waiting] == ["4 changed tasks"]


def test_too_few_changes_during_a_run_start_none(loop: Loop, store: Store) -> None:
    run = loop.train(UID, reason="button")
    store.runs.claim()
    loop.tasks_changed(UID, ["1", "2"])
    store.runs.end(run.id, "finished")
    loop.train_if_due(UID)
    assert [each.state for each in loop.runs(UID)] == ["finished"]
    loop.tasks_changed(UID, ["3"])
    assert {each.state for each in loop.runs(UID)} == {"finished", "queued"}


def test_failed_run_is_followed_by_another_at_the_next_change(loop: Loop, store: Store) -> None:
    loop.tasks_changed(UID, ["1", "2", "3"])
    run = store.runs.claim()
    assert run is not None
    store.runs.end(run.id, "failed", error="No answer.")
    assert len(loop.runs(UID)) == 1
    loop.tasks_changed(UID, ["3"])
    assert [each.reason for each in loop.runs(UID)] == ["3 changed tasks"] * 2


@pytest.mark.parametrize("started", [True, False])
def test_cancelled_run_is_followed_by_another_after_as_many_changes_again(
    started: bool, loop: Loop, store: Store
) -> None:
    loop.tasks_changed(UID, ["1", "2", "3"])
    (run,) = loop.runs(UID)
    if started:
        store.runs.claim()
    loop.tasks_changed(UID, ["4"])
    loop.cancel(run.id)
    for task in ("4", "5", "5"):
        loop.tasks_changed(UID, [task])
        assert len(loop.runs(UID)) == 1
    assert store.changes.count(UID) == 5
    loop.tasks_changed(UID, ["1"])
    assert [each.reason for each in loop.runs(UID)] == ["5 changed tasks", "3 changed tasks"]


def test_run_by_hand_after_a_cancelled_one_starts_at_once(loop: Loop) -> None:
    loop.tasks_changed(UID, ["1", "2", "3"])
    loop.cancel(loop.runs(UID)[0].id)
    assert loop.train(UID, reason="button").state == "queued"


@pytest.mark.parametrize("threshold", [1, 3])
def test_no_run_starts_by_itself_with_fewer_than_ten_labelled_tasks(
    threshold: int, make_settings: Callable[..., Settings], store: Store, registry: Registry, queue: FakeQueue
) -> None:
    loop = Loop(make_settings(start_training_each_n_updates=threshold), store, registry, queue)
    for task in range(1, 10):
        loop.annotations_saved(UID, {task: task})
        assert (loop.runs(UID), loop.overview(UID).due_in) == ([], 10 - task)
    loop.annotations_saved(UID, {9: 9, 99: 9})
    assert loop.runs(UID) == []
    loop.annotations_saved(UID, {10: 10})
    assert [run.reason for run in loop.runs(UID)] == ["10 changed tasks"]


def test_run_by_hand_needs_no_number_of_labelled_tasks(
    make_settings: Callable[..., Settings], store: Store, registry: Registry, queue: FakeQueue
) -> None:
    loop = Loop(make_settings(), store, registry, queue)
    loop.annotations_saved(UID, {1: 1})
    assert loop.train(UID, reason="button").state == "queued"


def test_threshold_of_zero_leaves_training_to_the_button(
    make_settings: Callable[..., Settings], store: Store, registry: Registry, queue: FakeQueue
) -> None:
    loop = Loop(make_settings(start_training_each_n_updates=0), store, registry, queue)
    loop.tasks_changed(UID, [str(task) for task in range(100)])
    assert loop.runs(UID) == []
    assert loop.train(UID, reason="button").state == "queued"


# Training


def test_button_pressed_twice_queues_one_run(loop: Loop, queue: FakeQueue) -> None:
    first = loop.train(UID, reason="button")
    assert loop.train(UID, reason="again").id == first.id
    assert queue.trainings == 2


def test_button_during_a_run_queues_the_next(loop: Loop, store: Store) -> None:
    first = loop.train(UID, reason="button")
    store.runs.claim()
    assert loop.train(UID, reason="again").id != first.id
    assert [run.state for run in loop.runs(UID)] == ["queued", "started"]


def test_project_never_met_is_not_trained(loop: Loop) -> None:
    with pytest.raises(UnknownProject):
        loop.train("9.1", reason="button")


def test_cancelled_run_ends_at_once_and_frees_its_place(loop: Loop, store: Store) -> None:
    started = loop.train(UID, reason="button")
    store.runs.claim()
    waiting = loop.train(UID, reason="again")
    for run in (waiting, started):
        ended = loop.cancel(run.id)
        assert (ended.state, ended.phase, ended.eta_seconds) == ("cancelled", "cancelled", None)
        assert ended.finished_at is not None
    assert store.runs.claim() is None
    assert loop.train(UID, reason="button").id not in (waiting.id, started.id)


@pytest.mark.parametrize(
    ("state", "told"), [("finished", "it finished"), ("failed", "it failed"), ("cancelled", "it was cancelled")]
)
def test_ended_run_cannot_be_cancelled(state: Any, told: str, loop: Loop, store: Store) -> None:
    run = loop.train(UID, reason="button")
    store.runs.end(run.id, state)
    with pytest.raises(Conflict, match=rf"^Training run {run.id} has ended already: {told}\.$"):
        loop.cancel(run.id)
    assert loop.run(run.id).state == state


def test_unknown_run_cannot_be_cancelled(loop: Loop) -> None:
    with pytest.raises(UnknownRun):
        loop.cancel("nope")


def test_log_of_a_run_is_read_by_its_id(loop: Loop, registry: Registry) -> None:
    run = loop.train(UID, reason="button")
    assert loop.run_log(run.id) == ""
    registry.log_file(UID, run.id).write_text("".join(f"line {number}\n" for number in range(300)))
    assert loop.run_log(run.id).splitlines() == [f"line {number}" for number in range(100, 300)]
    assert loop.run_log(run.id, lines=1) == "line 299"
    with pytest.raises(UnknownRun):
        loop.run_log("../../../etc/passwd")


# Projects and predictions


@pytest.mark.parametrize("uid", ["", "../7.1", "7.1/..", "٧.١", "seven"])
def test_project_of_another_form_is_not_met(uid: str, loop: Loop) -> None:
    with pytest.raises(InvalidRequest):
        loop.register_project(uid, title="x")


@pytest.mark.parametrize("uid", [UID, "9.1"])
def test_project_without_a_version_gets_one_empty_tagging_a_text(uid: str, loop: Loop) -> None:
    answer = loop.predict(uid, ["sushi", "", "pizza"])
    assert answer.version == UNTRAINED
    assert [(tagging.spans, tagging.score) for tagging in answer.taggings] == [((), 0.0)] * 3


def test_named_version_answers_instead_of_the_current_one(loop: Loop, publish: Publish, fake_models: list[str]) -> None:
    publish("ner-v1")
    publish("ner-v2")
    assert loop.predict(UID, ["sushi"]).version == "ner-v2"
    assert loop.predict(UID, ["sushi"], version="ner-v1").version == "ner-v1"
    assert fake_models == ["ner-v2", "ner-v1"]
    with pytest.raises(UnknownVersion):
        loop.predict(UID, ["sushi"], version="ner-v3")


def test_promotion_is_seen_by_another_process_on_its_next_request(
    loop: Loop, settings: Settings, publish: Publish, fake_models: list[str]
) -> None:
    other = another(loop, settings)
    assert other.predict(UID, ["sushi"]).version == UNTRAINED
    publish("ner-v1")
    publish("ner-v2", current=False)
    assert other.predict(UID, ["sushi"]).version == "ner-v1"
    loop.promote(UID, "ner-v2", actor="test")
    assert other.predict(UID, ["sushi"]).version == "ner-v2"
    loop.promote(UID, "ner-v1", actor="test")
    assert other.predict(UID, ["sushi"]).version == "ner-v1"
    other.store.close()


def test_version_whose_files_are_gone_is_named_in_the_error(loop: Loop, publish: Publish, registry: Registry) -> None:
    publish("ner-v1")
    registry.folder(UID, "ner-v1").rmdir()
    with pytest.raises(ModelError, match="ner-v1"):
        loop.predict(UID, ["sushi"])


def test_real_version_finds_what_it_has_learnt(loop: Loop, publish: Publish, version_folder: Path) -> None:
    publish("ner-v1", files=version_folder)
    text = "🍣🍕 Who makes the best sushi for kids?"
    answer = loop.predict(UID, ["", text])
    assert answer.taggings[0].spans == ()
    assert ("sushi", "Dish") in {(text[span.start : span.end], span.label) for span in answer.taggings[1].spans}


# Versions


def test_promotion_by_hand_is_recorded_and_asks_for_a_sync(
    loop: Loop, store: Store, queue: FakeQueue, publish: Publish
) -> None:
    publish("ner-v1")
    publish("ner-v2", current=False)
    requested = store.projects.get(UID).sync_requested
    loop.promote(UID, "ner-v2", actor="dashboard")
    assert store.projects.get(UID).current_version == "ner-v2"
    [promotion] = store.versions.get(UID, "ner-v2").promotions
    assert (promotion.actor, promotion.previous) == ("dashboard", "ner-v1")
    assert queue.syncs == [UID]
    assert store.syncs.pending(UID) == requested + 1


def test_failed_promotion_changes_nothing(loop: Loop, store: Store, queue: FakeQueue, publish: Publish) -> None:
    publish("ner-v1")
    with pytest.raises(UnknownVersion):
        loop.promote(UID, "ner-v9", actor="test")
    with pytest.raises(UnknownProject):
        loop.promote("9.1", "ner-v1", actor="test")
    assert store.projects.get(UID).current_version == "ner-v1"
    assert queue.syncs == []


def test_versions_of_one_project_and_of_all(loop: Loop, publish: Publish) -> None:
    publish("ner-v1")
    publish("ner-v2")
    publish("ner-v1", uid="8.1")
    assert [version.name for version in loop.versions(UID)] == ["ner-v2", "ner-v1"]
    assert [(version.project, version.name) for version in loop.versions()] == [
        (UID, "ner-v2"),
        (UID, "ner-v1"),
        ("8.1", "ner-v1"),
    ]
    with pytest.raises(UnknownProject):
        loop.versions("9.1")


def test_pruned_version_is_listed_and_neither_answers_nor_serves(
    loop: Loop, publish: Publish, fake_models: list[str]
) -> None:
    for name in ("ner-v1", "ner-v2", "ner-v3"):
        publish(name)
    assert loop.predict(UID, ["sushi"], version="ner-v1").version == "ner-v1"
    loop.delete_version(UID, "ner-v1")
    assert [version.name for version in loop.versions(UID)] == ["ner-v3", "ner-v2", "ner-v1"]
    assert [version.name for version in loop.versions(UID, usable=True)] == ["ner-v3", "ner-v2"]
    told = "The files of model version 'ner-v1' were removed to save space: use ner-v3 or ner-v2, or train a new one"
    for use in (
        lambda: loop.predict(UID, ["sushi"], version="ner-v1"),
        lambda: loop.promote(UID, "ner-v1", actor="test"),
    ):
        with pytest.raises(VersionPruned, match=told):
            use()


def test_serving_and_pinned_versions_are_not_deleted(loop: Loop, publish: Publish, registry: Registry) -> None:
    publish("ner-v1")
    publish("ner-v2")
    assert loop.pin(UID, "ner-v1", True).pinned
    for name, why in (("ner-v1", "is pinned"), ("ner-v2", "serves")):
        with pytest.raises(Conflict, match=why):
            loop.delete_version(UID, name)
        assert registry.folder(UID, name).is_dir()
    loop.pin(UID, "ner-v1", False)
    loop.delete_version(UID, "ner-v1")
    assert not registry.folder(UID, "ner-v1").exists()
    with pytest.raises(UnknownVersion):
        loop.delete_version(UID, "ner-v9")
    with pytest.raises(UnknownProject):
        loop.pin("9.1", "ner-v1", True)


# Labels that are probably mistakes


def test_suspects_are_forgotten_when_their_task_changes(loop: Loop, store: Store) -> None:
    loop.register_project(UID)
    assert (loop.store.reviews.get(UID), loop.label_issues(UID)) == (None, [])
    review = store.reviews.begin(UID)
    assert review is not None
    seen = {"start": 0, "end": 5, "text": "sushi", "given": "Dish", "kind": "wrong label", "view": "", "found": []}
    found = [LabelIssue(project=UID, task=str(task), score=task / 10, **seen) for task in (7, 8, 9)]
    store.reviews.finish(review.id, found, tasks=60, revision=0)
    assert [issue.task for issue in loop.label_issues(UID, limit=2)] == ["9", "8"]
    loop.annotations_saved(UID, {1001: 8})
    assert [issue.task for issue in loop.label_issues(UID)] == ["9", "7"]
    assert loop.settings.task_url(UID, "9") == "http://localhost:8080/projects/7/data?task=9"


@pytest.mark.parametrize("ask", [Loop.label_issues])
def test_unknown_project_has_no_suspects(loop: Loop, ask: Callable[[Loop, str], object]) -> None:
    with pytest.raises(UnknownProject):
        ask(loop, "9.1")
