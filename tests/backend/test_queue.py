from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from huey import PostgresHuey, SqliteHuey

from backend.queue import HueyQueue, open_queue
from backend.service import open_service
from backend.settings import Settings
from tests.backend.fakes import LABEL_CONFIG, UID


class Noted:
    """A worker that only notes what it was called for."""

    def __init__(self) -> None:
        self.calls: list[str] = []

    def train_queued_runs(self) -> None:
        self.calls.append("runs")

    def sync_predictions(self, uid: str) -> None:
        self.calls.append(f"refresh {uid}")

    def reconcile(self) -> None:
        self.calls.append("reconcile")


def carry_out_all(queue: HueyQueue) -> None:
    while task := queue.huey.dequeue():
        queue.huey.execute(task)


def test_what_one_process_enqueues_another_carries_out(any_url: str) -> None:
    web, working = HueyQueue(any_url), HueyQueue(any_url)
    working.worker = worker = Noted()
    web.wake_training()
    web.wake_sync(UID)
    web.wake_reconcile()
    carry_out_all(working)
    assert worker.calls == ["runs", f"refresh {UID}", "reconcile"]
    assert web.huey.pending_count() == 0
    for queue in (web, working):
        queue.huey.storage.close()


def test_training_woken_for_later_waits(any_url: str) -> None:
    queue = HueyQueue(any_url)
    queue.worker = worker = Noted()
    queue.wake_training(after=60)
    carry_out_all(queue)
    assert (worker.calls, queue.huey.scheduled_count()) == ([], 1)
    queue.close()


def test_process_without_a_worker_carries_nothing_out(settings: Settings) -> None:
    _, queue = open_service(settings)
    with pytest.raises(RuntimeError, match="only enqueues"):
        queue._required_worker.reconcile()


def test_reconcile_is_due_every_minute(settings: Settings) -> None:
    _, queue = open_service(settings)
    assert [str(task.name) for task in queue.huey._registry.periodic_tasks] == ["reconcile"]


def test_queue_is_in_the_services_own_database(settings: Settings, any_url: str) -> None:
    expected = PostgresHuey if any_url.startswith("postgresql") else SqliteHuey
    assert isinstance(open_queue(any_url), expected)


def test_queues_that_are_opened_at_once_share_their_tables(any_url: str) -> None:
    line = threading.Barrier(6)

    def enqueue(_: int) -> None:
        line.wait(10)
        queue = HueyQueue(any_url)
        queue.wake_training()
        queue.huey.storage.close()

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(enqueue, range(6)))
    queue = open_queue(any_url)
    assert queue.pending_count() == 6
    queue.storage.close()


def test_broken_queue_costs_no_request(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    loop, queue = open_service(settings)

    def fail(*_: object) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(queue.huey, "enqueue", fail)
    loop.register_project(UID, label_config=LABEL_CONFIG)
    with caplog.at_level(logging.ERROR):
        run = loop.train(UID, reason="button")
    assert loop.run(run.id).state == "queued"
    assert "finds the work within a minute" in caplog.text
    loop.store.close()


def test_labels_wake_a_worker_through_the_queue(make_settings: Callable[..., Settings]) -> None:
    loop, queue = open_service(make_settings(start_training_each_n_updates=1, min_tasks_to_start_training=1))
    queue.worker = worker = Noted()
    loop.register_project(UID, label_config=LABEL_CONFIG)
    loop.annotations_saved(UID, {10: 1})
    carry_out_all(queue)
    assert worker.calls == [f"refresh {UID}", "runs"]  # the phrases, and the run that is due
    loop.store.close()
