from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from backend import worker as module
from backend.errors import LabelStudioError, LabelStudioRefused, LabelStudioUnreachable
from backend.jobs import open_loop
from backend.loop import Loop
from backend.settings import Settings
from backend.store import Store
from backend.tables import Version
from backend.worker import Worker
from tests.backend.fakes import LABEL_CONFIG, UID, FakeLabelStudio, Woken

Publish = Callable[..., Version]
Script = Callable[[str], None]

OTHER = "8.1795221978"


@pytest.fixture(autouse=True)
def _project(store: Store) -> None:
    store.remember_project(UID, title="Restaurants", label_config=LABEL_CONFIG)


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
    worker.work_off_runs()
    dead = store.run(run.id)
    assert (dead.state, dead.attempt) == ("failed", 3)
    assert dead.error == (
        "The training process was killed, most likely because memory ran out (lower TRAIN_BATCH_SIZE). "
        "It was tried 3 times."
    )


def test_number_of_attempts_is_a_setting(
    make_settings: Callable[..., Settings], loop: Loop, store: Store, run_process: Script, studio: FakeLabelStudio
) -> None:
    run_process("echo the reason; exit 3")
    loop.settings = make_settings(run_attempts=1)
    run = loop.train(UID, reason="button")
    working(loop, studio).work_off_runs()
    dead = store.run(run.id)
    assert (dead.state, dead.attempt) == ("failed", 1)
    assert dead.error == "The training process ended with exit code 3; its log says why. It was tried 1 times."
    assert loop.registry.log_file(UID, run.id).read_text() == "the reason\n"


def test_first_attempt_that_dies_costs_the_project_nothing(
    worker: Worker, loop: Loop, store: Store, run_process: Script, tmp_path: Path
) -> None:
    run_process(f"[ -e {tmp_path}/second ] && exit 0; touch {tmp_path}/second; kill -KILL $$")
    run = loop.train(UID, reason="button")
    worker.work_off_runs()
    assert (store.run(run.id).state, store.run(run.id).attempt) == ("started", 2)


def test_cancelled_run_is_not_tried_again(worker: Worker, loop: Loop, store: Store, run_process: Script) -> None:
    run_process("sleep 0.3; kill -KILL $$")
    run = loop.train(UID, reason="button")
    thread = threading.Thread(target=worker.work_off_runs)
    thread.start()
    wait_for(lambda: store.end_run(run.id, "cancelled") if store.run(run.id).state == "started" else False)
    thread.join(10)
    assert (store.run(run.id).state, store.run(run.id).attempt) == ("cancelled", 1)


def test_stopped_worker_ends_its_run_and_queues_it_again(
    worker: Worker, loop: Loop, store: Store, run_process: Script, tmp_path: Path
) -> None:
    run_process(f"echo $$ > {tmp_path}/pid.new; mv {tmp_path}/pid.new {tmp_path}/pid; exec sleep 60")
    run = loop.train(UID, reason="button")
    thread = threading.Thread(target=worker.work_off_runs)
    thread.start()
    wait_for((tmp_path / "pid").exists)
    worker.stop()
    thread.join(10)
    assert not thread.is_alive()
    assert (store.run(run.id).state, store.run(run.id).attempt) == ("queued", 0)
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "pid").read_text()), 0)

    worker.work_off_runs()  # it takes no run any more
    assert store.run(run.id).state == "queued"


def test_worker_trains_one_run_at_a_time(
    worker: Worker, loop: Loop, store: Store, run_process: Script, tmp_path: Path
) -> None:
    store.remember_project(OTHER)
    run_process(f"while [ ! -e {tmp_path}/go ]; do sleep 0.02; done")
    loop.train(UID, reason="button")
    thread = threading.Thread(target=worker.work_off_runs)
    thread.start()
    wait_for(lambda: store.runs(states=["started"]))
    loop.train(OTHER, reason="button")
    worker.work_off_runs()  # returns at once
    assert [run.state for run in store.runs()] == ["queued", "started"]
    (tmp_path / "go").touch()
    thread.join(10)
    assert {run.state for run in store.runs()} == {"started"}  # these processes wrote no end


