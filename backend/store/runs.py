"""Training runs, from the request to the end."""

from __future__ import annotations

import secrets
import time
from collections.abc import Mapping, Sequence
from typing import Any, NotRequired, TypedDict, Unpack

from sqlalchemy import select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from backend.errors import InvalidRequest, UnknownRun
from backend.store.changes import settle_changes
from backend.store.comparisons import store_scores
from backend.store.database import Database
from backend.store.lease import acquire_lease, is_leased, release_lease
from backend.store.models import GATE, LIVE, Comparison, Project, Run, RunState, Version
from backend.store.projects import Projects
from backend.store.versions import promote_version


class Outcome(TypedDict):
    """What a finished run writes besides its version.

    ``promote``: the version serves from now on. Changes up to ``revision``, which the version has learnt, are settled.
    ``scores`` are the metrics of the project's other versions on this run's held-out tasks, by name, ``None`` where
    nothing was measured; ``comparison`` replaces the one of an earlier run.
    """

    promote: bool
    revision: int
    scores: NotRequired[Mapping[str, dict[str, Any]] | None]
    comparison: NotRequired[Comparison | None]


class Runs:
    def __init__(self, database: Database) -> None:
        self._database = database

    def queue(
        self, uid: str, reason: str, overrides: Mapping[str, Any] | None = None, *, automatic: bool = False
    ) -> tuple[Run, bool]:
        """Queue a run for a project, or return the one that is queued already; the flag tells whether it is new.

        An automatic run that is queued is a person's from then on, if one asks for it.
        """
        while True:
            waiting = self._waiting(uid)
            if waiting and waiting.automatic and not automatic:
                waiting = self._ask_for(waiting)
            if waiting:
                return waiting, False
            run = Run(
                id=secrets.token_hex(6),
                project=uid,
                reason=reason,
                automatic=automatic,
                overrides=dict(overrides) if overrides else None,
            )
            try:
                with self._database.write() as session:
                    session.add(run)
            except IntegrityError:
                # An unknown project raises here; else another process has just queued a run.
                Projects(self._database).get(uid)
                continue
            return run, True

    def _waiting(self, uid: str) -> Run | None:
        with self._database.read() as session:
            return session.scalar(select(Run).where(Run.project == uid, Run.state == "queued"))

    def _ask_for(self, run: Run) -> Run | None:
        """Note that a person has asked for a queued run; ``None`` where it is not queued any more."""
        queued = (Run.id == run.id, Run.state == "queued")
        with self._database.write() as session:
            return session.scalar(update(Run).where(*queued).values(automatic=False).returning(Run))

    def get(self, run_id: str) -> Run:
        with self._database.read() as session:
            run = session.get(Run, run_id)
        if run is None:
            raise UnknownRun(run_id)
        return run

    def find(self, prefix: str) -> Run:
        """The one run whose id begins like this; `UnknownRun` or, where there are several, `InvalidRequest`."""
        query = select(Run).where(Run.id.startswith(prefix, autoescape=True)).order_by(Run.id).limit(2)
        with self._database.read() as session:
            runs = list(session.scalars(query))
        if not runs or not prefix:
            raise UnknownRun(prefix)
        if len(runs) > 1:
            raise InvalidRequest(f"Several training runs begin with {prefix!r}: give more of the id.")
        return runs[0]

    def latest(
        self, *, project: str | None = None, states: Sequence[str] = (), by_people: bool = False, limit: int = 50
    ) -> list[Run]:
        """The latest runs, newest first; ``by_people``: only those that a person has asked for."""
        query = select(Run).order_by(Run.queued_at.desc(), Run.id).limit(limit)
        if project:
            query = query.where(Run.project == project)
        if states:
            query = query.where(Run.state.in_(states))
        if by_people:
            query = query.where(~Run.automatic)
        with self._database.read() as session:
            return list(session.scalars(query))

    def documents(self, uid: str) -> dict[str, int]:
        """How many labelled documents a project's finished runs had: ``{run id: documents}``."""
        finished = (Run.project == uid, Run.state == "finished", Run.documents.is_not(None))
        with self._database.read() as session:
            return {run: number or 0 for run, number in session.execute(select(Run.id, Run.documents).where(*finished))}

    def claim(self) -> Run | None:
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
        with self._database.write() as session:
            run = session.scalar(
                update(Run)
                .where(Run.id == oldest, Run.state == "queued")
                .values(state="started", phase="starting", attempt=Run.attempt + 1, error=None, error_kind=None)
                .values(progress=0.0, eta_seconds=None, started_at=now)
                .returning(Run)
            )
            if run:
                release_lease(session, "run", key=run.id)
                acquire_lease(session, self._database, "run", run.id, str(run.attempt))
            return run

    def started(self) -> list[Run]:
        """The runs that are in progress, on any machine."""
        with self._database.read() as session:
            return list(session.scalars(select(Run).where(Run.state == "started")))

    def update(self, run_id: str, *, attempt: int, **columns: Any) -> bool:
        """Write to a started run; ``False``, and nothing is written, when this attempt was ended or replaced."""
        started = (Run.id == run_id, Run.state == "started", Run.attempt == attempt)
        with self._database.write() as session:
            row = session.scalar(update(Run).where(*started).values(id=run_id, **columns).returning(Run.id))
            return row is not None

    def end(
        self,
        run_id: str,
        state: RunState,
        *,
        attempt: int | None = None,
        error: str | None = None,
        error_kind: str | None = None,
        version: str | None = None,
    ) -> bool:
        """Give a live run its end state; ``False`` when it has ended already or another ``attempt`` is in progress."""
        with self._database.write() as session:
            return _end(session, run_id, state, attempt=attempt, error=error, error_kind=error_kind, version=version)

    def publish(self, run_id: str, version: Version, *, attempt: int, **outcome: Unpack[Outcome]) -> bool:
        """Finish a run with the version it made; ``False``, and nothing is written, when this attempt was ended.

        One transaction: a run that was cancelled before publishes nothing, one that is cancelled later has ended; and
        a promotion is written together with the request to bring its predictions to Label Studio.
        """
        with self._database.write() as session:
            # Locked first, as where changes are recorded: another order could end in a deadlock.
            project = session.get_one(Project, version.project, with_for_update=True)
            if not _end(session, run_id, "finished", attempt=attempt, version=version.name):
                return False
            session.add(version)
            store_scores(session, version.project, run_id, outcome.get("scores") or {}, outcome.get("comparison"))
            settle_changes(session, version.project, outcome["revision"])
            if outcome["promote"]:
                promote_version(project, version, actor=GATE)
            return True

    def stalled(self) -> list[Run]:
        """Started runs whose lease has lapsed: their process or its machine died."""
        query = select(Run).where(Run.state == "started", ~is_leased("run", Run.id))
        with self._database.read() as session:
            return list(session.scalars(query))

    def requeue(self, run_id: str, *, attempt: int | None = None, counted: bool = True) -> None:
        """Queue a started run (of this attempt) again; it ends as failed where a newer run is queued already.

        ``counted=False``: this attempt does not count, because it was ended for no fault of its own.
        """
        started = [Run.id == run_id, Run.state == "started"]
        if attempt is not None:
            started.append(Run.attempt == attempt)
        try:
            with self._database.write() as session:
                requeued = session.scalar(
                    update(Run)
                    .where(*started)
                    .values(state="queued", phase="queued", progress=0.0, eta_seconds=None)
                    .values(attempt=Run.attempt - (0 if counted else 1))
                    .returning(Run.id)
                )
                if requeued:
                    release_lease(session, "run", key=run_id)
        except IntegrityError:
            reason = "The run's process died; a newer run of the project takes over."
            self.end(run_id, "failed", attempt=attempt, error=reason)


def _end(
    session: Session,
    run_id: str,
    state: RunState,
    *,
    attempt: int | None = None,
    error: str | None = None,
    error_kind: str | None = None,
    version: str | None = None,
) -> bool:
    live = [Run.id == run_id, Run.state.in_(LIVE)]
    if attempt is not None:
        live += [Run.state == "started", Run.attempt == attempt]
    done = {"progress": 1.0} if state == "finished" else {}
    revision = select(Project.revision).where(Project.uid == Run.project).scalar_subquery()
    ended = {"state": state, "phase": state, "eta_seconds": None, "finished_at": time.time(), **done}
    outcome = {"error": error, "error_kind": error_kind, "version": version, "revision": revision}
    row = session.scalar(update(Run).where(*live).values(**outcome, **ended).returning(Run.id))
    if row is not None:
        release_lease(session, "run", key=run_id)
    return row is not None
