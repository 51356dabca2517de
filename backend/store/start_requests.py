"""START_TRAINING events of projects in which annotations send them too, until it is clear who sent each.

With "Start model training on annotation submission" on, Label Studio 1.23.2 sends START_TRAINING while it saves an
annotation, 0.1 to 0.2 s before the event of that annotation. The request is the same, byte for byte, as that of the
button, so only the missing event of an annotation tells that a person pressed the button.
"""

from __future__ import annotations

import time

from sqlalchemy import delete, select

from backend.store.database import Database
from backend.store.models import StartRequest

WAIT_SECONDS = 10.0
"""How long a request waits for the event of its annotation: where Label Studio has Redis, events may be late."""


class StartRequests:
    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, uid: str) -> None:
        with self._database.write() as session:
            session.add(StartRequest(project=uid))

    def withdraw(self, uid: str) -> None:
        """Remove the oldest request that still waits: the event of its annotation has arrived."""
        oldest = (
            select(StartRequest.id)
            .where(StartRequest.project == uid, StartRequest.requested_at > time.time() - WAIT_SECONDS)
            .order_by(StartRequest.requested_at, StartRequest.id)
            .limit(1)
            .scalar_subquery()
        )
        with self._database.write() as session:
            session.execute(delete(StartRequest).where(StartRequest.id == oldest))

    def take_due(self) -> set[str]:
        """Remove the requests for which no annotation's event arrived in time; return their projects."""
        due = StartRequest.requested_at <= time.time() - WAIT_SECONDS
        with self._database.write() as session:
            return set(session.scalars(delete(StartRequest).where(due).returning(StartRequest.project)))
