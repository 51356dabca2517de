from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable

import pytest
from sqlalchemy.exc import OperationalError

from backend.errors import RunCancelled
from backend.store import Store
from backend.tables import Run
from backend.training import progress as module
from backend.training.build import PHASES
from backend.training.progress import RunProgress
from tests.backend.fakes import LABEL_CONFIG, UID


@pytest.fixture
def run(store: Store) -> Run:
    store.remember_project(UID, label_config=LABEL_CONFIG)
    store.queue_run(UID, "test")
    started = store.claim_run()
    assert started is not None
    return started


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Let seconds pass for the progress."""
    now = [1000.0]
    monkeypatch.setattr(module.time, "monotonic", lambda: now[0])

    def advance(seconds: float) -> None:
        now[0] += seconds

    return advance


def wait_for(condition: Callable[[], object]) -> None:
    until = time.time() + 10
    while not condition():
        assert time.time() < until
        time.sleep(0.01)


def test_progress_grows_through_the_phases_to_one(store: Store, run: Run, clock: Callable[[float], None]) -> None:
    progress = RunProgress(store, run)
    seen: list[tuple[str, float]] = []
    for phase in ("fetching", *PHASES, "publishing"):
        for fraction in (0.0, 0.5, 1.0):
            clock(2.0)
            progress(phase, fraction)
            row = store.run(run.id)
            seen.append((row.phase, row.progress))
    assert [phase for phase, _ in seen[::3]] == ["fetching", *PHASES, "publishing"]
    shown = [done for _, done in seen]
    assert shown == sorted(shown)
    assert (shown[0], shown[-1]) == (0.0, 1.0)


@pytest.mark.parametrize(("fraction", "done"), [(-1.0, 0.08), (0.0, 0.08), (1.0, 0.85), (7.0, 0.85)])
def test_fraction_stays_within_its_phase(fraction: float, done: float, store: Store, run: Run) -> None:
    RunProgress(store, run)("training", fraction)
    assert store.run(run.id).progress == pytest.approx(done)


def test_remaining_time_is_told_once_it_can_be_guessed(store: Store, run: Run, clock: Callable[[float], None]) -> None:
    progress = RunProgress(store, run)
    clock(4.0)
    progress("preparing", 1.0)
    assert store.run(run.id).eta_seconds is None
    clock(36.0)
    progress("training", (0.4 - 0.08) / 0.77)
    assert store.run(run.id).eta_seconds == pytest.approx(60.0)


def test_row_is_written_once_a_second_and_at_every_phase(
    store: Store, run: Run, clock: Callable[[float], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    written: list[str] = []

    def update_run(run_id: str, *, attempt: int, phase: str, **_: object) -> bool:
        written.append(phase)
        return True

    monkeypatch.setattr(store, "update_run", update_run)
    progress = RunProgress(store, run)
    for step in range(100):
        clock(0.0625)
        progress("training", step / 100)
    progress("exporting", 0.0)
    assert written == ["training"] * 7 + ["exporting"]


@pytest.mark.parametrize("end", ["cancelled", "failed"])
def test_run_that_was_ended_stops_at_its_next_step(end: str, store: Store, run: Run) -> None:
    progress = RunProgress(store, run)
    progress("fetching", 0.0)
    store.end_run(run.id, end)
    with pytest.raises(RunCancelled, match=run.id):
        progress("preparing", 0.0)
    with pytest.raises(RunCancelled):
        progress.note(documents=5)
    progress.end("finished", version="ner-v1")
    assert store.run(run.id).state == end


def test_run_that_another_process_took_over_stops(store: Store, run: Run) -> None:
    progress = RunProgress(store, run)
    store.requeue_run(run.id)
    store.claim_run()
    with pytest.raises(RunCancelled):
        progress("preparing", 0.0)
    progress.end("failed", error="stale")
    assert store.run(run.id).state == "started"


def test_heartbeat_goes_on_while_nothing_is_reported(store: Store, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "HEARTBEAT_SECONDS", 0.01)
    with RunProgress(store, run):
        first = store.run(run.id).heartbeat_at
        assert first is not None
        wait_for(lambda: (store.run(run.id).heartbeat_at or 0) > first)
    assert "heartbeat" not in {thread.name for thread in threading.enumerate()}


def test_cancellation_is_heard_between_two_writes(store: Store, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "HEARTBEAT_SECONDS", 0.01)
    with RunProgress(store, run) as progress:
        progress("training", 0.0)
        store.end_run(run.id, "cancelled")
        wait_for(progress._unwanted.is_set)
        with pytest.raises(RunCancelled, match="while training"):
            progress("training", 0.1)  # too early for a write


def test_heartbeat_survives_a_locked_database(
    store: Store, run: Run, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(module, "HEARTBEAT_SECONDS", 0.01)
    update_run, beats = store.update_run, []

    def flaky(run_id: str, **columns: int) -> bool:
        beats.append(run_id)
        if len(beats) == 1:
            raise OperationalError("UPDATE runs", {}, Exception("database is locked"))
        return update_run(run_id, **columns)

    monkeypatch.setattr(store, "update_run", flaky)
    with RunProgress(store, run) as progress:
        wait_for(lambda: len(beats) > 2)
        progress("training", 0.5)
    assert "database is locked" in caplog.text


def test_run_that_outlives_its_worker_is_queued_again_and_ends(
    store: Store, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    exits: list[int] = []

    def exit_(code: int) -> None:
        exits.append(code)
        progress._stop.set()

    monkeypatch.setattr(module, "HEARTBEAT_SECONDS", 0.01)
    progress = RunProgress(store, run)
    monkeypatch.setattr(os, "getppid", lambda: 1)
    monkeypatch.setattr(os, "_exit", exit_)
    with progress:
        wait_for(lambda: exits)
    assert exits == [1]
    assert store.run(run.id).state == "queued"
