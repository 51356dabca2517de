"""Leases: the right of one process to do a piece of work.

A lease that is not renewed lapses, so that a process that died does not block the next one.

Training runs, reviews and the sync of predictions hold one each while they work; this module is the only one that
acquires, renews and releases them.
"""

from __future__ import annotations

import logging
import secrets
import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import Any, Literal

from sqlalchemy import ColumnElement, delete, exists, func, or_, select, update
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from backend.store.database import Database
from backend.store.models import LeaseRow

log = logging.getLogger(__name__)

LeaseKind = Literal["run", "review", "sync", "worker", "check"]
"""What is leased: a training run (keyed by its id), a project's review, the sync of a project's predictions (uid).

A worker holds a lease while it runs; ``check`` takes and releases one to see whether the database can be written.
"""

LEASE_SECONDS = 60.0
"""How long a lease outlives its process: longer than Label Studio takes for an import that was cut off."""

RENEW_SECONDS = 10.0


class Leases:
    """The leases of one database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def acquire(self, kind: LeaseKind, key: str, holder: str) -> bool:
        """Take the lease if nobody else holds it; of several processes exactly one succeeds."""
        with self._database.write() as session:
            return acquire_lease(session, self._database, kind, key, holder)

    def renew(self, kind: LeaseKind, key: str, holder: str) -> bool:
        """Prolong the lease; ``False`` when another process holds it."""
        with self._database.write() as session:
            return renew_lease(session, kind, key, holder)

    def release(self, kind: LeaseKind, key: str, holder: str) -> None:
        """Give the lease back, if this holder still has it."""
        with self._database.write() as session:
            release_lease(session, kind, key=key, holder=holder)

    def held(self, kind: LeaseKind) -> int:
        """How many leases of this kind are held."""
        count = select(func.count()).select_from(LeaseRow).where(LeaseRow.kind == kind, _is_live())
        with self._database.read() as session:
            return session.scalar(count) or 0

    def forget_lapsed(self, kind: LeaseKind) -> None:
        """Remove the leases of this kind that dead processes have left behind."""
        with self._database.write() as session:
            session.execute(delete(LeaseRow).where(LeaseRow.kind == kind, ~_is_live()))

    def renewed_at(self, kind: LeaseKind, key: str) -> float | None:
        """When a lease that is held was last renewed; ``None`` where nobody holds it."""
        row = select(LeaseRow.renewed_at).where(LeaseRow.kind == kind, LeaseRow.key == key, _is_live())
        with self._database.read() as session:
            return session.scalar(row)


def acquire_lease(session: Session, database: Database, kind: LeaseKind, key: str, holder: str) -> bool:
    """`Leases.acquire` as part of a transaction."""
    term = _term(holder)
    statement = database.insert(LeaseRow).values(kind=kind, key=key, **term)
    free = or_(~_is_live(), LeaseRow.holder == holder)
    statement = statement.on_conflict_do_update(index_elements=["kind", "key"], set_=term, where=free)
    return session.scalar(statement.returning(LeaseRow.key)) is not None


def renew_lease(session: Session, kind: LeaseKind, key: str, holder: str) -> bool:
    """`Leases.renew` as part of a transaction."""
    own = (LeaseRow.kind == kind, LeaseRow.key == key, LeaseRow.holder == holder)
    renewed = update(LeaseRow).where(*own).values(_term(holder)).returning(LeaseRow.key)
    return session.scalar(renewed) is not None


def release_lease(session: Session, kind: LeaseKind, *, key: str | None = None, holder: str | None = None) -> None:
    """Give back the lease with this key, or the one that this holder has, or only where both are true."""
    statement = delete(LeaseRow).where(LeaseRow.kind == kind)
    if key is not None:
        statement = statement.where(LeaseRow.key == key)
    if holder is not None:
        statement = statement.where(LeaseRow.holder == holder)
    session.execute(statement)


def is_leased(kind: LeaseKind, key: Any) -> ColumnElement[bool]:
    """A condition for queries: somebody holds the lease whose key is in this column."""
    return exists().where(LeaseRow.kind == kind, LeaseRow.key == key, _is_live())


def _term(holder: str) -> dict[str, Any]:
    now = time.time()
    return {"holder": holder, "renewed_at": now, "expires_at": now + LEASE_SECONDS}


def _is_live() -> ColumnElement[bool]:
    return LeaseRow.expires_at > time.time()


class Lease:
    """One process's lease, as a context manager; between `acquire` and the end a thread renews it.

    Once another process has acquired it, it stays lost: `renew` returns ``False`` from then on. After each renewal the
    thread calls ``on_renewal``. A lease is acquired once.
    """

    def __init__(
        self,
        leases: Leases,
        kind: LeaseKind,
        key: str,
        *,
        holder: str | None = None,
        renew_seconds: float | None = None,
        on_renewal: Callable[[], object] = lambda: None,
    ) -> None:
        self._leases = leases
        self._kind: LeaseKind = kind
        self._key = key
        self._holder = holder or secrets.token_hex(8)
        self._renew_seconds = renew_seconds
        self._on_renewal = on_renewal
        self._lost = False
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None

    def __enter__(self) -> Lease:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()

    def acquire(self) -> bool:
        """Take the lease, if nobody else holds it, and keep it; may be tried again."""
        if not self._leases.acquire(self._kind, self._key, self._holder):
            return False
        self._thread = threading.Thread(target=self._keep, name=f"{self._kind} lease", daemon=True)
        self._thread.start()
        return True

    def renew(self) -> bool:
        """Prolong the lease now; ``False`` when it was lost. Call it before each step that others must not repeat."""
        self._lost = self._lost or not self._leases.renew(self._kind, self._key, self._holder)
        return not self._lost

    @property
    def lost(self) -> bool:
        """Whether another process had acquired it when it was last renewed."""
        return self._lost

    def stop_renewing(self) -> None:
        """Leave the lease to lapse, so that the work is not tried again at once."""
        self._ended.set()
        if self._thread:
            self._thread.join()

    def release(self) -> None:
        """Give the lease back, if it was acquired."""
        self.stop_renewing()
        if self._thread:
            self._leases.release(self._kind, self._key, self._holder)

    def _keep(self) -> None:
        while not self._ended.wait(self._renew_seconds or RENEW_SECONDS):
            try:
                self.renew()
                self._on_renewal()
            except SQLAlchemyError as error:  # the next attempt may succeed before the lease lapses
                log.warning("the %s lease of %s was not renewed: %s", self._kind, self._key, error)