def test_finished_run_refreshes_and_starts_the_next_that_is_due(
    worker: Worker, loop: Loop, store: Store, woken: Woken, monkeypatch: pytest.MonkeyPatch
) -> None:
    def carry_out(self: object, run_id: str, **_: object) -> None:
        revision = store.project(UID).revision
        if store.run(run_id).reason == "button":
            store.record_changes(UID, ["1", "2", "3"])  # they miss the snapshot
        store.settle_changes(UID, revision)
        store.end_run(run_id, "finished", version="ner-v1")

    monkeypatch.setattr("backend.worker.RunProcesses.carry_out", carry_out)
    loop.train(UID, reason="button")
    worker.work_off_runs()
    assert [(run.reason, run.state) for run in store.runs()] == [
        ("3 changed tasks", "finished"),
        ("button", "finished"),
    ]
    assert woken.refreshes == [UID, UID]


def test_failed_run_refreshes_nothing_and_starts_no_other(
    worker: Worker, loop: Loop, store: Store, woken: Woken, monkeypatch: pytest.MonkeyPatch
) -> None:
    def carry_out(self: object, run_id: str, **_: object) -> None:
        store.end_run(run_id, "failed", error="No labels.")

    monkeypatch.setattr("backend.worker.RunProcesses.carry_out", carry_out)
    store.record_changes(UID, ["1", "2", "3"])
    loop.train(UID, reason="button")
    worker.work_off_runs()
    assert [run.state for run in store.runs()] == ["failed"]
    assert woken.refreshes == []


# Reconcile


