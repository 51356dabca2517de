"""The database: queries over the rows of `backend.tables`.

One `Store` a process. SQLite in WAL mode or PostgreSQL; every method is one short transaction, so a web request
never waits for a training run.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Update, bindparam, delete, func, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from backend.database import create_tables, open_engine
from backend.errors import UnknownProject, UnknownRun, UnknownVersion
from backend.tables import LIVE, Annotation, Change, Project, Run, RunState, Version

_PARAMETERS = 10_000
"""Ids in one statement: SQLite takes at most 32,766, PostgreSQL 65,535."""

_CURRENT_VERSION = select(Project.current_version).where(Project.uid == bindparam("uid"))


class Store:
    """Queries over one database; safe to share between threads, opened anew in each process."""

    def __init__(self, url: str) -> None:
        self.engine = open_engine(url)
        self._writes = self.engine.execution_options(writes=True)
        self._current_version = _CURRENT_VERSION.compile(dialect=self.engine.dialect)
        self._insert: Callable[..., Any] = (
            postgresql.insert if self.engine.dialect.name == "postgresql" else sqlite.insert
        )
        create_tables(self._writes)

    @contextmanager
    def _read(self) -> Iterator[Session]:
        with Session(self.engine, expire_on_commit=False) as session:
            yield session

    @contextmanager
    def _write(self) -> Iterator[Session]:
        with Session(self._writes, expire_on_commit=False) as session, session.begin():
            yield session

    def close(self) -> None:
        self.engine.dispose()

    # Projects

    def remember_project(self, uid: str, **known: Any) -> Project:
        """Create the project or update what is ``known`` of it; writes nothing when nothing changed."""
        known = {name: value for name, value in known.items() if value is not None}
        project = self.find_project(uid)
        if project and all(getattr(project, name) == value for name, value in known.items()):
            return project
        with self._write() as session:
            session.execute(
                self._insert(Project)
                .values(uid=uid, **known)
                .on_conflict_do_update(index_elements=["uid"], set_=known or {"uid": uid})
            )
            return session.get_one(Project, uid)

    def find_project(self, uid: str) -> Project | None:
        with self._read() as session:
            return session.get(Project, uid)

    def current_version(self, uid: str) -> str | None:
        """The version a project is served with, if there are both; asked for at every prediction."""
        # Past SQLAlchemy's own connections, which take three times as long as the question.
        question, connection = self._current_version, self.engine.raw_connection()
        try:
            cursor = connection.cursor()
            cursor.execute(str(question), (uid,) if question.positional else {"uid": uid})
            row = cursor.fetchone()
        finally:
            connection.close()
        return row[0] if row else None

    def project(self, uid: str) -> Project:
        project = self.find_project(uid)
        if project is None:
            raise UnknownProject(uid)
        return project

    def projects(self) -> list[Project]:
        with self._read() as session:
            return list(session.scalars(select(Project).order_by(Project.created_at)))

    # Refreshing a project's predictions in Label Studio

    def want_refresh(self, uid: str) -> None:
        """Note that predictions are to be brought up to date, also when that is being done already."""
        with self._write() as session:
            session.execute(update(Project).where(Project.uid == uid).values(refresh_wanted=Project.refresh_wanted + 1))

    def refresh_due(self, uid: str) -> int | None:
        """The number of the latest request not yet served, ``None`` when all are."""
        project = self.project(uid)
        return project.refresh_wanted if project.refresh_wanted > project.refresh_done else None

    def refresh_served(self, uid: str, request: int) -> None:
        with self._write() as session:
            session.execute(update(Project).where(Project.uid == uid).values(refresh_done=request))

    def hold_refresh(self, uid: str, *, seconds: float, holder: str) -> bool:
        """Take or renew the right to refresh a project; a dead holder's right lapses after ``seconds``."""
        now = time.time()
        free = (Project.refresh_until < now) | (Project.refresh_holder == holder)
        with self._write() as session:
            held = session.scalar(
                update(Project)
                .where(Project.uid == uid, free)
                .values(refresh_until=now + seconds, refresh_holder=holder)
                .returning(Project.uid)
            )
        return held is not None

    # Changed labels

    def record_changes(self, uid: str, tasks: Iterable[str]) -> int:
        """Count these tasks as changed, each once; return how many tasks are counted now."""
        with self._write() as session:
            revision = session.scalar(
                update(Project)
                .where(Project.uid == uid)
                .values(revision=Project.revision + 1)
                .returning(Project.revision)
            )
            if revision is None:
                raise UnknownProject(uid)
            rows = [{"project": uid, "task": task, "revision": revision} for task in dict.fromkeys(tasks)]
            if rows:
                statement = self._insert(Change)
                newer = {"revision": statement.excluded.revision}
                session.execute(statement.on_conflict_do_update(index_elements=["project", "task"], set_=newer), rows)
            return _count_changes(session, uid)

    def count_changes(self, uid: str) -> int:
        with self._read() as session:
            return _count_changes(session, uid)

    def settle_changes(self, uid: str, revision: int) -> None:
        """Forget the changes that a snapshot taken at ``revision`` contains; later ones stay counted."""
        with self._write() as session:
            session.execute(delete(Change).where(Change.project == uid, Change.revision <= revision))

    def remember_annotations(self, uid: str, tasks: Mapping[int, int]) -> None:
        """Remember the task of each annotation: ``{annotation id: task id}``."""
        rows = [{"project": uid, "annotation": key, "task": value} for key, value in tasks.items()]
        with self._write() as session:
            if rows:
                session.execute(self._insert(Annotation).on_conflict_do_nothing(), rows)

    def replace_annotations(self, uid: str, tasks: Mapping[int, int]) -> None:
        """Make ``{annotation id: task id}`` all that is known of a project's annotations."""
        rows = [{"project": uid, "annotation": key, "task": value} for key, value in tasks.items()]
        with self._write() as session:
            session.execute(delete(Annotation).where(Annotation.project == uid))
            if rows:
                session.execute(self._insert(Annotation), rows)

    def annotations(self, uid: str) -> dict[int, int]:
        """All known annotations of a project: ``{annotation id: task id}``."""
        with self._read() as session:
            query = select(Annotation.annotation, Annotation.task).where(Annotation.project == uid)
            return dict(session.execute(query).all())

    def forget_annotations(self, uid: str, annotations: Sequence[int]) -> dict[int, int]:
        """Drop deleted annotations; return the tasks of those that were known."""
        with self._write() as session:
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

    # Runs

    def queue_run(self, uid: str, reason: str) -> tuple[Run, bool]:
        """Queue a run for a project, or return the one that waits already; the flag tells whether it is new."""
        while True:
            waiting = self._queued_run(uid)
            if waiting:
                return waiting, False
            run = Run(id=secrets.token_hex(6), project=uid, reason=reason)
            try:
                with self._write() as session:
                    session.add(run)
            except IntegrityError:
                self.project(uid)  # raises for an unknown one; else another process has just queued a run
                continue
            return run, True

    def _queued_run(self, uid: str) -> Run | None:
        with self._read() as session:
            return session.scalar(select(Run).where(Run.project == uid, Run.state == "queued"))

    def run(self, run_id: str) -> Run:
        with self._read() as session:
            run = session.get(Run, run_id)
        if run is None:
            raise UnknownRun(run_id)
        return run

    def runs(self, *, project: str | None = None, states: Sequence[str] = (), limit: int = 50) -> list[Run]:
        """The latest runs, newest first."""
        query = select(Run).order_by(Run.queued_at.desc(), Run.id).limit(limit)
        if project:
            query = query.where(Run.project == project)
        if states:
            query = query.where(Run.state.in_(states))
        with self._read() as session:
            return list(session.scalars(query))

    def claim_run(self) -> Run | None:
        """Start the oldest queued run whose project has no run going; ``None`` when there is none.

        Claiming is atomic: of several workers exactly one gets a run.
        """
        busy = select(Run.project).where(Run.state == "started")
        oldest = (
            select(Run.id)
            .where(Run.state == "queued", Run.project.not_in(busy))
            .order_by(Run.queued_at, Run.id)
            .limit(1)
            .scalar_subquery()
        )
        now = time.time()
        with self._write() as session:
            return session.scalar(
                update(Run)
                .where(Run.id == oldest, Run.state == "queued")
                .values(state="started", phase="starting", attempt=Run.attempt + 1, error=None)
                .values(progress=0.0, eta_seconds=None, started_at=now, heartbeat_at=now)
                .returning(Run)
            )

    def update_run(self, run_id: str, *, attempt: int, **columns: Any) -> bool:
        """Write to a started run and renew its heartbeat; ``False`` when this attempt is no longer going."""
        going = (Run.id == run_id, Run.state == "started", Run.attempt == attempt)
        with self._write() as session:
            row = session.scalar(
                update(Run).where(*going).values(heartbeat_at=time.time(), **columns).returning(Run.id)
            )
        return row is not None

    def end_run(
        self,
        run_id: str,
        state: RunState,
        *,
        attempt: int | None = None,
        error: str | None = None,
        version: str | None = None,
    ) -> bool:
        """Give a live run (of this attempt) its end state; ``False`` when it is not live any more."""
        live = [Run.id == run_id, Run.state.in_(LIVE)]
        if attempt is not None:
            live.append(Run.attempt == attempt)
        done = {"progress": 1.0} if state == "finished" else {}
        ended = {"state": state, "phase": state, "eta_seconds": None, "finished_at": time.time(), **done}
        with self._write() as session:
            row = session.scalar(
                update(Run).where(*live).values(error=error, version=version, **ended).returning(Run.id)
            )
        return row is not None

    def stalled_runs(self, *, silent_for: float) -> list[Run]:
        """Started runs without a heartbeat for ``silent_for`` seconds."""
        query = select(Run).where(Run.state == "started", Run.heartbeat_at < time.time() - silent_for)
        with self._read() as session:
            return list(session.scalars(query))

    def requeue_run(self, run_id: str, *, attempt: int | None = None, counted: bool = True) -> None:
        """Queue a started run (of this attempt) again; it ends as failed where a newer run waits already.

        An attempt that is not ``counted`` was ended for no fault of its own.
        """
        started = [Run.id == run_id, Run.state == "started"]
        if attempt is not None:
            started.append(Run.attempt == attempt)
        try:
            with self._write() as session:
                session.execute(
                    update(Run)
                    .where(*started)
                    .values(state="queued", phase="queued", progress=0.0, eta_seconds=None)
                    .values(attempt=Run.attempt - (0 if counted else 1))
                )
        except IntegrityError:
            reason = "The run's process died; a newer run of the project takes over."
            self.end_run(run_id, "failed", attempt=attempt, error=reason)

    # Versions

    def next_version_number(self, uid: str) -> int:
        with self._read() as session:
            latest = session.scalar(select(func.max(Version.number)).where(Version.project == uid))
        return (latest or 0) + 1

    def add_version(self, version: Version) -> Version:
        """Insert a version row; `IntegrityError` when the project has that name already."""
        with self._write() as session:
            session.add(version)
        return version

    def versions(self, uid: str) -> list[Version]:
        """A project's versions, newest first."""
        query = select(Version).where(Version.project == uid).order_by(Version.number.desc())
        with self._read() as session:
            return list(session.scalars(query))

    def version(self, uid: str, name: str) -> Version:
        query = select(Version).where(Version.project == uid, Version.name == name)
        with self._read() as session:
            version = session.scalar(query)
        if version is None:
            raise UnknownVersion(uid, name, [known.name for known in self.versions(uid)])
        return version

    def set_verdict(self, uid: str, name: str, verdict: str) -> None:
        """Note why a version serves or does not."""
        with self._write() as session:
            session.execute(_verdict(uid, name, verdict))

    def set_current_version(self, uid: str, name: str, *, verdict: str) -> None:
        """Make a version the one that serves: one transaction, so every process sees the old or the new."""
        with self._write() as session:
            session.execute(update(Project).where(Project.uid == uid).values(current_version=name))
            session.execute(update(Version).where(Version.project == uid, Version.name == name).values(verdict=verdict))


def _verdict(uid: str, name: str, verdict: str) -> Update:
    return update(Version).where(Version.project == uid, Version.name == name).values(verdict=verdict)


def _count_changes(session: Session, uid: str) -> int:
    return session.scalar(select(func.count()).select_from(Change).where(Change.project == uid)) or 0
