"""The tables, one row class each. Times are Unix seconds (UTC). A change here needs a migration: see `migrations`."""

from __future__ import annotations

import time
from typing import Any, Literal

from sqlalchemy import JSON, BigInteger, ForeignKey, ForeignKeyConstraint, Index, UniqueConstraint, false, text, true
from sqlalchemy.orm import Mapped, mapped_column, relationship

from backend.store.base import Base as Base
from backend.store.phrase_models import PhrasesRow as PhrasesRow
from backend.store.review_models import LabelIssue as LabelIssue
from backend.store.review_models import Review as Review

RunState = Literal["queued", "started", "finished", "failed", "cancelled"]
LIVE: tuple[RunState, ...] = ("queued", "started")

TOO_FEW_LABELS = "too_few_labels"
"""The ``error_kind`` of a run or review that ended because there is too little to learn from: nothing failed."""


GATE = "gate"
"""The actor of promotions that the gate decided."""


def project_number(uid: str) -> int:
    """A project's number in Label Studio: the part of its uid before the dot."""
    return int(uid.partition(".")[0])


class Project(Base):
    """A Label Studio project, keyed by its uid (``"7.1795221978"``: id and creation time).

    ``label_map`` is ``{old: new}``: annotations with an old label are read as having the new one (`renamed_labels`).
    ``starts_training_every`` is Label Studio's "Start model training on annotation submission": it sends
    START_TRAINING with every so many annotations, 0 where only the button does.
    ``revision`` grows with every recorded label change. ``sync_requested`` counts the requests to bring predictions to
    Label Studio, ``sync_completed`` is the last request that was completed. ``synced_at`` is when a worker last
    compared the project with Label Studio, ``sync_error`` why that failed. ``unread_texts`` counts the tasks whose
    text could not be read for a prediction (`backend.store.unread_texts.UnreadTexts`). ``task_counts`` are Label
    Studio's numbers of tasks when a worker last compared the project (`backend.store.projects.TaskCounts`).
    """

    __tablename__ = "projects"

    uid: Mapped[str] = mapped_column(primary_key=True)
    title: Mapped[str] = mapped_column(default="")
    label_config: Mapped[str] = mapped_column(default="")
    extra_params: Mapped[dict[str, Any] | None]
    label_map: Mapped[dict[str, Any] | None]
    access_token: Mapped[str | None]
    current_version: Mapped[str | None]
    starts_training_every: Mapped[int] = mapped_column(default=0, server_default="0")
    revision: Mapped[int] = mapped_column(default=0)
    sync_requested: Mapped[int] = mapped_column(default=0)
    sync_completed: Mapped[int] = mapped_column(default=0)
    synced_at: Mapped[float | None]
    sync_error: Mapped[str | None]
    unread_texts: Mapped[dict[str, Any] | None]
    task_counts: Mapped[dict[str, Any] | None]
    created_at: Mapped[float] = mapped_column(default=time.time)

    @property
    def id(self) -> int:
        """The project's number in Label Studio."""
        return project_number(self.uid)

    @property
    def renamed_labels(self) -> dict[str, str]:
        """``{old label: new label}``: the mappings of ``extra_params``, then those of ``label_map``, which win."""
        return {**((self.extra_params or {}).get("label_map") or {}), **(self.label_map or {})}


class Secret(Base):
    """A random value that all processes of the service share, created once."""

    __tablename__ = "secrets"

    name: Mapped[str] = mapped_column(primary_key=True)
    value: Mapped[str]


class LeaseRow(Base):
    """The right of one process to do a piece of work until ``expires_at``; see `backend.store.lease`."""

    __tablename__ = "leases"

    kind: Mapped[str] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(primary_key=True)
    holder: Mapped[str]
    renewed_at: Mapped[float]
    expires_at: Mapped[float]


class Change(Base):
    """A task whose annotations changed since the last snapshot; one row a task, however often it changed.

    ``task`` is a task id, or ``annotation-ID`` where only a deleted annotation's id is known. ``labelled``: the task
    has annotations, even if their ids are not known yet.
    """

    __tablename__ = "changes"

    project: Mapped[str] = mapped_column(ForeignKey("projects.uid"), primary_key=True)
    task: Mapped[str] = mapped_column(primary_key=True)
    revision: Mapped[int]
    labelled: Mapped[bool] = mapped_column(default=True, server_default=true())


class Annotation(Base):
    """Which task an annotation belongs to: a deletion names annotations only. Those of skipped tasks are not kept."""

    __tablename__ = "annotations"

    project: Mapped[str] = mapped_column(ForeignKey("projects.uid"), primary_key=True)
    annotation: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    task: Mapped[int] = mapped_column(BigInteger)


