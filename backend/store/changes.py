"""Tasks whose annotations changed since the last snapshot."""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import String, cast, delete, func, select, union, update
from sqlalchemy.orm import Session

from backend.errors import UnknownProject
from backend.store.database import Database
from backend.store.models import Annotation, Change, Project
from backend.store.reviews import forget_label_issues


class Changes:
    def __init__(self, database: Database) -> None:
        self._database = database

    def record(self, uid: str, tasks: Iterable[str], *, labelled: bool = True) -> int:
        """Count these tasks as changed, each once; return how many tasks are counted now.

        ``labelled=False``: they may have lost their last annotation, so only those that are stored tell. What a review
        found in the tasks is about labels that are no more, so it is forgotten.
        """
        with self._database.write() as session:
            revision = session.scalar(
                update(Project)
                .where(Project.uid == uid)
                .values(revision=Project.revision + 1)
                .returning(Project.revision)
            )
            if revision is None:
                raise UnknownProject(uid)
            change = {"project": uid, "revision": revision, "labelled": labelled}
            rows = [{**change, "task": task} for task in dict.fromkeys(tasks)]
            if rows:
                statement = self._database.insert(Change)
                newer = {"revision": statement.excluded.revision, "labelled": statement.excluded.labelled}
                session.execute(statement.on_conflict_do_update(index_elements=["project", "task"], set_=newer), rows)
                forget_label_issues(session, uid, [row["task"] for row in rows])
            return _count(session, uid)

    def count(self, uid: str, *, since: int = 0) -> int:
        """Tasks counted as changed; only those that changed after revision ``since``."""
        with self._database.read() as session:
            return _count(session, uid, since)

    def count_labelled(self, uid: str, *, up_to: int) -> int:
        """Labelled tasks, at most ``up_to``: those whose annotations are stored, and those that changed.

        Events of an import name tasks and no annotations; these are stored when a worker compares the project. Changed
        tasks that may have lost their last annotation are not counted for that.
        """
        stored = select(cast(Annotation.task, String)).where(Annotation.project == uid)
        changed = select(Change.task).where(
            Change.project == uid, Change.labelled, Change.task.not_like("annotation-%")
        )
        first = union(stored, changed).limit(up_to).subquery()
        with self._database.read() as session:
            return session.scalar(select(func.count()).select_from(first)) or 0


def settle_changes(session: Session, uid: str, revision: int) -> None:
    """Forget the changes that a snapshot taken at ``revision`` contains; later ones stay counted."""
    session.execute(delete(Change).where(Change.project == uid, Change.revision <= revision))


def _count(session: Session, uid: str, since: int = 0) -> int:
    counted = select(func.count()).select_from(Change).where(Change.project == uid, Change.revision > since)
    return session.scalar(counted) or 0
