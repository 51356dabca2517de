from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable

import pytest
from sqlalchemy.exc import OperationalError

from backend.errors import RunCancelled
from backend.store import Store
from backend.store.models import Run, RunState
from backend.training import progress as module
from backend.training.progress import RunProgress
from tests.backend.fakes import LABEL_CONFIG, UID


@pytest.fixture
def run(store: Store) -> Run:
    store.projects.save(UID, label_config=LABEL_CONFIG)
    store.runs.queue(UID, "test")
    started = store.runs.claim()
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


def test_progress_and_remaining_time_are_in_the_row(store: Store, run: Run, clock: Callable[[float], None]) -> None:
    progress = RunProgress(store, run)
    progress("preparing", 1.0)
    row = store.runs.get(run.id)
    assert (row.phase, row.eta_seconds) == ("preparing", None)
    assert row.progress == pytest.approx(0.08)
    for fraction in (0.25, 0.5):
        clock(50.0)
        progress("training", fraction)
    row = store.runs.get(run.id)
    assert row.phase == "training"
    assert row.progress == pytest.approx(100 / 240)
    assert row.eta_seconds == pytest.approx(100.0 + 40.0)


def test_row_is_written_once_a_second_and_at_every_phase(
    store: Store, run: Run, clock: Callable[[float], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    written: list[str] = []

    def update(run_id: str, *, attempt: int, phase: str, **_: object) -> bool:
        written.append(phase)
        return True

    monkeypatch.setattr(store.runs, "update", update)
    progress = RunProgress(store, run)
    for step in range(100):
        clock(0.0625)
        progress("training", step / 100)
    progress("exporting", 0.0)
    assert written == ["training"] * 7 + ["exporting"]


@pytest.mark.parametrize("end", ["cancelled", "failed"])
def test_run_that_was_ended_stops_at_its_next_step(end: RunState, store: Store, run: Run) -> None:
    progress = RunProgress(store, run)
    progress("fetching", 0.0)
    store.runs.end(run.id, end)
    with pytest.raises(RunCancelled, match=run.id):
        progress("preparing", 0.0)
    with pytest.raises(RunCancelled):
        progress.note(documents=5)
    progress.end("finished", version="ner-v1")
    assert store.runs.get(run.id).state == end


def test_run_that_another_process_took_over_stops(store: Store, run: Run) -> None:
    progress = RunProgress(store, run)
    store.runs.requeue(run.id)
    store.runs.claim()
    with pytest.raises(RunCancelled):
        progress("preparing", 0.0)
    progress.end("failed", error="stale")
    assert store.runs.get(run.id).state == "started"


def test_lease_is_renewed_while_nothing_is_reported(store: Store, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "RENEW_SECONDS", 0.01)
    with RunProgress(store, run):
        first = store.leases.renewed_at("run", run.id)
        assert first is not None
        wait_for(lambda: (store.leases.renewed_at("run", run.id) or 0) > first)
    assert "run lease" not in {thread.name for thread in threading.enumerate()}


def test_time_left_falls_while_nothing_is_reported(store: Store, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "RENEW_SECONDS", 0.01)
    with RunProgress(store, run) as progress:
        progress("exporting", 0.0)
        first = store.runs.get(run.id).eta_seconds
        assert first is not None
        wait_for(lambda: (store.runs.get(run.id).eta_seconds or first) < first - 0.1)


def test_cancellation_is_noticed_between_two_writes(store: Store, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "RENEW_SECONDS", 0.01)
    with RunProgress(store, run) as progress:
        progress("training", 0.0)
        store.runs.end(run.id, "cancelled")
        wait_for(progress._ended.is_set)
        with pytest.raises(RunCancelled, match="while training"):
            progress("training", 0.1)  # too early for a write


def test_renewal_survives_a_locked_database(
    store: Store, run: Run, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(module, "RENEW_SECONDS", 0.01)
    update, calls = store.runs.update, []

    def flaky(run_id: str, **columns: int) -> bool:
        calls.append(run_id)
        if len(calls) == 1:
            raise OperationalError("UPDATE runs", {}, Exception("database is locked"))
        return update(run_id, **columns)

    monkeypatch.setattr(store.runs, "update", flaky)
    with RunProgress(store, run) as progress:
        wait_for(lambda: len(calls) > 2)
        progress("training", 0.5)
    assert "database is locked" in caplog.text


@pytest.mark.parametrize("gone", ["parent", "worker behind a launcher"])
def test_run_that_outlives_its_worker_is_queued_again_and_ends(
    gone: str, store: Store, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    exits: list[int] = []

    def exit_(code: int) -> None:
        exits.append(code)
        progress._lease._ended.set()

    monkeypatch.setattr(module, "RENEW_SECONDS", 0.01)
    lifeline, worker = os.pipe()
    progress = RunProgress(store, run, lifeline=lifeline)
    monkeypatch.setattr(os, "_exit", exit_)
    assert not progress._is_orphan()
    if gone == "parent":
        monkeypatch.setattr(os, "getppid", lambda: -1)
    else:
        os.close(worker)
    with progress:
        wait_for(lambda: exits)
    assert exits == [1]
    assert store.runs.get(run.id).state == "queued"
    for descriptor in (lifeline, worker) if gone == "parent" else (lifeline,):
        os.close(descriptor)
