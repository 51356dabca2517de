"""Projects of Label Studio, and the version that serves each."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any, TypedDict, Unpack

from sqlalchemy import bindparam, select, update

from backend.errors import UnknownProject
from backend.store.database import Database
from backend.store.models import PhrasesRow, Project
from backend.store.phrases import PHRASES

UNTRAINED = "untrained"
"""The model version of a project that has neither a version nor phrases."""

_CURRENT_VERSION = select(Project.current_version).where(Project.uid == bindparam("uid"))


class ProjectFields(TypedDict, total=False):
    """What Label Studio, or for ``label_map`` the lead, tells of a project."""

    title: str | None
    label_config: str | None
    starts_training_every: int | None
    access_token: str | None
    extra_params: Mapping[str, Any] | None
    label_map: Mapping[str, str] | None


class TaskCounts(TypedDict):
    """Label Studio's numbers at ``counted_at`` (Unix time): of all ``tasks``, and of those that are ``skipped``.

    A task is skipped if somebody has skipped it and nobody has labelled it. ``annotations`` and ``skips`` are the
    numbers of annotations that people submitted and that skip a task: where both are the same, so is ``skipped``.
    """

    tasks: int
    skipped: int
    annotations: int
    skips: int
    counted_at: float


class Projects:
    def __init__(self, database: Database) -> None:
        self._database = database
        self._current_version = _CURRENT_VERSION.compile(dialect=database.engine.dialect)

    def save(self, uid: str, **fields: Unpack[ProjectFields]) -> Project:
        """Create the project, or update the fields that are given and not ``None``; writes only what changed."""
        given = {name: value for name, value in fields.items() if value is not None}
        project = self.find(uid)
        if project and all(getattr(project, name) == value for name, value in given.items()):
            return project
        with self._database.write() as session:
            session.execute(
                self._database.insert(Project)
                .values(uid=uid, **given)
                .on_conflict_do_update(index_elements=["uid"], set_=given or {"uid": uid})
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
        """Note that a project has just been compared with Label Studio; ``error`` is one sentence if that failed."""
        with self._database.write() as session:
            session.execute(update(Project).where(Project.uid == uid).values(synced_at=time.time(), sync_error=error))

    def note_counts(self, uid: str, counts: TaskCounts) -> None:
        """Store Label Studio's numbers of tasks."""
        with self._database.write() as session:
            session.execute(update(Project).where(Project.uid == uid).values(task_counts=dict(counts)))

    def current_version(self, uid: str) -> str | None:
        """The version that serves a project; ``None`` where there is none or the project is unknown.

        Called for every prediction, so it uses a raw connection: SQLAlchemy's own take three times as long.
        """
        query, connection = self._current_version, self._database.engine.raw_connection()
        try:
            cursor = connection.cursor()
            cursor.execute(str(query), (uid,) if query.positional else {"uid": uid})
            row = cursor.fetchone()
        finally:
            connection.close()
        return row[0] if row else None

    def serving(self, uid: str) -> str:
        """What Label Studio is told as model version: the current one, else `PHRASES` or `UNTRAINED`."""
        if current := self.current_version(uid):
            return current
        with self._database.read() as session:
            number = session.scalar(select(PhrasesRow.number).where(PhrasesRow.project == uid))
        return PHRASES if number else UNTRAINED
