from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from huey import PostgresHuey, SqliteHuey

from backend.jobs import Jobs, open_loop, open_queue
from backend.settings import Settings
from tests.backend.fakes import LABEL_CONFIG, UID


class Noted:
    """A worker that only notes what it was called for."""

    def __init__(self) -> None:
        self.calls: list[str] = []

    def work_off_runs(self) -> None:
        self.calls.append("runs")

    def refresh_predictions(self, uid: str) -> None:
        self.calls.append(f"refresh {uid}")

    def reconcile(self) -> None:
        self.calls.append("reconcile")


def carry_out_all(jobs: Jobs) -> None:
    while task := jobs.huey.dequeue():
        jobs.huey.execute(task)


def test_what_one_process_enqueues_another_carries_out(any_url: str) -> None:
    web, working = Jobs(any_url), Jobs(any_url)
    working.worker = worker = Noted()
    web.training()
    web.refresh(UID)
    web.reconcile()
    carry_out_all(working)
    assert worker.calls == ["runs", f"refresh {UID}", "reconcile"]
    assert web.huey.pending_count() == 0
    for jobs in (web, working):
        jobs.huey.storage.close()


def test_process_without_a_worker_carries_nothing_out(settings: Settings) -> None:
    _, jobs = open_loop(settings)
    with pytest.raises(RuntimeError, match="only enqueues"):
        jobs._working.reconcile()


def test_reconcile_is_due_every_minute(settings: Settings) -> None:
    _, jobs = open_loop(settings)
    assert [str(task.name) for task in jobs.huey._registry.periodic_tasks] == ["reconcile"]


def test_queue_is_in_the_services_own_database(settings: Settings, any_url: str) -> None:
    expected = PostgresHuey if any_url.startswith("postgresql") else SqliteHuey
    assert isinstance(open_queue(any_url), expected)


def test_queues_that_are_opened_at_once_share_their_tables(any_url: str) -> None:
    line = threading.Barrier(6)

    def enqueue(_: int) -> None:
        line.wait(10)
        jobs = Jobs(any_url)
        jobs.training()
        jobs.huey.storage.close()

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(enqueue, range(6)))
    queue = open_queue(any_url)
    assert queue.pending_count() == 6
    queue.storage.close()


def test_broken_queue_costs_no_request(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    loop, jobs = open_loop(settings)

    def fail(*_: object) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(jobs.huey, "enqueue", fail)
    loop.meet(UID, label_config=LABEL_CONFIG)
    with caplog.at_level(logging.ERROR):
        run = loop.train(UID, reason="button")
    assert loop.run(run.id).state == "queued"
    assert "finds the work at its next look" in caplog.text
    loop.store.close()


def test_labels_wake_a_worker_through_the_queue(make_settings: Callable[..., Settings]) -> None:
    loop, jobs = open_loop(make_settings(start_training_each_n_updates=1))
    jobs.worker = worker = Noted()
    loop.meet(UID, label_config=LABEL_CONFIG)
    loop.annotations_saved(UID, {10: 1})
    carry_out_all(jobs)
    assert worker.calls == ["runs"]
    loop.store.close()
