from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import psutil
import pytest
from sqlalchemy.exc import OperationalError

from backend import worker as module
from backend.errors import LabelStudioError, LabelStudioRefused, LabelStudioUnreachable
from backend.loop import Loop
from backend.registry import Registry
from backend.service import open_service
from backend.settings import Settings
from backend.store import Store
from backend.store.models import Review, Run, RunState, Version
from backend.worker import Worker
from tests.backend.conftest import ROOT
from tests.backend.fakes import LABEL_CONFIG, UID, FakeLabelStudio, FakeQueue, settle
from tests.backend.store.races import lapse

Publish = Callable[..., Version]
Script = Callable[[str], None]

OTHER = "8.1795221978"


@pytest.fixture(autouse=True)
def _project(store: Store) -> None:
    store.projects.save(UID, title="Restaurants", label_config=LABEL_CONFIG)


@pytest.fixture
def studio() -> FakeLabelStudio:
    return FakeLabelStudio(tasks=9)


def working(loop: Loop, studio: FakeLabelStudio) -> Worker:
    return Worker(loop, lambda settings, project: studio)


@pytest.fixture
def worker(loop: Loop, studio: FakeLabelStudio) -> Worker:
    return working(loop, studio)


@pytest.fixture
def run_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Script:
    """Give the shell script that takes the place of a run's process."""

    def use(script: str) -> None:
        program = tmp_path / "python"
        program.write_text(f"#!/bin/sh\n{script}\n")
        program.chmod(0o755)
        monkeypatch.setattr(sys, "executable", str(program))

    return use


def wait_for(condition: Callable[[], Any], seconds: float = 20) -> Any:
    until = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < until
        time.sleep(0.02)
    return found


# Runs


def test_killed_run_is_tried_again_and_then_fails_with_the_reason(
    worker: Worker, loop: Loop, store: Store, run_process: Script
) -> None:
    run_process("kill -KILL $$")
    run = loop.train(UID, reason="button")
    worker.train_queued_runs()
    dead = store.runs.get(run.id)
    assert (dead.state, dead.attempt) == ("failed", 3)
    assert dead.error == (
        "The training process was killed, most likely because memory ran out: lower TRAIN_BATCH_SIZE. "
        "It was tried 3 times."
    )


def test_number_of_attempts_is_a_setting(
    make_settings: Callable[..., Settings], loop: Loop, store: Store, run_process: Script, studio: FakeLabelStudio
) -> None:
    run_process("echo the reason; exit 3")
    loop.settings = make_settings(run_attempts=1)
    run = loop.train(UID, reason="button")
    working(loop, studio).train_queued_runs()
    dead = store.runs.get(run.id)
    assert (dead.state, dead.attempt) == ("failed", 1)
    assert dead.error == "The training process ended with exit code 3: its log has the reason. It was tried 1 times."
    assert loop.registry.log_file(UID, run.id).read_text() == "the reason\n"


def test_first_attempt_that_dies_costs_the_project_nothing(
    worker: Worker, loop: Loop, store: Store, run_process: Script, tmp_path: Path
) -> None:
    run_process(f"[ -e {tmp_path}/second ] && exit 0; touch {tmp_path}/second; kill -KILL $$")
    run = loop.train(UID, reason="button")
    worker.train_queued_runs()
    assert (store.runs.get(run.id).state, store.runs.get(run.id).attempt) == ("started", 2)


def test_cancelled_run_is_not_tried_again(worker: Worker, loop: Loop, store: Store, run_process: Script) -> None:
    run_process("sleep 0.3; kill -KILL $$")
    run = loop.train(UID, reason="button")
    thread = threading.Thread(target=worker.train_queued_runs)
    thread.start()
    wait_for(lambda: store.runs.end(run.id, "cancelled") if store.runs.get(run.id).state == "started" else False)
    thread.join(10)
    assert (store.runs.get(run.id).state, store.runs.get(run.id).attempt) == ("cancelled", 1)


def test_stopped_worker_ends_its_run_and_queues_it_again(
    worker: Worker, loop: Loop, store: Store, run_process: Script, tmp_path: Path
) -> None:
    run_process(f"echo $$ > {tmp_path}/pid.new; mv {tmp_path}/pid.new {tmp_path}/pid; exec sleep 60")
    run = loop.train(UID, reason="button")
    thread = threading.Thread(target=worker.train_queued_runs)
    thread.start()
    wait_for((tmp_path / "pid").exists)
    worker.stop()
    thread.join(10)
    assert not thread.is_alive()
    assert (store.runs.get(run.id).state, store.runs.get(run.id).attempt) == ("queued", 0)
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "pid").read_text()), 0)

    worker.train_queued_runs()  # it takes no run any more
    assert store.runs.get(run.id).state == "queued"