def test_stalled_run_is_queued_again(
    worker: Worker, loop: Loop, store: Store, woken: Woken, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = loop.train(UID, reason="button")
    store.claim_run()
    woken.trainings = 0
    worker.reconcile()
    assert store.run(run.id).state == "started"
    monkeypatch.setattr(module, "STALLED_SECONDS", -1)
    worker.reconcile()
    assert store.run(run.id).state == "queued"
    assert woken.trainings == 2


def test_run_that_stalls_too_often_fails(
    worker: Worker, loop: Loop, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "STALLED_SECONDS", -1)
    run = loop.train(UID, reason="button")
    for _ in range(3):
        store.claim_run()
        worker.reconcile()
    assert store.run(run.id).state == "failed"
    assert store.run(run.id).error == "The training process or its machine went away. It was tried 3 times."


def test_labels_that_arrived_unseen_start_a_run(worker: Worker, store: Store, studio: FakeLabelStudio) -> None:
    studio.annotate(1, 2, 3)
    worker.reconcile()
    assert [run.reason for run in store.runs(project=UID)] == ["3 changed tasks"]
    worker.reconcile()
    assert store.count_changes(UID) == 3


def test_failing_label_studio_leaves_the_other_projects(
    loop: Loop, store: Store, studio: FakeLabelStudio, caplog: pytest.LogCaptureFixture
) -> None:
    down = FakeLabelStudio(down=LabelStudioUnreachable("Label Studio does not answer"))
    other = FakeLabelStudio(OTHER, tasks=1)
    other.annotate(1)
    store.remember_project(OTHER)
    store.want_refresh(UID)
    studios = {UID: down, OTHER: other}
    Worker(loop, lambda settings, project: studios[project.uid]).reconcile()
    assert store.count_changes(OTHER) == 1
    assert "Label Studio does not answer" in caplog.text


def test_project_without_a_token_leaves_the_other_projects(loop: Loop, caplog: pytest.LogCaptureFixture) -> None:
    Worker(loop).reconcile()
    assert "set LABEL_STUDIO_API_KEY" in caplog.text


def test_refresh_left_undone_is_woken(worker: Worker, store: Store, woken: Woken) -> None:
    worker.reconcile()
    assert woken.refreshes == []
    store.want_refresh(UID)
    worker.reconcile()
    assert woken.refreshes == [UID]


# Refresh


@pytest.fixture
def _small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("backend.refresh.BATCH", 4)


def test_current_version_is_brought_to_label_studio(
    worker: Worker, loop: Loop, store: Store, studio: FakeLabelStudio, publish: Publish, fake_models: list[str]
) -> None:
    publish("ner-v1")
    store.want_refresh(UID)
    worker.refresh_predictions(UID)
    assert studio.predicted("ner-v1") == set(range(1, 10))
    assert studio.shown == "ner-v1"
    assert store.refresh_due(UID) is None
    imports = len(studio.imports)
    worker.refresh_predictions(UID)
    assert len(studio.imports) == imports


def test_project_without_a_version_has_nothing_to_refresh(
    worker: Worker, store: Store, studio: FakeLabelStudio
) -> None:
    store.want_refresh(UID)
    worker.refresh_predictions(UID)
    assert studio.imports == []
    assert store.refresh_due(UID) is None


def test_project_never_met_has_nothing_to_refresh(worker: Worker, studio: FakeLabelStudio) -> None:
    worker.refresh_predictions("9.1")
    assert studio.imports == []


@pytest.mark.usefixtures("_small_batches")
def test_refresh_ends_when_another_version_is_promoted(
    worker: Worker, loop: Loop, studio: FakeLabelStudio, publish: Publish, fake_models: list[str], store: Store,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    publish("ner-v1")
    publish("ner-v2", current=False)
    store.want_refresh(UID)
    original = studio.import_predictions

    def promoting(project_id: int, predictions: Any) -> int:
        if not studio.stored:
            loop.promote(UID, "ner-v2")
        return original(project_id, predictions)

    monkeypatch.setattr(studio, "import_predictions", promoting)
    worker.refresh_predictions(UID)
    assert studio.predicted("ner-v1") == {1, 2, 3, 4}
    assert studio.predicted("ner-v2") == set(range(1, 10))
    assert studio.shown == "ner-v2"
    assert store.refresh_due(UID) is None


def test_refresh_wanted_again_meanwhile_is_done_again(
    worker: Worker, store: Store, studio: FakeLabelStudio, publish: Publish, fake_models: list[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    publish("ner-v1")
    store.want_refresh(UID)
    original = studio.import_predictions

    def importing(project_id: int, predictions: Any) -> int:
        if len(studio.texts) == 9:  # tasks are imported while the first ones are predicted
            studio.texts[10] = "more sushi"
            store.want_refresh(UID)
        return original(project_id, predictions)

    monkeypatch.setattr(studio, "import_predictions", importing)
    worker.refresh_predictions(UID)
    assert studio.imports == [9, 1]
    assert studio.predicted("ner-v1") == set(range(1, 11))
    assert store.refresh_due(UID) is None


@pytest.mark.usefixtures("_small_batches")
def test_refresh_runs_once_at_a_time(
    worker: Worker, loop: Loop, store: Store, studio: FakeLabelStudio, publish: Publish, fake_models: list[str]
) -> None:
    publish("ner-v1")
    store.want_refresh(UID)
    line = threading.Barrier(6)

    def refresh(number: int) -> None:
        line.wait(10)
        (worker if number % 2 else working(loop, studio)).refresh_predictions(UID)

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(refresh, range(6)))
    assert studio.imports == [4, 4, 1]
    assert store.refresh_due(UID) is None


@pytest.mark.usefixtures("_small_batches")
def test_refresh_taken_over_by_another_worker_ends(
    worker: Worker, store: Store, studio: FakeLabelStudio, publish: Publish, fake_models: list[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    publish("ner-v1")
    store.want_refresh(UID)
    monkeypatch.setattr(module, "REFRESH_HOLD_SECONDS", -1)  # as if each batch took longer than that
    original = studio.import_predictions

    def taken_over(project_id: int, predictions: Any) -> int:
        assert store.hold_refresh(UID, seconds=60, holder="another worker")
        return original(project_id, predictions)

    monkeypatch.setattr(studio, "import_predictions", taken_over)
    worker.refresh_predictions(UID)
    assert studio.imports == [4]
    assert studio.shown == ""
    assert store.refresh_due(UID) == 1
    assert store.hold_refresh(UID, seconds=60, holder="another worker")
    assert not store.hold_refresh(UID, seconds=60, holder="a third one")


@pytest.mark.parametrize("error", [LabelStudioUnreachable("no answer"), LabelStudioRefused("no token")])
def test_refresh_that_failed_is_due_and_free_for_the_next(
    error: LabelStudioError, worker: Worker, store: Store, studio: FakeLabelStudio, publish: Publish,
    fake_models: list[str], caplog: pytest.LogCaptureFixture,
) -> None:  # fmt: skip
    publish("ner-v1")
    store.want_refresh(UID)
    studio.down = error
    worker.refresh_predictions(UID)
    assert str(error) in caplog.text
    assert store.refresh_due(UID) == 1
    studio.down = None
    worker.refresh_predictions(UID)
    assert studio.shown == "ner-v1"


# The process


def test_worker_process_carries_out_what_is_queued_and_ends_on_sigterm(
    make_settings: Callable[..., Settings], child_environment: Callable[[Settings], dict[str, str]], tmp_path: Path
) -> None:
    with socket.socket() as closed:  # bound and not listening: nobody answers there
        closed.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{closed.getsockname()[1]}"
        settings = make_settings(label_studio_url=url, label_studio_api_key="0" * 40)
        loop, _ = open_loop(settings)
        loop.meet(UID, title="Restaurants", label_config=LABEL_CONFIG)
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
