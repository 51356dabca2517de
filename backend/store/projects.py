"""Projects of Label Studio, and which version each is served with."""

from __future__ import annotations

import time
from typing import Any

from sqlalchemy import bindparam, select, update

from backend.errors import UnknownProject
from backend.store.database import Database
from backend.store.models import Project

_CURRENT_VERSION = select(Project.current_version).where(Project.uid == bindparam("uid"))


class Projects:
    def __init__(self, database: Database) -> None:
        self._database = database
        self._current_version = _CURRENT_VERSION.compile(dialect=database.engine.dialect)

    def remember(self, uid: str, **known: Any) -> Project:
        """Create the project or update what is ``known`` of it; writes nothing when nothing changed."""
        known = {name: value for name, value in known.items() if value is not None}
        project = self.find(uid)
        if project and all(getattr(project, name) == value for name, value in known.items()):
            return project
        with self._database.write() as session:
            session.execute(
                self._database.insert(Project)
                .values(uid=uid, **known)
                .on_conflict_do_update(index_elements=["uid"], set_=known or {"uid": uid})
            )
            return session.get_one(Project, uid)

    def find(self, uid: str) -> Project | None:
        with self._database.read() as session:
            return session.get(Project, uid)

    def get(self, uid: str) -> Project:
        project = self.find(uid)
        if project is None:
            raise UnknownProject(uid)
        return project

    def all(self) -> list[Project]:
        with self._database.read() as session:
            return list(session.scalars(select(Project).order_by(Project.created_at)))

    def note_comparison(self, uid: str, error: str | None) -> None:
        """Note that a project has just been compared with Label Studio, or in one sentence why that failed."""
        with self._database.write() as session:
            session.execute(update(Project).where(Project.uid == uid).values(synced_at=time.time(), sync_error=error))

    def current_version(self, uid: str) -> str | None:
        """The version a project is served with, if there are both; asked for at every prediction."""
        # Past SQLAlchemy's own connections, which take three times as long as the question.
        question, connection = self._current_version, self._database.engine.raw_connection()
        try:
            cursor = connection.cursor()
            cursor.execute(str(question), (uid,) if question.positional else {"uid": uid})
            row = cursor.fetchone()
        finally:
            connection.close()
        return row[0] if row else None
