"""Which project is due to be searched for wrong labels, who is at it, and what was found."""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterable, Sequence

from sqlalchemy import ColumnElement, and_, delete, func, or_, select, update
from sqlalchemy.orm import Session, aliased

from backend.errors import UnknownProject
from backend.store.database import Database
from backend.store.models import LIVE, Change, LabelIssue, Project, Review, Run

HOLD_SECONDS = 600.0
"""How long a review may be silent before another process takes it over: Label Studio's longest export."""

_PARAMETERS = 10_000


class Reviews:
    def __init__(self, database: Database) -> None:
        self._database = database

    def get(self, uid: str) -> Review | None:
        """A project's latest review, going or ended."""
        with self._database.read() as session:
            return session.get(Review, uid)

    def claim(self) -> Review | None:
        """Begin the review of a project whose latest finished run was followed by none; ``None`` when there is none.

        A project with a live run is not due. Of several workers exactly one gets a review.
        """
        now = time.time()
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
                or_(Review.project.is_(None), and_(Review.until < now, undone)),
            )
            .order_by(Run.finished_at)
        )
        with self._database.read() as session:
            waiting = session.execute(due).all()
        return next(filter(None, (self._take(uid, run) for uid, run in waiting)), None)

    def begin(self, uid: str) -> Review | None:
        """Begin a review, due or not; ``None`` where one is going."""
        latest = select(Run.id).where(Run.project == uid, Run.state == "finished").order_by(Run.finished_at.desc())
        with self._database.read() as session:
            if session.get(Project, uid) is None:
                raise UnknownProject(uid)
            run = session.scalar(latest.limit(1))
        return self._take(uid, run)

    def _take(self, uid: str, run: str | None) -> Review | None:
        now = time.time()
        claimed = {"id": secrets.token_hex(6), "run": run, "until": now + HOLD_SECONDS, "ended_at": None, "error": None}
        statement = self._database.insert(Review).values(project=uid, **claimed)
        statement = statement.on_conflict_do_update(index_elements=["project"], set_=claimed, where=Review.until < now)
        with self._database.write() as session:
            return session.scalar(statement.returning(Review))

    def going(self, review_id: str) -> Review | None:
        """The review that was claimed as this, if it is still going."""
        with self._database.read() as session:
            return session.scalar(select(Review).where(*_going(review_id)))

    def hold(self, review_id: str) -> bool:
        """Renew the right to go on; ``False`` where it has lapsed and another process has taken the review over."""
        return self._write(review_id, until=time.time() + HOLD_SECONDS)

    def release(self, review_id: str) -> None:
        """Give up a review that was interrupted; it is due again at once."""
        self._write(review_id, until=0.0)

    def fail(self, review_id: str, error: str) -> None:
        """End a review without a result; what was found before stays. It is not due again before the next run."""
        self._write(review_id, until=0.0, ended_at=time.time(), error=error)

    def _write(self, review_id: str, **columns: object) -> bool:
        with self._database.write() as session:
            row = session.scalar(update(Review).where(*_going(review_id)).values(columns).returning(Review.id))
        return row is not None

    def finish(self, review_id: str, label_issues: Sequence[LabelIssue], *, tasks: int, revision: int) -> bool:
        """End a review with what it found, in place of what was known; ``False``, and nothing is written, when another
        process has taken it over.

        Label issues of tasks that have changed since ``revision`` are left out.
        """
        done = {"until": 0.0, "ended_at": time.time(), "tasks": tasks}
        with self._database.write() as session:
            uid = session.scalar(update(Review).where(*_going(review_id)).values(done).returning(Review.project))
            if uid is None:
                return False
            session.get(Project, uid, with_for_update=True)  # no task changes between the question and the answer
            changed = select(Change.task).where(Change.project == uid, Change.revision > revision)
            later = set(session.scalars(changed))
            session.execute(delete(LabelIssue).where(LabelIssue.project == uid))
            session.add_all(each for each in label_issues if each.task not in later)
            return True

    def label_issues(self, uid: str, *, limit: int | None = None) -> list[LabelIssue]:
        """What the latest review found, the surest first; without tasks that have changed since."""
        query = select(LabelIssue).where(LabelIssue.project == uid).order_by(LabelIssue.score.desc(), LabelIssue.id)
        with self._database.read() as session:
            return list(session.scalars(query.limit(limit)))

    def count(self, uid: str) -> int:
        """How many there are."""
        with self._database.read() as session:
            return session.scalar(select(func.count()).select_from(LabelIssue).where(LabelIssue.project == uid)) or 0


def _going(review_id: str) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    return Review.id == review_id, Review.ended_at.is_(None)


def forget_label_issues(session: Session, uid: str, tasks: Iterable[str]) -> None:
    """Drop what is known of tasks that have changed."""
    names = list(tasks)
    for start in range(0, len(names), _PARAMETERS):
        batch = names[start : start + _PARAMETERS]
        session.execute(delete(LabelIssue).where(LabelIssue.project == uid, LabelIssue.task.in_(batch)))
