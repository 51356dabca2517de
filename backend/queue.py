"""The queue (Huey): it only wakes workers. The work itself is in the database."""

from __future__ import annotations

import logging
from typing import Protocol

from huey import Huey, PostgresHuey, SqliteHuey, crontab
from sqlalchemy.engine import make_url

log = logging.getLogger(__name__)


class Queue(Protocol):
    """What the loop asks of a queue."""

    def wake_training(self, *, after: float = 0.0) -> None:
        """Wake a worker for queued training runs, ``after`` so many seconds."""

    def wake_sync(self, uid: str, *, after: float = 0.0) -> None:
        """Wake a worker for a project whose predictions in Label Studio are not those of its current version."""


class WorkerTasks(Protocol):
    """What a worker does when it is woken."""

    def train_queued_runs(self) -> None: ...

    def sync_predictions(self, uid: str) -> None: ...

    def reconcile(self) -> None: ...


class HueyQueue:
    """The service's queue, in its own database. Only a process that has set ``worker`` executes tasks."""

    def __init__(self, database_url: str) -> None:
        self.huey = open_queue(database_url)
        self.worker: WorkerTasks | None = None

        @self.huey.task(name="train_queued_runs")
        def train_queued_runs() -> None:
            self._required_worker.train_queued_runs()

        @self.huey.task(name="sync_predictions")
        def sync_predictions(uid: str) -> None:
            self._required_worker.sync_predictions(uid)

        @self.huey.periodic_task(crontab(minute="*"), name="reconcile")
        def reconcile() -> None:
            self._required_worker.reconcile()

        self._train_queued_runs, self._sync_predictions, self._reconcile = (
            train_queued_runs,
            sync_predictions,
            reconcile,
        )

    @property
    def _required_worker(self) -> WorkerTasks:
        if self.worker is None:
            raise RuntimeError("this process only enqueues; `python -m backend work` executes tasks")
        return self.worker

    def wake_training(self, *, after: float = 0.0) -> None:
        self._enqueue(self._train_queued_runs.s(delay=after) if after else self._train_queued_runs.s())

    def wake_sync(self, uid: str, *, after: float = 0.0) -> None:
        self._enqueue(self._sync_predictions.s(uid, delay=after) if after else self._sync_predictions.s(uid))

    def wake_reconcile(self) -> None:
        self._enqueue(self._reconcile.s())

    def close(self) -> None:
        """Close this thread's connection to the queue."""
        self.huey.storage.close()

    def _enqueue(self, task: object) -> None:
        try:
            self.huey.enqueue(task)
        except Exception:  # the storage's own exceptions, of any type; reconcile finds the work within a minute
            log.exception("the queue is not writable; a worker finds the work within a minute")


def open_queue(database_url: str) -> Huey:
    """The queue in the service's own database."""
    url = make_url(database_url)
    if url.get_backend_name() == "postgresql":
        from psycopg.errors import UniqueViolation

        dsn = url.set(drivername="postgresql").render_as_string(hide_password=False)
        try:
            return PostgresHuey("backend", dsn=dsn, results=False)
        except UniqueViolation:  # another process created the tables at the same moment
            return PostgresHuey("backend", dsn=dsn, results=False)
    return SqliteHuey("backend", filename=str(url.database), results=False)
