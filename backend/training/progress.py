"""Writes a run's progress to its row, and its heartbeat, and hears there that the run is no longer wanted."""

from __future__ import annotations

import logging
import os
import threading
import time
from types import TracebackType
from typing import Any

from sqlalchemy.exc import SQLAlchemyError

from backend.errors import RunCancelled
from backend.store import Store
from backend.tables import Run, RunState

log = logging.getLogger(__name__)

HEARTBEAT_SECONDS = 2.0

# Where each phase begins and ends on the way from 0 to 1: shares of the time of a run on 250 short documents.
_SHARES = {
    "fetching": (0.0, 0.03),
    "preparing": (0.03, 0.08),
    "training": (0.08, 0.85),
    "exporting": (0.85, 0.95),
    "evaluating": (0.95, 0.98),
    "publishing": (0.98, 1.0),
}


class RunProgress:
    """Called with a phase and the fraction of it that is done, from the thread that does the work.

    A call raises `RunCancelled` once the row says that this attempt is not to go on: cancelled by a person, or given
    to another process because this one had seemed dead. A process that outlives its worker ends itself.
    """

    def __init__(self, store: Store, run: Run) -> None:
        self._store = store
        self._run = run
        self._parent = os.getppid()
        self._started = time.monotonic()
        self._written = 0.0
        self._phase = ""
        self._stop = threading.Event()
        self._unwanted = threading.Event()
        self._heart = threading.Thread(target=self._beat, name="heartbeat", daemon=True)

    def __enter__(self) -> RunProgress:
        self._heart.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._heart.join()

    def __call__(self, phase: str, fraction: float) -> None:
        if self._unwanted.is_set():
            raise RunCancelled(f"Run {self._run.id} was ended while {phase}.")
        now = time.monotonic()
        if phase == self._phase and now - self._written < 1.0:
            return
        self._phase, self._written = phase, now
        begin, end = _SHARES[phase]
        done = begin + (end - begin) * min(max(fraction, 0.0), 1.0)
        elapsed = now - self._started
        self.note(phase=phase, progress=done, eta_seconds=elapsed * (1 - done) / done if done > 0.1 else None)

    def note(self, **columns: Any) -> None:
        """Write columns of the row; raise `RunCancelled` when the run is no longer this process's."""
        if not self._store.update_run(self._run.id, attempt=self._run.attempt, **columns):
            raise RunCancelled(f"Run {self._run.id} was ended from outside.")

    def end(self, state: RunState, *, error: str | None = None, version: str | None = None) -> None:
        """Give the run its end state, unless it has one already."""
        self._store.end_run(self._run.id, state, attempt=self._run.attempt, error=error, version=version)

    def _beat(self) -> None:
        while not self._stop.wait(HEARTBEAT_SECONDS):
            if os.getppid() != self._parent:
                log.error("the worker is gone; the run is queued again")
                self._store.requeue_run(self._run.id, attempt=self._run.attempt)
                os._exit(1)
            try:
                going = self._store.update_run(self._run.id, attempt=self._run.attempt)
            except SQLAlchemyError as error:  # the next beat may succeed, and only many missed ones end a run
                log.warning("run %s: no heartbeat written: %s", self._run.id, error)
                continue
            if not going:
                self._unwanted.set()
