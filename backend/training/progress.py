"""Writes a run's progress to its row, renews its lease, and notices that the run was cancelled or replaced."""

from __future__ import annotations

import logging
import os
import select
import threading
import time
from types import TracebackType
from typing import Any, Unpack

from backend.errors import RunCancelled
from backend.store import Store
from backend.store.lease import Lease
from backend.store.models import Run, RunState, Version
from backend.store.runs import Outcome
from backend.training.estimate import Estimate

log = logging.getLogger(__name__)

RENEW_SECONDS = 2.0


class RunProgress:
    """The progress callback of one run; called with a phase and the fraction of it that is done.

    While the context is open, a thread renews the run's lease. A call raises `RunCancelled` once this attempt must
    stop: a person cancelled the run, or it was given to another process because this one seemed dead. A process whose
    worker died queues the run again and exits: ``lifeline`` is the file descriptor of a pipe whose other end the worker
    holds, since a launcher may stand between the two.
    """

    def __init__(self, store: Store, run: Run, *, lifeline: int | None = None) -> None:
        self._store = store
        self._run = run
        self._parent = os.getppid()
        self._lifeline = lifeline
        self._estimate = Estimate(time.monotonic())
        self._written = 0.0
        self._phase = ""
        self._ended = threading.Event()
        self._lease = Lease(
            store.leases,
            "run",
            run.id,
            holder=str(run.attempt),
            renew_seconds=RENEW_SECONDS,
            on_renewal=self._on_renewal,
        )

    def __enter__(self) -> RunProgress:
        if not self._lease.acquire():
            self._ended.set()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._lease.stop_renewing()

    def __call__(self, phase: str, fraction: float) -> None:
        if self._ended.is_set() or self._lease.lost:
            raise RunCancelled(f"Run {self._run.id} was ended while {phase}.")
        now = time.monotonic()
        self._estimate.report(phase, fraction, now)
        if phase == self._phase and now - self._written < 1.0:
            return
        self._phase, self._written = phase, now
        self.note(phase=phase, **self._estimated(now))

    def _estimated(self, now: float) -> dict[str, float | None]:
        return {"progress": self._estimate.done(now), "eta_seconds": self._estimate.left(now)}

    def note(self, **columns: Any) -> None:
        """Write columns of the row; raise `RunCancelled` when the run is no longer this process's."""
        if not self._store.runs.update(self._run.id, attempt=self._run.attempt, **columns):
            raise RunCancelled(f"Run {self._run.id} was cancelled, or another process executes it now.")

    def publish(self, version: Version, **outcome: Unpack[Outcome]) -> None:
        """End the run with the version it made; raise `RunCancelled` when it is no longer this process's."""
        if not self._store.runs.publish(self._run.id, version, attempt=self._run.attempt, **outcome):
            raise RunCancelled(f"Run {self._run.id} was ended before it had published {version.name}.")

    def end(
        self, state: RunState, *, error: str | None = None, error_kind: str | None = None, version: str | None = None
    ) -> None:
        """Give the run its end state, unless it has one already."""
        self._store.runs.end(
            self._run.id, state, attempt=self._run.attempt, error=error, error_kind=error_kind, version=version
        )

    def _on_renewal(self) -> None:
        if self._is_orphan():
            log.error("the worker died; the run is queued again")
            self._store.runs.requeue(self._run.id, attempt=self._run.attempt)
            os._exit(1)
        estimated = self._estimated(time.monotonic())
        if not self._store.runs.update(self._run.id, attempt=self._run.attempt, **estimated):
            self._ended.set()

    def _is_orphan(self) -> bool:
        closed = self._lifeline is not None and select.select([self._lifeline], [], [], 0)[0]
        return bool(closed) or os.getppid() != self._parent
