"""The queue (Huey): three tasks that wake a worker. What there is to do stands in the database."""

from __future__ import annotations

import logging
from typing import Protocol

from huey import Huey, PostgresHuey, SqliteHuey, crontab
from sqlalchemy.engine import make_url

from backend.loop import Loop
from backend.registry import Registry
from backend.settings import Settings
from backend.store import Store

log = logging.getLogger(__name__)


class Chores(Protocol):
    """What a worker does when it is woken."""

    def work_off_runs(self) -> None: ...

    def refresh_predictions(self, uid: str) -> None: ...

    def reconcile(self) -> None: ...


class Jobs:
    """The service's queue. Doors enqueue through it; a process with a ``worker`` carries the tasks out."""

    def __init__(self, database_url: str) -> None:
        self.huey = open_queue(database_url)
        self.worker: Chores | None = None

        @self.huey.task(name="run_training")
        def run_training() -> None:
            self._working.work_off_runs()

        @self.huey.task(name="refresh_predictions")
        def refresh_predictions(uid: str) -> None:
            self._working.refresh_predictions(uid)

        @self.huey.periodic_task(crontab(minute="*"), name="reconcile")
        def reconcile() -> None:
            self._working.reconcile()

        self._run_training, self._refresh, self._reconcile = run_training, refresh_predictions, reconcile

    @property
    def _working(self) -> Chores:
        if self.worker is None:
            raise RuntimeError("this process only enqueues; `python -m backend work` carries tasks out")
        return self.worker

    def training(self) -> None:
        self._enqueue(self._run_training.s())

    def refresh(self, uid: str) -> None:
        self._enqueue(self._refresh.s(uid))

    def reconcile(self) -> None:
        self._enqueue(self._reconcile.s())

    def _enqueue(self, task: object) -> None:
        try:
            self.huey.enqueue(task)
        except Exception:  # whatever the storage raises: the work is in the database and found within a minute
            log.exception("the queue is not writable; a worker finds the work at its next look")


def open_queue(database_url: str) -> Huey:
    """The queue in the service's own database."""
    url = make_url(database_url)
    if url.get_backend_name() == "postgresql":
        from psycopg.errors import UniqueViolation

        dsn = url.set(drivername="postgresql").render_as_string(hide_password=False)
        try:
            return PostgresHuey("backend", dsn=dsn, results=False)
        except UniqueViolation:  # two processes made the tables at once; the second time they are there
            return PostgresHuey("backend", dsn=dsn, results=False)
    return SqliteHuey("backend", filename=str(url.database), results=False)


def open_loop(settings: Settings) -> tuple[Loop, Jobs]:
    """Wire the core and its queue for any door: web server, worker or command line."""
    store = Store(settings.database_url)
    registry = Registry(
        settings.model_dir,
        store,
        cache=settings.model_cache,
        device=settings.device,
        precision=settings.precision,
    )
    jobs = Jobs(settings.database_url)
    return Loop(settings, store, registry, jobs), jobs
