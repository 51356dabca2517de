"""Reviews: the search for wrong labels in a project, and the label issues it found."""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterable, Iterator, Sequence

from sqlalchemy import ColumnElement, ScalarSelect, and_, delete, func, literal, or_, select, update
from sqlalchemy.orm import Session, aliased

from backend.errors import UnknownProject
from backend.store.database import Database
from backend.store.lease import acquire_lease, is_leased, release_lease
from backend.store.models import LIVE, Change, LabelIssue, Project, Review, Run

OVERDUE_SECONDS = 3600.0
"""A review that is due for longer is not put off for runs that changed tasks have started."""

_PARAMETERS = 10_000


class Reviews:
    def __init__(self, database: Database) -> None:
        self._database = database

    def get(self, uid: str) -> Review | None:
        """A project's latest review, in progress or ended."""
        with self._database.read() as session:
            return session.get(Review, uid)

    def claim(self, *, overdue: bool = False) -> Review | None:
        """Begin the review of a project whose latest finished run has not been reviewed; ``None`` when there is none.

        A project with a live run is not due. With ``overdue`` a queued run does not matter, but the review must be due
        for `OVERDUE_SECONDS`: since the first run that finished after the last review. Of several workers exactly one
        gets a review.
        """
        latest = select(Run.project, func.max(Run.finished_at).label("at")).where(Run.state == "finished")
        newest = latest.group_by(Run.project).subquery()
        other = aliased(Run)
        training = select(other.project).where(other.state.in_(("started",) if overdue else LIVE))
        long_enough = _due_since() < time.time() - OVERDUE_SECONDS if overdue else literal(True)
        undone = or_(Review.run.is_(None), Review.run != Run.id, Review.ended_at.is_(None))
        due = (
            select(Run.project, Run.id)
            .join(newest, and_(Run.project == newest.c.project, Run.finished_at == newest.c.at))
            .outerjoin(Review, Review.project == Run.project)
            .where(
                Run.state == "finished",
                Run.project.not_in(training),
                long_enough,
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
        values = {"id": review_id, "run": run, "ended_at": None, "error": None, "error_kind": None, "progress": None}
        statement = self._database.insert(Review).values(project=uid, **values)
        previous_end = func.coalesce(Review.ended_at, Review.previous_end)
        statement = statement.on_conflict_do_update(
            index_elements=["project"], set_={**values, "previous_end": previous_end}
        )
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

    def note_progress(self, review_id: str, fraction: float) -> None:
        """Store the fraction of a review that is done."""
        with self._database.write() as session:
            session.execute(update(Review).where(*_is_open(review_id)).values(progress=fraction))

    def fail(self, review_id: str, error: str, *, kind: str | None = None) -> None:
        """End a review without a result; earlier label issues stay. It is not due again before the next run."""
        failed = {"ended_at": time.time(), "error": error, "error_kind": kind}
        with self._database.write() as session:
            session.execute(update(Review).where(*_is_open(review_id)).values(failed))
            release_lease(session, "review", holder=review_id)

    def finish(self, review_id: str, label_issues: Sequence[LabelIssue], *, tasks: int, revision: int) -> bool:
        """End a review with the label issues it found, which replace the earlier ones.

        ``False``, and nothing is written, when another process has taken the review over. Issues of tasks that have
        changed since ``revision`` are left out, and those about labels that a person has accepted.
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
            session.execute(delete(LabelIssue).where(*_is_listed(uid)))
            accepted = list(session.scalars(select(LabelIssue).where(LabelIssue.project == uid)))
            new = [issue for issue in label_issues if issue.task not in later]
            session.add_all(_without_accepted(new, accepted))
            return True

    def label_issues(self, uid: str, *, limit: int | None = None) -> list[LabelIssue]:
        """The issues of the latest review, the surest first; without accepted ones and tasks changed since."""
        query = select(LabelIssue).where(*_is_listed(uid)).order_by(LabelIssue.score.desc(), LabelIssue.id)
        with self._database.read() as session:
            return list(session.scalars(query.limit(limit)))

    def accepted(self, uid: str) -> list[LabelIssue]:
        """The issues whose label is right, as a person has said, the latest first."""
        query = select(LabelIssue).where(LabelIssue.project == uid, LabelIssue.accepted_at.is_not(None))
        with self._database.read() as session:
            return list(session.scalars(query.order_by(LabelIssue.accepted_at.desc(), LabelIssue.id)))

    def accept(self, uid: str, key: str, *, accepted: bool = True) -> LabelIssue | None:
        """Note that the label of an issue is right, or take that back; ``None`` where no such issue exists.

        ``key`` is `LabelIssue.key`. One that is accepted already stays so.
        """
        with self._database.write() as session:
            issues = session.scalars(select(LabelIssue).where(LabelIssue.project == uid))
            issue = next((issue for issue in issues if issue.key == key), None)
            if issue and accepted != (issue.accepted_at is not None):
                issue.accepted_at = time.time() if accepted else None
            return issue

    def count(self, uid: str) -> int:
        """How many label issues of a project are listed."""
        with self._database.read() as session:
            return session.scalar(select(func.count()).select_from(LabelIssue).where(*_is_listed(uid))) or 0


def _is_open(review_id: str) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    return Review.id == review_id, Review.ended_at.is_(None)


def _is_listed(uid: str) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    return LabelIssue.project == uid, LabelIssue.accepted_at.is_(None)


def _due_since() -> ScalarSelect[float | None]:
    """When the first run finished that the last review of the same project did not follow."""
    run = aliased(Run)
    last_review = func.coalesce(Review.ended_at, Review.previous_end, 0.0)
    first = select(func.min(run.finished_at)).where(run.project == Run.project, run.state == "finished")
    return first.where(run.finished_at > last_review).correlate(Run, Review).scalar_subquery()


def _without_accepted(label_issues: Iterable[LabelIssue], accepted: Iterable[LabelIssue]) -> Iterator[LabelIssue]:
    """The issues about other labels than the accepted ones.

    Where nothing is marked, a later model may see a slightly longer or shorter entity: it is the same issue.
    """
    by_text: dict[tuple[str, str, str | None], list[LabelIssue]] = {}
    for issue in accepted:
        by_text.setdefault((issue.task, issue.text_name or "", issue.given), []).append(issue)
    for issue in label_issues:
        same_label = by_text.get((issue.task, issue.text_name or "", issue.given), ())
        if not any(issue.start < other.end and other.start < issue.end for other in same_label):
            yield issue


def forget_label_issues(session: Session, uid: str, tasks: Iterable[str]) -> None:
    """Delete the issues of tasks that have changed."""
    names = list(tasks)
    for start in range(0, len(names), _PARAMETERS):
        batch = names[start : start + _PARAMETERS]
        session.execute(delete(LabelIssue).where(LabelIssue.project == uid, LabelIssue.task.in_(batch)))