def test_worker_trains_one_run_at_a_time(
    worker: Worker, loop: Loop, store: Store, run_process: Script, tmp_path: Path
) -> None:
    store.projects.save(OTHER)
    run_process(f"while [ ! -e {tmp_path}/go ]; do sleep 0.02; done")
    loop.train(UID, reason="button")
    thread = threading.Thread(target=worker.train_queued_runs)
    thread.start()
    wait_for(lambda: store.runs.latest(states=["started"]))
    loop.train(OTHER, reason="button")
    worker.train_queued_runs()  # returns at once
    assert [run.state for run in store.runs.latest()] == ["queued", "started"]
    (tmp_path / "go").touch()
    thread.join(10)
    assert {run.state for run in store.runs.latest()} == {"started"}  # these processes wrote no end


def test_finished_run_refreshes_and_starts_the_next_that_is_due(
    worker: Worker, loop: Loop, store: Store, queue: FakeQueue, monkeypatch: pytest.MonkeyPatch
) -> None:
    def run_process(self: object, run_id: str, **_: object) -> None:
        revision = store.projects.get(UID).revision
        if store.runs.get(run_id).reason == "button":
            store.changes.record(UID, ["1", "2", "3"])  # they miss the snapshot
        settle(store, revision)
        store.runs.end(run_id, "finished", version="ner-v1")

    monkeypatch.setattr("backend.worker.RunProcesses.run", run_process)
    loop.train(UID, reason="button")
    worker.train_queued_runs()
    assert [(run.reason, run.state) for run in store.runs.latest()] == [
        ("3 changed tasks", "finished"),
        ("button", "finished"),
    ]
    assert queue.syncs == [UID, UID]


def test_failed_run_refreshes_nothing_and_starts_no_other(
    worker: Worker, loop: Loop, store: Store, queue: FakeQueue, monkeypatch: pytest.MonkeyPatch
) -> None:
    def run_process(self: object, run_id: str, **_: object) -> None:
        store.runs.end(run_id, "failed", error="No labels.")

    monkeypatch.setattr("backend.worker.RunProcesses.run", run_process)
    store.changes.record(UID, ["1", "2", "3"])
    loop.train(UID, reason="button")
    worker.train_queued_runs()
    assert [run.state for run in store.runs.latest()] == ["failed"]
    assert queue.syncs == []


def left_behind(loop: Loop) -> list[Path]:
    return list((loop.registry.model_dir / ".staging").glob("*"))


@pytest.mark.slow
def test_cancelled_run_is_gone_in_five_seconds_with_its_files_and_the_next_one_starts(
    worker: Worker, loop: Loop, store: Store, run_process: Script, publish: Publish, tmp_path: Path
) -> None:
    publish("ner-v1")
    staging = loop.registry.model_dir / ".staging"
    run_process(
        f"[ -e {tmp_path}/pid ] && exit 0; echo $$ > {tmp_path}/pid; trap '' TERM; "
        f"mkdir -p {staging}/$3-1/.version-checkpoints {staging}/$3-1/version; while :; do sleep 0.05; done"
    )
    run = loop.train(UID, reason="button")
    thread = threading.Thread(target=worker.train_queued_runs)
    thread.start()
    wait_for((staging / f"{run.id}-1" / "version").exists)
    following = loop.train(UID, reason="button")
    cancelled_at = time.monotonic()
    assert loop.cancel(run.id).state == "cancelled"
    assert store.runs.get(run.id).state == "cancelled"
    thread.join(10)
    assert time.monotonic() - cancelled_at < 5
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "pid").read_text()), 0)
    assert left_behind(loop) == []
    assert (store.runs.get(run.id).state, store.runs.get(run.id).attempt) == ("cancelled", 1)
    assert store.runs.get(following.id).state == "started"
    assert store.projects.current_version(UID) == "ner-v1"


def test_run_given_to_another_worker_ends_here(worker: Worker, loop: Loop, store: Store, run_process: Script) -> None:
    run_process("exec sleep 60")
    run = loop.train(UID, reason="button")
    thread = threading.Thread(target=worker.train_queued_runs)
    thread.start()
    wait_for(lambda: store.runs.started())
    store.runs.requeue(run.id)
    assert store.runs.claim() is not None
    thread.join(10)
    assert not thread.is_alive()
    assert (store.runs.get(run.id).state, store.runs.get(run.id).attempt) == ("started", 2)


def test_process_that_does_not_end_after_its_outcome_is_ended(
    worker: Worker, loop: Loop, store: Store, run_process: Script, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "EXIT_SECONDS", 0.0)
    run_process("exec sleep 60")
    run = loop.train(UID, reason="button")
    thread = threading.Thread(target=worker.train_queued_runs)
    thread.start()
    wait_for(lambda: store.runs.end(run.id, "finished") if store.runs.started() else False)
    thread.join(10)
    assert not thread.is_alive()
    assert store.runs.get(run.id).state == "finished"


