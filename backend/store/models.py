"""The tables: one row class per thing the service remembers. Times are Unix seconds (UTC)."""

from __future__ import annotations

import time
from typing import Any, Literal

from sqlalchemy import JSON, BigInteger, ForeignKey, Index, UniqueConstraint, false, text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

RunState = Literal["queued", "started", "finished", "failed", "cancelled"]
LIVE: tuple[RunState, ...] = ("queued", "started")


class Base(DeclarativeBase):
    """A column that is added later is nullable or has a ``server_default``: databases that exist get it at a start."""

    type_annotation_map = {dict[str, Any]: JSON, list[str]: JSON}  # noqa: RUF012


class Project(Base):
    """A Label Studio project, keyed by its uid (``"7.1795221978"``: id and creation time).

    ``synced_at`` is when a worker last compared it with Label Studio, ``sync_error`` why it could not.
    """

    __tablename__ = "projects"

    uid: Mapped[str] = mapped_column(primary_key=True)
    title: Mapped[str] = mapped_column(default="")
    label_config: Mapped[str] = mapped_column(default="")
    extra_params: Mapped[dict[str, Any] | None]
    access_token: Mapped[str | None]
    current_version: Mapped[str | None]
    revision: Mapped[int] = mapped_column(default=0)
    refresh_wanted: Mapped[int] = mapped_column(default=0)
    refresh_done: Mapped[int] = mapped_column(default=0)
    refresh_until: Mapped[float] = mapped_column(default=0.0)
    refresh_holder: Mapped[str | None]
    synced_at: Mapped[float | None]
    sync_error: Mapped[str | None]
    created_at: Mapped[float] = mapped_column(default=time.time)

    @property
    def id(self) -> int:
        """The project's number in Label Studio."""
        return int(self.uid.partition(".")[0])


class Secret(Base):
    """A value that all processes share and nobody else may know; made once."""

    __tablename__ = "secrets"

    name: Mapped[str] = mapped_column(primary_key=True)
    value: Mapped[str]


class Change(Base):
    """A task whose annotations changed since the last snapshot; one row a task, however often it changed.

    ``task`` is a task id, or ``annotation-ID`` where only a deleted annotation's id is known.
    """

    __tablename__ = "changes"

    project: Mapped[str] = mapped_column(ForeignKey("projects.uid"), primary_key=True)
    task: Mapped[str] = mapped_column(primary_key=True)
    revision: Mapped[int]


class Annotation(Base):
    """Which task an annotation belongs to: a deletion names annotations only."""

    __tablename__ = "annotations"

    project: Mapped[str] = mapped_column(ForeignKey("projects.uid"), primary_key=True)
    annotation: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    task: Mapped[int] = mapped_column(BigInteger)


class Version(Base):
    """A published model version; its files are in ``MODEL_DIR/project/name`` until ``pruned_at``."""

    __tablename__ = "versions"
    __table_args__ = (UniqueConstraint("project", "name"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    project: Mapped[str] = mapped_column(ForeignKey("projects.uid"))
    number: Mapped[int]
    name: Mapped[str]
    run: Mapped[str | None]
    labels: Mapped[list[str]]
    metrics: Mapped[dict[str, Any]]
    verdict: Mapped[str] = mapped_column(default="")
    pinned: Mapped[bool] = mapped_column(default=False, server_default=false())
    created_at: Mapped[float] = mapped_column(default=time.time)
    pruned_at: Mapped[float | None]


class Run(Base):
    """One training run, from the request to its end. The row is what every door shows of it.

    ``revision`` is the project's when the run ended.
    """

    __tablename__ = "runs"
    __table_args__ = (
        Index(
            "one_queued_run_per_project",
            "project",
            unique=True,
            sqlite_where=text("state = 'queued'"),
            postgresql_where=text("state = 'queued'"),
        ),
        Index("runs_by_state", "state", "queued_at"),
    )

    id: Mapped[str] = mapped_column(primary_key=True)
    project: Mapped[str] = mapped_column(ForeignKey("projects.uid"))
    reason: Mapped[str]
    overrides: Mapped[dict[str, Any] | None]
    state: Mapped[str] = mapped_column(default="queued")
    phase: Mapped[str] = mapped_column(default="queued")
    progress: Mapped[float] = mapped_column(default=0.0)
    eta_seconds: Mapped[float | None]
    attempt: Mapped[int] = mapped_column(default=0)
    documents: Mapped[int | None]
    version: Mapped[str | None]
    error: Mapped[str | None]
    revision: Mapped[int | None]
    queued_at: Mapped[float] = mapped_column(default=time.time)
    started_at: Mapped[float | None]
    heartbeat_at: Mapped[float | None]
    finished_at: Mapped[float | None]


class Review(Base):
    """The search for wrong labels that follows a project's runs; one row a project, that of the latest search.

    It is going while ``ended_at`` is empty and ``until``, up to when whoever claimed it as ``id`` holds it, has not
    passed. ``run`` is the finished run it followed, ``tasks`` the number of labelled tasks that were looked at.
    """

    __tablename__ = "reviews"

    project: Mapped[str] = mapped_column(ForeignKey("projects.uid"), primary_key=True)
    id: Mapped[str]
    run: Mapped[str | None]
    tasks: Mapped[int | None]
    error: Mapped[str | None]
    until: Mapped[float] = mapped_column(default=0.0)
    ended_at: Mapped[float | None]


class LabelIssue(Base):
    """A region that is probably a mistake, or one that is probably missing (``given`` is empty).

    ``start`` and ``end`` are code-point offsets. ``found`` holds what the model would mark instead, each with
    ``start``, ``end``, ``label`` and ``score``; ``score`` is in [0, 1], 1.0 for a sure mistake.
    """

    __tablename__ = "label_issues"
    __table_args__ = (Index("suspects_by_score", "project", "score"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    project: Mapped[str] = mapped_column(ForeignKey("projects.uid"))
    task: Mapped[str]
    start: Mapped[int]
    end: Mapped[int]
    text: Mapped[str]
    given: Mapped[str | None]
    kind: Mapped[str]
    view: Mapped[str]
    found: Mapped[list[dict[str, Any]]] = mapped_column(JSON)
    score: Mapped[float]
    run: Mapped[str | None]
