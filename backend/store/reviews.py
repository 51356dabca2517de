"""Reviews: the search for wrong labels in a project, and the label issues it found."""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterable, Sequence

from sqlalchemy import ColumnElement, and_, delete, func, literal, or_, select, update
from sqlalchemy.orm import Session, aliased

from backend.errors import UnknownProject
from backend.store.database import Database
from backend.store.lease import acquire_lease, is_leased, release_lease
from backend.store.models import LIVE, Change, LabelIssue, Project, Review, Run

_PARAMETERS = 10_000


class Reviews:
    def __init__(self, database: Database) -> None:
        self._database = database

    def get(self, uid: str) -> Review | None:
        """A project's latest review, in progress or ended."""
        with self._database.read() as session:
            return session.get(Review, uid)

    def claim(self) -> Review | None:
        """Begin the review of a project whose latest finished run has not been reviewed; ``None`` when there is none.

        A project with a live run is not due. Of several workers exactly one gets a review.
        """
        latest = select(Run.project, func.max(Run.finished_at).label("at")).where(Run.state == "finished")
        newest = latest.group_by(Run.project).subquery()
        other = aliased(Run)
        training = select(other.project).where(other.state.in_(LIVE))
        undone = or_(Review.run.is_(None), Review.run != Run.id, Review.ended_at.is_(None))
        due = (
            select(Run.project, Run.id)
            .join(newest, and_(Run.project == newest.c.project, Run.finished_at == newest.c.at))
            .outerjoin(Review, Review.project == Run.project)
            .where(
                Run.state == "finished",
                Run.project.not_in(training),
                or_(Review.project.is_(None), and_(~is_leased("review", Review.project), undone)),
            )
            .order_by(Run.finished_at)
        )
        with self._database.read() as session:
            waiting = session.execute(due).all()
        return next(filter(None, (self._take(uid, run) for uid, run in waiting)), None)

    def begin(self, uid: str) -> Review | None:
        """Begin a review, due or not; ``None`` where one is in progress."""
        latest = select(Run.id).where(Run.project == uid, Run.state == "finished").order_by(Run.finished_at.desc())
        with self._database.read() as session:
            if session.get(Project, uid) is None:
                raise UnknownProject(uid)
            run = session.scalar(latest.limit(1))
        return self._take(uid, run)

    def _take(self, uid: str, run: str | None) -> Review | None:
        review_id = secrets.token_hex(6)
        values = {"id": review_id, "run": run, "ended_at": None, "error": None}
        statement = self._database.insert(Review).values(project=uid, **values)
        statement = statement.on_conflict_do_update(index_elements=["project"], set_=values)
        with self._database.write() as session:
            if not acquire_lease(session, self._database, "review", uid, review_id):
                return None
            return session.scalar(statement.returning(Review))

    def find_open(self, review_id: str) -> Review | None:
        """The review of that id, if it has not ended and no other process has taken it over."""
        with self._database.read() as session:
            return session.scalar(select(Review).where(*_is_open(review_id)))

    def in_progress(self, uid: str) -> bool:
        """Whether a process is reviewing the project now."""
        with self._database.read() as session:
            return session.scalar(select(is_leased("review", literal(uid)))) or False

    def release(self, review_id: str) -> None:
        """Give up a review that was interrupted; it is due again at once."""
        with self._database.write() as session:
            release_lease(session, "review", holder=review_id)

    def fail(self, review_id: str, error: str) -> None:
        """End a review without a result; earlier label issues stay. It is not due again before the next run."""
        failed = {"ended_at": time.time(), "error": error}
        with self._database.write() as session:
            session.execute(update(Review).where(*_is_open(review_id)).values(failed))
            release_lease(session, "review", holder=review_id)

    def finish(self, review_id: str, label_issues: Sequence[LabelIssue], *, tasks: int, revision: int) -> bool:
        """End a review with the label issues it found, which replace the earlier ones.

        ``False``, and nothing is written, when another process has taken the review over. Issues of tasks that have
        changed since ``revision`` are left out.
        """
        done = {"ended_at": time.time(), "tasks": tasks}
        with self._database.write() as session:
            uid = session.scalar(update(Review).where(*_is_open(review_id)).values(done).returning(Review.project))
            if uid is None:
                return False
            release_lease(session, "review", holder=review_id)
            session.get(Project, uid, with_for_update=True)  # no task changes between the query and the insert
            changed = select(Change.task).where(Change.project == uid, Change.revision > revision)
            later = set(session.scalars(changed))
            session.execute(delete(LabelIssue).where(LabelIssue.project == uid))
            session.add_all(issue for issue in label_issues if issue.task not in later)
            return True

    def label_issues(self, uid: str, *, limit: int | None = None) -> list[LabelIssue]:
        """The issues of the latest review, the surest first; without tasks that have changed since."""
        query = select(LabelIssue).where(LabelIssue.project == uid).order_by(LabelIssue.score.desc(), LabelIssue.id)
        with self._database.read() as session:
            return list(session.scalars(query.limit(limit)))

    def count(self, uid: str) -> int:
        """How many label issues a project has."""
        with self._database.read() as session:
            return session.scalar(select(func.count()).select_from(LabelIssue).where(LabelIssue.project == uid)) or 0


def _is_open(review_id: str) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    return Review.id == review_id, Review.ended_at.is_(None)


def forget_label_issues(session: Session, uid: str, tasks: Iterable[str]) -> None:
    """Delete the issues of tasks that have changed."""
    names = list(tasks)
    for start in range(0, len(names), _PARAMETERS):
        batch = names[start : start + _PARAMETERS]
        session.execute(delete(LabelIssue).where(LabelIssue.project == uid, LabelIssue.task.in_(batch)))