def test_database_that_does_not_answer_ends_no_run(
    worker: Worker, loop: Loop, store: Store, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    run = loop.train(UID, reason="button")
    store.runs.claim()
    run = store.runs.get(run.id)
    assert worker._may_continue(run)

    def locked(run_id: str) -> None:
        raise OperationalError("SELECT", {}, Exception("database is locked"))

    monkeypatch.setattr(store.runs, "get", locked)
    assert worker._may_continue(run)
    assert "database is locked" in caplog.text


def test_killed_run_leaves_no_files(worker: Worker, loop: Loop, run_process: Script, tmp_path: Path) -> None:
    staging = loop.registry.model_dir / ".staging"
    run_process(
        f"ls {staging} >> {tmp_path}/seen; for n in 1 2 3; do mkdir -p {staging}/$3-$n/version; done; kill -KILL $$"
    )
    run = loop.train(UID, reason="button")
    worker.train_queued_runs()
    assert left_behind(loop) == []
    assert loop.run(run.id).attempt == 3
    # The second and the third attempt find what is theirs, and nothing that an earlier one left.
    assert (tmp_path / "seen").read_text().split() == []


@pytest.mark.parametrize(
    ("state", "left"), [("failed", ["ner-v3", "ner-v2", "ner-v1"]), ("finished", ["ner-v3", "ner-v2"])]
)
def test_finished_run_prunes_old_versions(
    state: Any, left: list[str], make_settings: Callable[..., Settings], loop: Loop, store: Store,
    studio: FakeLabelStudio, publish: Publish, monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    loop.settings = make_settings(keep_versions=1)
    for number in (1, 2, 3):
        publish(f"ner-v{number}", current=number == 2)

    def run_process(self: object, run_id: str, **_: object) -> None:
        store.runs.end(run_id, state)

    monkeypatch.setattr("backend.worker.RunProcesses.run", run_process)
    loop.train(UID, reason="button")
    working(loop, studio).train_queued_runs()
    assert [version.name for version in loop.versions(UID, usable=True)] == left


# Reviews


@pytest.fixture
def reviewing(loop: Loop, make_settings: Callable[..., Settings], studio: FakeLabelStudio) -> Worker:
    """A worker that looks for wrong labels, and a project whose run has just finished."""
    loop.settings = make_settings(start_training_each_n_updates=3, min_tasks_to_start_training=3)
    finish_run(loop)
    return working(loop, studio)


def finish_run(loop: Loop, uid: str = UID) -> None:
    run = loop.train(uid, reason="button")
    loop.store.runs.claim()
    loop.store.runs.end(run.id, "finished")


def review_of(store: Store, uid: str = UID) -> Review:
    review = store.reviews.get(uid)
    assert review is not None
    return review


def test_labels_are_reviewed_once_after_a_finished_run(
    reviewing: Worker, loop: Loop, store: Store, run_process: Script, tmp_path: Path
) -> None:
    run_process(f'echo "$@" >> {tmp_path}/started; echo seen')
    reviewing.train_queued_runs()
    claimed = review_of(store)
    assert (tmp_path / "started").read_text() == f"-m backend.training.review {claimed.id}\n"
    assert loop.registry.log_file(UID, "review").read_text() == "seen\n"
    reviewing.train_queued_runs()  # that process wrote no end, so it holds the lease until that lapses
    assert review_of(store).id == claimed.id


def test_nothing_is_reviewed_where_that_is_switched_off(
    reviewing: Worker, loop: Loop, store: Store, settings: Settings, run_process: Script
) -> None:
    loop.settings = settings
    run_process("kill -KILL $$")
    reviewing.train_queued_runs()
    assert store.reviews.get(UID) is None


def record_processes(store: Store, monkeypatch: pytest.MonkeyPatch, *, run_ends: RunState) -> list[str]:
    """In place of processes: runs end in this state, reviews finish; the list says which of both came when."""
    seen: list[str] = []

    def run_process(self: object, id: str, **_: object) -> None:
        seen.append("run" if id in {run.id for run in store.runs.latest()} else "review")
        if seen[-1] == "run":
            store.runs.end(id, run_ends)
        else:
            store.reviews.finish(id, [], tasks=60, revision=0)

    monkeypatch.setattr("backend.worker.RunProcesses.run", run_process)
    return seen


def test_runs_come_before_reviews(reviewing: Worker, loop: Loop, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    store.projects.save(OTHER)
    seen = record_processes(store, monkeypatch, run_ends="finished")
    for uid in (UID, OTHER):
        loop.train(uid, reason="button")
    reviewing.train_queued_runs()
    assert seen == ["run", "run", "review", "review"]


def test_overdue_reviews_and_automatic_runs_take_turns(
    reviewing: Worker, loop: Loop, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("backend.store.reviews.OVERDUE_SECONDS", -60.0)
    monkeypatch.setattr(loop, "train_if_due", lambda uid: None)
    store.projects.save(OTHER)
    finish_run(loop, OTHER)
    seen = record_processes(store, monkeypatch, run_ends="failed")
    for uid in (UID, OTHER):
        loop.train(uid, reason="3 changed tasks", automatic=True)
    reviewing.train_queued_runs()
    assert seen == ["review", "run", "review", "run"]


@pytest.mark.parametrize(("automatic", "ends"), [(True, False), (False, True)])
def test_overdue_review_gives_way_to_people_only(
    automatic: bool, ends: bool, reviewing: Worker, loop: Loop, store: Store, run_process: Script, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr("backend.store.reviews.OVERDUE_SECONDS", -60.0)
    run_process(f"[ $2 = backend.training.run ] && exit 0; touch {tmp_path}/going; exec sleep 60")
    thread = threading.Thread(target=reviewing.train_queued_runs)
    thread.start()
    wait_for((tmp_path / "going").exists)
    polled = threading.Event()
    is_training = reviewing._is_training

    def poll(uid: str | None = None, *, by_people: bool = False) -> bool:
        answer = is_training(uid, by_people=by_people)
        polled.set()
        return answer

    run = loop.train(UID, reason="run", automatic=automatic)
    monkeypatch.setattr(reviewing, "_is_training", poll)
    assert polled.wait(10)
    if ends:
        wait_for(lambda: store.runs.get(run.id).state == "started")
    else:
        assert store.reviews.in_progress(UID)
        assert store.runs.get(run.id).state == "queued"
    reviewing.stop()
    thread.join(10)
    assert not thread.is_alive()


def test_no_review_starts_while_a_run_waits_for_another_worker(
    reviewing: Worker, loop: Loop, store: Store, run_process: Script
) -> None:
    run_process("kill -KILL $$")
    store.projects.save(OTHER)
    finish_run(loop, OTHER)
    going = loop.train(OTHER, reason="button")
    store.runs.claim()
    loop.train(OTHER, reason="button")  # waits for the end of the one that is going elsewhere
    reviewing.train_queued_runs()
    assert (store.reviews.get(UID), store.reviews.get(OTHER)) == (None, None)
    store.runs.end(going.id, "finished")
    reviewing.train_queued_runs()
    assert store.reviews.get(UID) is not None


def test_queued_run_ends_a_review_which_is_done_again_afterwards(
    reviewing: Worker, loop: Loop, store: Store, run_process: Script, tmp_path: Path
) -> None:
    run_process(
        f"[ $2 = backend.training.run ] && exit 0; [ -e {tmp_path}/first ] && exit 0; "
        f"echo $$ > {tmp_path}/pid; mv {tmp_path}/pid {tmp_path}/first; exec sleep 60"
    )
    thread = threading.Thread(target=reviewing.train_queued_runs)
    thread.start()
    wait_for((tmp_path / "first").exists)
    interrupted = review_of(store).id
    queued_at = time.monotonic()
    run = loop.train(UID, reason="button")
    wait_for(lambda: store.runs.get(run.id).state == "started")
    assert time.monotonic() - queued_at < 5
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "first").read_text()), 0)
    thread.join(10)
    assert (review_of(store).ended_at, review_of(store).error) == (None, None)
    store.runs.end(run.id, "failed")
    reviewing.train_queued_runs()
    assert review_of(store).id != interrupted


@pytest.mark.slow
def test_run_on_another_machine_ends_a_review_of_its_project_alone(
    reviewing: Worker, loop: Loop, store: Store, run_process: Script, tmp_path: Path
) -> None:
    run_process(f"touch {tmp_path}/going; exec sleep 60")
    store.projects.save(OTHER)
    thread = threading.Thread(target=reviewing.train_queued_runs)
    thread.start()
    wait_for((tmp_path / "going").exists)
    started(store, OTHER)
    thread.join(2.5)
    assert thread.is_alive()
    started(store, UID)
    thread.join(10)
    assert not thread.is_alive()
    assert not store.reviews.in_progress(UID)


def started(store: Store, uid: str) -> None:
    """A run that another worker has claimed the moment it was queued."""
    with store._database.write() as session:
        session.add(Run(id=f"elsewhere {uid}", project=uid, reason="button", state="started"))


def test_killed_review_is_marked_and_waits_for_the_next_run(
    reviewing: Worker, loop: Loop, store: Store, run_process: Script, tmp_path: Path
) -> None:
    run_process(f"echo x >> {tmp_path}/tries; kill -KILL $$")
    reviewing.train_queued_runs()
    dead = review_of(store)
    assert dead.ended_at is not None
    assert (dead.error or "").startswith("The training process was killed, most likely because memory ran out")
    reviewing.train_queued_runs()
    finish_run(loop)
    reviewing.train_queued_runs()
    assert (tmp_path / "tries").read_text() == "x\nx\n"


def test_stopped_worker_ends_its_review_which_another_takes(
    reviewing: Worker, loop: Loop, store: Store, studio: FakeLabelStudio, run_process: Script, tmp_path: Path
) -> None:
    run_process(f"echo $$ > {tmp_path}/pid.new; mv {tmp_path}/pid.new {tmp_path}/pid; exec sleep 60")
    thread = threading.Thread(target=reviewing.train_queued_runs)
    thread.start()
    wait_for((tmp_path / "pid").exists)
    reviewing.stop()
    thread.join(10)
    assert not thread.is_alive()
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "pid").read_text()), 0)
    interrupted = review_of(store)
    assert interrupted.ended_at is None
    assert not store.reviews.in_progress(UID)
    run_process("exit 0")
    working(loop, studio).train_queued_runs()
    assert review_of(store).id != interrupted.id


