"""Which task each annotation belongs to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sqlalchemy import delete, func, select

from backend.store.database import Database
from backend.store.models import Annotation

_PARAMETERS = 10_000
"""Ids in one statement: SQLite takes at most 32,766, PostgreSQL 65,535."""


class Annotations:
    def __init__(self, database: Database) -> None:
        self._database = database

    def remember(self, uid: str, tasks: Mapping[int, int]) -> None:
        """Remember the task of each annotation: ``{annotation id: task id}``."""
        rows = [{"project": uid, "annotation": key, "task": value} for key, value in tasks.items()]
        with self._database.write() as session:
            if rows:
                session.execute(self._database.insert(Annotation).on_conflict_do_nothing(), rows)

    def replace(self, uid: str, tasks: Mapping[int, int]) -> None:
        """Make ``{annotation id: task id}`` all that is known of a project's annotations."""
        rows = [{"project": uid, "annotation": key, "task": value} for key, value in tasks.items()]
        with self._database.write() as session:
            session.execute(delete(Annotation).where(Annotation.project == uid))
            if rows:
                session.execute(self._database.insert(Annotation), rows)

    def of(self, uid: str) -> dict[int, int]:
        """All known annotations of a project: ``{annotation id: task id}``."""
        with self._database.read() as session:
            query = select(Annotation.annotation, Annotation.task).where(Annotation.project == uid)
            return dict(session.execute(query).all())

    def count_tasks(self, uid: str) -> int:
        """How many tasks of a project have annotations."""
        with self._database.read() as session:
            query = select(func.count(Annotation.task.distinct())).where(Annotation.project == uid)
            return session.scalar(query) or 0

    def forget(self, uid: str, annotations: Sequence[int]) -> dict[int, int]:
        """Drop deleted annotations; return the tasks of those that were known."""
        with self._database.write() as session:
            forgotten: dict[int, int] = {}
            for start in range(0, len(annotations), _PARAMETERS):
                batch = annotations[start : start + _PARAMETERS]
                deleted = session.execute(
                    delete(Annotation)
                    .where(Annotation.project == uid, Annotation.annotation.in_(batch))
                    .returning(Annotation.annotation, Annotation.task)
                )
                forgotten.update(deleted.all())
            return forgotten