class Version(Base):
    """A published model version; its files are in ``MODEL_DIR/project/name`` until ``pruned_at``.

    ``metrics`` is what `Metrics.to_dict` returns, on the held-out tasks of the run ``scored_in``, or ``{}``: each run
    scores the versions that have files again, so versions with the same ``scored_in`` can be compared. It is ``None``
    where nothing comparable was measured. ``decision`` is the gate's, ``promotions`` are those of this version, oldest
    first.
    """

    __tablename__ = "versions"
    __table_args__ = (UniqueConstraint("project", "name"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    project: Mapped[str] = mapped_column(ForeignKey("projects.uid"))
    number: Mapped[int]
    name: Mapped[str]
    run: Mapped[str | None]
    labels: Mapped[list[str]]
    metrics: Mapped[dict[str, Any]]
    scored_in: Mapped[str | None]
    pinned: Mapped[bool] = mapped_column(default=False, server_default=false())
    created_at: Mapped[float] = mapped_column(default=time.time)
    pruned_at: Mapped[float | None]

    decision: Mapped[Decision | None] = relationship(lazy="joined")
    promotions: Mapped[list[Promotion]] = relationship(lazy="selectin", order_by="Promotion.id")


class Decision(Base):
    """What the gate decided about a version, and on which figures; see `backend.evaluation.gate`.

    ``f1`` and ``current_f1`` are of the version and of the one it was compared with, in [0, 1], on the same
    ``documents`` held-out tasks; ``share_worse`` and ``share_better`` are shares of the bootstrap resamples.
    ``regions`` were drawn in the project, ``regions_used`` of them became tags, and the same for the held-out tasks;
    ``max_lost_regions`` is the share that may be lost. ``forgotten_labels`` counts the regions that carry a label which
    the current version has and this one lacks, ``losses`` are the sentences that say why regions were not used.
    ``note`` is the sentence that earlier releases stored in place of figures.
    """

    __tablename__ = "decisions"

    version_id: Mapped[int] = mapped_column(ForeignKey("versions.id"), primary_key=True)
    promote: Mapped[bool]
    rule: Mapped[str]
    f1: Mapped[float | None]
    current_f1: Mapped[float | None]
    compared_with: Mapped[str | None]
    documents: Mapped[int | None]
    tolerance: Mapped[float | None]
    share_worse: Mapped[float | None]
    share_better: Mapped[float | None]
    new_labels: Mapped[list[str]] = mapped_column(default=list)
    regions: Mapped[int | None]
    regions_used: Mapped[int | None]
    held_out_regions: Mapped[int | None]
    held_out_regions_used: Mapped[int | None]
    max_lost_regions: Mapped[float | None]
    forgotten_labels: Mapped[dict[str, Any] | None]
    losses: Mapped[list[str] | None]
    note: Mapped[str | None]


class Promotion(Base):
    """A version began to serve in place of ``previous``. ``actor`` is `GATE`, or where a person did it.

    Earlier releases did not record ``previous``, nor ``promoted_at`` of what a person promoted.
    """

    __tablename__ = "promotions"
    __table_args__ = (ForeignKeyConstraint(["project", "version"], ["versions.project", "versions.name"]),)

    id: Mapped[int] = mapped_column(primary_key=True)
    project: Mapped[str]
    version: Mapped[str]
    previous: Mapped[str | None]
    actor: Mapped[str]
    promoted_at: Mapped[float | None] = mapped_column(default=time.time)


class Run(Base):
    """One training run, from the request to its end.

    ``overrides`` change the training recipe for this run alone. ``documents`` is the number of labelled tasks it read,
    ``conversion`` what became of their regions (`backend.conversion.Conversion`), ``revision`` the project's when the
    run ended. ``automatic``: changed tasks have started it, not a person. ``error_kind`` is `TOO_FEW_LABELS` where the
    run ended for that reason. While it is started, the process that executes it holds its lease.
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
    automatic: Mapped[bool] = mapped_column(default=False, server_default=false())
    overrides: Mapped[dict[str, Any] | None]
    state: Mapped[str] = mapped_column(default="queued")
    phase: Mapped[str] = mapped_column(default="queued")
    progress: Mapped[float] = mapped_column(default=0.0)
    eta_seconds: Mapped[float | None]
    attempt: Mapped[int] = mapped_column(default=0)
    documents: Mapped[int | None]
    conversion: Mapped[dict[str, Any] | None]
    version: Mapped[str | None]
    error: Mapped[str | None]
    error_kind: Mapped[str | None]
    revision: Mapped[int | None]
    queued_at: Mapped[float] = mapped_column(default=time.time)
    started_at: Mapped[float | None]
    finished_at: Mapped[float | None]

    @property
    def lacks_labels(self) -> bool:
        """Whether it made no version because there are too few labels, which is no failure."""
        return self.error_kind == TOO_FEW_LABELS


class Comparison(Base):
    """The entities of held-out tasks on which a project's versions disagree, as the latest ``run`` has scored them.

    ``versions`` are the names of the versions that were compared. ``entities`` are a list of
    `backend.evaluation.comparison.Entity` as dictionaries; ``left_out`` is how many more there were.
    """

    __tablename__ = "comparisons"

    project: Mapped[str] = mapped_column(ForeignKey("projects.uid"), primary_key=True)
    run: Mapped[str]
    versions: Mapped[list[str]]
    entities: Mapped[list[dict[str, Any]]] = mapped_column(JSON)
    left_out: Mapped[int] = mapped_column(default=0)


class DataStateRow(Base):
    """The state of a project's data when ``run`` read it at ``taken_at``: the latest run, whatever became of it.

    ``state`` is a `backend.store.data_state.DataState` as JSON.
    """

    __tablename__ = "data_states"

    project: Mapped[str] = mapped_column(ForeignKey("projects.uid"), primary_key=True)
    run: Mapped[str]
    state: Mapped[dict[str, Any]]
    taken_at: Mapped[float] = mapped_column(default=time.time)


class StartRequest(Base):
    """A START_TRAINING event of which it is not clear yet who sent it; see `backend.store.start_requests`."""

    __tablename__ = "start_requests"

    id: Mapped[int] = mapped_column(primary_key=True)
    project: Mapped[str] = mapped_column(ForeignKey("projects.uid"))
    requested_at: Mapped[float] = mapped_column(default=time.time)