def test_database_that_does_not_answer_ends_no_review(
    reviewing: Worker, store: Store, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def locked(**_: object) -> None:
        raise OperationalError("SELECT", {}, Exception("database is locked"))

    monkeypatch.setattr(store.runs, "latest", locked)
    assert not reviewing._is_training(UID)
    assert "database is locked" in caplog.text


# Reconcile


def test_stalled_run_is_queued_again(worker: Worker, loop: Loop, store: Store, queue: FakeQueue) -> None:
    run = loop.train(UID, reason="button")
    store.runs.claim()
    queue.trainings = 0
    worker.reconcile()
    assert store.runs.get(run.id).state == "started"
    lapse(store)
    worker.reconcile()
    assert store.runs.get(run.id).state == "queued"
    assert queue.trainings == 2


def test_run_that_stalls_too_often_fails(worker: Worker, loop: Loop, store: Store) -> None:
    run = loop.train(UID, reason="button")
    for _ in range(3):
        store.runs.claim()
        lapse(store)
        worker.reconcile()
    assert store.runs.get(run.id).state == "failed"
    assert store.runs.get(run.id).error == "The training process or its machine died. It was tried 3 times."


def test_files_of_dead_runs_are_removed_and_those_of_a_run_elsewhere_are_not(
    worker: Worker, loop: Loop, store: Store
) -> None:
    run = loop.train(UID, reason="button")
    store.runs.claim()  # by a worker on another machine
    for left in (f"{run.id}-1", "0123456789ab-1"):
        (loop.registry.model_dir / ".staging" / left / "version").mkdir(parents=True)
    worker.reconcile()
    assert [folder.name for folder in left_behind(loop)] == [f"{run.id}-1"]


def test_labels_that_arrived_unseen_start_a_run(worker: Worker, store: Store, studio: FakeLabelStudio) -> None:
    studio.annotate(1, 2, 3)
    worker.reconcile()
    assert [run.reason for run in store.runs.latest(project=UID)] == ["3 changed tasks"]
    worker.reconcile()
    assert store.changes.count(UID) == 3


def test_failing_label_studio_leaves_the_other_projects(
    loop: Loop, store: Store, studio: FakeLabelStudio, caplog: pytest.LogCaptureFixture
) -> None:
    down = FakeLabelStudio(down=LabelStudioUnreachable("Label Studio does not answer"))
    other = FakeLabelStudio(OTHER, tasks=1)
    other.annotate(1)
    store.projects.save(OTHER)
    store.syncs.request(UID)
    studios = {UID: down, OTHER: other}
    Worker(loop, lambda settings, project: studios[project.uid]).reconcile()
    assert store.changes.count(OTHER) == 1
    assert "Label Studio does not answer" in caplog.text


def test_replaced_project_is_reported_until_it_is_ours_again(
    worker: Worker, store: Store, studio: FakeLabelStudio
) -> None:
    studio.uid = "7.1999999999"
    studio.annotate(1)
    worker.reconcile()
    assert "connect it again" in (store.projects.get(UID).sync_error or "")
    assert store.changes.count(UID) == 0
    studio.uid = UID
    worker.reconcile()
    assert store.projects.get(UID).sync_error is None


def test_project_without_a_token_leaves_the_other_projects(loop: Loop, caplog: pytest.LogCaptureFixture) -> None:
    Worker(loop).reconcile()
    assert "set LABEL_STUDIO_API_KEY" in caplog.text


def test_refresh_left_undone_is_woken(worker: Worker, store: Store, queue: FakeQueue) -> None:
    worker.reconcile()
    assert queue.syncs == []
    store.syncs.request(UID)
    worker.reconcile()
    assert queue.syncs == [UID]


# Refresh


@pytest.fixture
def _small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("backend.label_studio.sync.BATCH", 4)


def test_current_version_is_brought_to_label_studio(
    worker: Worker, loop: Loop, store: Store, studio: FakeLabelStudio, publish: Publish, fake_models: list[str]
) -> None:
    publish("ner-v1")
    store.syncs.request(UID)
    worker.sync_predictions(UID)
    assert studio.predicted("ner-v1") == set(range(1, 10))
    assert studio.shown == "ner-v1"
    assert store.syncs.pending(UID) is None
    imports = len(studio.imports)
    worker.sync_predictions(UID)
    assert len(studio.imports) == imports


def test_project_without_a_version_has_nothing_to_refresh(
    worker: Worker, store: Store, studio: FakeLabelStudio
) -> None:
    store.syncs.request(UID)
    worker.sync_predictions(UID)
    assert studio.imports == []
    assert store.syncs.pending(UID) is None


def test_project_never_met_has_nothing_to_refresh(worker: Worker, studio: FakeLabelStudio) -> None:
    worker.sync_predictions("9.1")
    assert studio.imports == []


@pytest.mark.usefixtures("_small_batches")
def test_refresh_ends_when_another_version_is_promoted(
    worker: Worker, loop: Loop, studio: FakeLabelStudio, publish: Publish, fake_models: list[str], store: Store,
    monkeypatch: pytest.MonkeyPatch, make_settings: Callable[..., Settings],
) -> None:  # fmt: skip
    loop.settings = make_settings(keep_predictions="all")
    publish("ner-v1")
    publish("ner-v2", current=False)
    store.syncs.request(UID)
    original = studio.import_predictions

    def promoting(project_id: int, predictions: Any) -> int:
        if not studio.stored:
            loop.promote(UID, "ner-v2", actor="test")
        return original(project_id, predictions)

    monkeypatch.setattr(studio, "import_predictions", promoting)
    worker.sync_predictions(UID)
    assert studio.predicted("ner-v1") == {1, 2, 3, 4}
    assert studio.predicted("ner-v2") == set(range(1, 10))
    assert studio.shown == "ner-v2"
    assert store.syncs.pending(UID) is None


def test_refresh_wanted_again_meanwhile_is_done_again(
    worker: Worker, store: Store, studio: FakeLabelStudio, publish: Publish, fake_models: list[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    publish("ner-v1")
    store.syncs.request(UID)
    original = studio.import_predictions

    def importing(project_id: int, predictions: Any) -> int:
        if len(studio.texts) == 9:  # tasks are imported while the first ones are predicted
            studio.texts[10] = "more sushi"
            store.syncs.request(UID)
        return original(project_id, predictions)

    monkeypatch.setattr(studio, "import_predictions", importing)
    worker.sync_predictions(UID)
    assert studio.imports == [9, 1]
    assert studio.predicted("ner-v1") == set(range(1, 11))
    assert store.syncs.pending(UID) is None


@pytest.mark.usefixtures("_small_batches")
def test_refresh_runs_once_at_a_time(
    worker: Worker, loop: Loop, store: Store, studio: FakeLabelStudio, publish: Publish, fake_models: list[str]
) -> None:
    publish("ner-v1")
    store.syncs.request(UID)
    line = threading.Barrier(6)

    def refresh(number: int) -> None:
        line.wait(10)
        (worker if number % 2 else working(loop, studio)).sync_predictions(UID)

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(refresh, range(6)))
    assert studio.imports == [4, 4, 1]
    assert store.syncs.pending(UID) is None


@pytest.mark.usefixtures("_small_batches")
def test_refresh_taken_over_by_another_worker_ends(
    worker: Worker, store: Store, studio: FakeLabelStudio, publish: Publish, fake_models: list[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    publish("ner-v1")
    store.syncs.request(UID)
    original = studio.import_predictions

    def taken_over(project_id: int, predictions: Any) -> int:
        lapse(store)  # as if this process had been suspended
        assert store.leases.acquire("sync", UID, "another worker")
        return original(project_id, predictions)

    monkeypatch.setattr(studio, "import_predictions", taken_over)
    worker.sync_predictions(UID)
    assert studio.imports == [4]
    assert studio.shown == ""
    assert store.syncs.pending(UID) is not None
    assert store.leases.renew("sync", UID, "another worker")


def test_project_that_was_created_anew_gets_no_strangers_predictions(
    worker: Worker, store: Store, studio: FakeLabelStudio, publish: Publish, fake_models: list[str],
    caplog: pytest.LogCaptureFixture,
) -> None:  # fmt: skip
    publish("ner-v1")
    store.syncs.request(UID)
    studio.uid = "7.1800000000"
    worker.sync_predictions(UID)
    assert studio.imports == []
    assert "Project 7 in Label Studio is not the one this model was trained for" in caplog.text


@pytest.mark.parametrize("error", [LabelStudioUnreachable("no answer"), LabelStudioRefused("no token")])
def test_refresh_that_failed_is_due_and_free_for_the_next(
    error: LabelStudioError, worker: Worker, store: Store, studio: FakeLabelStudio, publish: Publish,
    fake_models: list[str], caplog: pytest.LogCaptureFixture,
) -> None:  # fmt: skip
    publish("ner-v1")
    store.syncs.request(UID)
    studio.down = error
    worker.sync_predictions(UID)
    assert str(error) in caplog.text
    assert store.syncs.pending(UID) is not None
    studio.down = None
    worker.sync_predictions(UID)
    assert studio.shown == "ner-v1"


# The process


@pytest.fixture
def silent() -> Iterator[str]:
    """Address of a Label Studio that takes calls and never answers."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"


@pytest.fixture(params=["plain", pytest.param("accelerate", marks=pytest.mark.slow)])
def real_run(
    request: pytest.FixtureRequest, silent: str, make_settings: Callable[..., Settings], tmp_path: Path,
    store: Store, registry: Registry, queue: FakeQueue, monkeypatch: pytest.MonkeyPatch,
) -> Loop:  # fmt: skip
    """A loop whose runs are real processes that wait for Label Studio."""
    config = None
    if request.param == "accelerate":
        config = tmp_path / "accelerate.yaml"
        config.write_text(
            "compute_environment: LOCAL_MACHINE\ndistributed_type: 'NO'\nnum_processes: 1\nuse_cpu: true\n"
        )
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.chdir(tmp_path)
    settings = make_settings(label_studio_url=silent, label_studio_api_key="0" * 40, accelerate_config=config)
    return Loop(settings, store, registry, queue)


def running(processes: list[psutil.Process]) -> list[psutil.Process]:
    return [each for each in processes if each.is_running() and each.status() != psutil.STATUS_ZOMBIE]


def test_run_that_waits_for_an_answer_is_gone_in_five_seconds(
    real_run: Loop, store: Store, studio: FakeLabelStudio
) -> None:
    run = real_run.train(UID, reason="button")
    thread = threading.Thread(target=working(real_run, studio).train_queued_runs)
    thread.start()
    wait_for(lambda: store.runs.get(run.id).phase == "fetching", 60)
    processes = [each for each in psutil.Process().children(recursive=True) if run.id in each.cmdline()]
    assert len(processes) == (2 if real_run.settings.accelerate_config else 1)
    cancelled_at = time.monotonic()
    real_run.cancel(run.id)
    thread.join(20)
    assert time.monotonic() - cancelled_at < 5
    assert not running(processes)


@pytest.mark.slow
def test_run_whose_worker_is_killed_is_queued_again_and_ends(
    real_run: Loop, store: Store, child_environment: Callable[[Settings], dict[str, str]], tmp_path: Path
) -> None:
    run = real_run.train(UID, reason="button")
    script = (
        "from backend.service import open_service; from backend.settings import load_settings; "
        "from backend.worker import Worker; Worker(open_service(load_settings()).loop).train_queued_runs()"
    )
    worker = subprocess.Popen([sys.executable, "-c", script], env=child_environment(real_run.settings), cwd=tmp_path)
    try:
        wait_for(lambda: store.runs.get(run.id).phase == "fetching", 60)
        processes = psutil.Process(worker.pid).children(recursive=True)
    finally:
        worker.kill()
        worker.wait()
    wait_for(lambda: store.runs.get(run.id).state == "queued")
    wait_for(lambda: not running(processes))


@pytest.mark.slow
def test_worker_process_carries_out_what_is_queued_and_ends_on_sigterm(
    make_settings: Callable[..., Settings], child_environment: Callable[[Settings], dict[str, str]], tmp_path: Path
) -> None:
    with socket.socket() as closed:  # bound and not listening: nobody answers there
        closed.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{closed.getsockname()[1]}"
        settings = make_settings(label_studio_url=url, label_studio_api_key="0" * 40)
        loop, _ = open_service(settings)
        loop.register_project(UID, title="Restaurants", label_config=LABEL_CONFIG)
        with (tmp_path / "worker.log").open("wb") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "backend", "work"],
                env=child_environment(settings), cwd=tmp_path, stdout=log, stderr=log,
            )  # fmt: skip
        try:
            run = loop.train(UID, reason="button")
            wait_for(lambda: loop.run(run.id).state not in ("queued", "started"), 60)
            failed = loop.run(run.id)
            assert (failed.state, failed.attempt) == ("failed", 1)
            assert failed.error is not None
            assert failed.error.startswith(f"Label Studio at {url} does not answer (")
            assert "LABEL_STUDIO_URL" in failed.error
            process.send_signal(signal.SIGTERM)
            assert process.wait(10) == 0
        finally:
            process.kill()
            process.wait()
            loop.store.close()


# Old predictions


def stored(studio: FakeLabelStudio) -> set[str]:
    return set(studio.count_by_version(7))


@pytest.mark.parametrize(("keep", "left"), [("current", {"ner-v12"}), ("all", {f"ner-v{n}" for n in range(1, 13)})])
def test_predictions_do_not_grow_with_the_number_of_versions(
    keep: str,
    left: set[str],
    worker: Worker,
    loop: Loop,
    make_settings: Callable[..., Settings],
    publish: Publish,
    fake_models: list[str],
    studio: FakeLabelStudio,
) -> None:
    loop.settings = make_settings(keep_predictions=keep)
    for number in range(1, 13):
        publish(f"ner-v{number}")
        worker.sync_predictions(UID)
        assert studio.predicted(f"ner-v{number}") == set(studio.texts)
    assert stored(studio) == left
    assert studio.shown == "ner-v12"


def test_promotion_during_a_deletion_is_synced_at_once(
    worker: Worker,
    loop: Loop,
    publish: Publish,
    fake_models: list[str],
    studio: FakeLabelStudio,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    publish("ner-v1")
    worker.sync_predictions(UID)
    publish("ner-v2")
    delete = studio.delete_predictions

    def delete_while_somebody_rolls_back(project_id: int, version: str) -> None:
        loop.promote(UID, "ner-v1", actor="test")
        worker.sync_predictions(UID)  # the deletion holds the lease
        delete(project_id, version)

    monkeypatch.setattr(studio, "delete_predictions", delete_while_somebody_rolls_back)
    worker.sync_predictions(UID)
    assert loop.store.syncs.pending(UID) is None
    assert studio.predicted("ner-v1") == set(studio.texts)
    assert studio.shown == "ner-v1"


def test_old_predictions_of_an_earlier_release_go_once_a_worker_runs(
    worker: Worker,
    loop: Loop,
    make_settings: Callable[..., Settings],
    queue: FakeQueue,
    publish: Publish,
    fake_models: list[str],
    studio: FakeLabelStudio,
) -> None:
    publish("ner-v1")
    working(loop, studio).sync_predictions(UID)
    publish("ner-v2")
    loop.settings = make_settings(keep_predictions="all")
    working(loop, studio).sync_predictions(UID)
    assert stored(studio) == {"ner-v1", "ner-v2"}
    worker.reconcile()
    assert queue.syncs == []
    loop.settings = make_settings()
    worker.reconcile()
    assert queue.syncs == [UID]
    worker.sync_predictions(UID)
    assert stored(studio) == {"ner-v2"}
    worker.reconcile()
    assert queue.syncs == [UID]


def test_version_that_is_no_longer_pinned_loses_its_predictions(
    worker: Worker, loop: Loop, queue: FakeQueue, publish: Publish, fake_models: list[str], studio: FakeLabelStudio
) -> None:
    publish("ner-v1")
    worker.sync_predictions(UID)
    loop.pin(UID, "ner-v1", True)
    publish("ner-v2")
    worker.sync_predictions(UID)
    assert stored(studio) == {"ner-v1", "ner-v2"}
    loop.pin(UID, "ner-v1", False)
    worker.reconcile()
    assert queue.syncs == [UID]
    worker.sync_predictions(UID)
    assert stored(studio) == {"ner-v2"}


def test_long_deletion_gives_the_lease_back_and_goes_on(
    worker: Worker,
    loop: Loop,
    queue: FakeQueue,
    publish: Publish,
    fake_models: list[str],
    studio: FakeLabelStudio,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    publish("ner-v1")
    worker.sync_predictions(UID)
    publish("ner-v2")
    monkeypatch.setattr(module, "DELETION_SECONDS", -1.0)
    worker.sync_predictions(UID)
    assert stored(studio) == {"ner-v1", "ner-v2"}
    assert queue.later == [module.DELETION_PAUSE]
    with loop.sync_lease(UID) as lease:
        assert lease.acquire()


def test_failed_deletion_is_tried_again(
    worker: Worker,
    queue: FakeQueue,
    publish: Publish,
    fake_models: list[str],
    studio: FakeLabelStudio,
    caplog: pytest.LogCaptureFixture,
) -> None:
    publish("ner-v1")
    worker.sync_predictions(UID)
    publish("ner-v2")
    studio.refused["delete_predictions"] = LabelStudioUnreachable("Label Studio does not answer")
    worker.sync_predictions(UID)
    assert "predictions of old versions are not deleted yet: Label Studio does not answer" in caplog.text
    assert (studio.shown, queue.later) == ("ner-v2", [])
    studio.down = LabelStudioUnreachable("Label Studio is down")
    worker.reconcile()
    assert queue.syncs == []
    studio.down = None
    worker.reconcile()
    assert queue.syncs == [UID]
    studio.refused.clear()
    worker.sync_predictions(UID)
    assert stored(studio) == {"ner-v2"}
