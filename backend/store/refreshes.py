"""Requests to bring a project's predictions in Label Studio up to date, and who is at it."""

from __future__ import annotations

import time

from sqlalchemy import select, update

from backend.errors import UnknownProject
from backend.store.database import Database
from backend.store.models import Project


class Refreshes:
    def __init__(self, database: Database) -> None:
        self._database = database

    def want(self, uid: str) -> None:
        """Note that predictions are to be brought up to date, also when that is being done already."""
        with self._database.write() as session:
            session.execute(update(Project).where(Project.uid == uid).values(refresh_wanted=Project.refresh_wanted + 1))

    def due(self, uid: str) -> int | None:
        """The number of the latest request not yet served, ``None`` when all are."""
        query = select(Project.refresh_wanted, Project.refresh_done).where(Project.uid == uid)
        with self._database.read() as session:
            row = session.execute(query).one_or_none()
        if row is None:
            raise UnknownProject(uid)
        wanted, done = row
        return wanted if wanted > done else None

    def served(self, uid: str, request: int) -> None:
        with self._database.write() as session:
            session.execute(update(Project).where(Project.uid == uid).values(refresh_done=request))

    def hold(self, uid: str, *, seconds: float, holder: str) -> bool:
        """Take or renew the right to refresh a project; a dead holder's right lapses after ``seconds``."""
        now = time.time()
        free = (Project.refresh_until < now) | (Project.refresh_holder == holder)
        with self._database.write() as session:
            held = session.scalar(
                update(Project)
                .where(Project.uid == uid, free)
                .values(refresh_until=now + seconds, refresh_holder=holder)
                .returning(Project.uid)
            )
        return held is not None
