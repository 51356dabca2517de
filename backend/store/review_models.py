"""The tables of reviews and label issues; import them from `backend.store.models`, which has all tables."""

from __future__ import annotations

from hashlib import blake2b
from typing import Any

from sqlalchemy import JSON, ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column

from backend.store.base import Base


class Review(Base):
    """The latest search for wrong labels in a project, which follows a training run.

    ``id`` names the attempt, whose process holds the lease; ``ended_at`` is empty until it ends. ``run`` is the
    finished run it followed, ``tasks`` the number of labelled tasks that were checked, ``progress`` the fraction done.
    ``error_kind`` is `TOO_FEW_LABELS` where it ended for that reason. ``previous_end`` is when the review before it
    ended, which its earlier attempts keep.
    """

    __tablename__ = "reviews"

    project: Mapped[str] = mapped_column(ForeignKey("projects.uid"), primary_key=True)
    id: Mapped[str]
    run: Mapped[str | None]
    tasks: Mapped[int | None]
    progress: Mapped[float | None]
    error: Mapped[str | None]
    error_kind: Mapped[str | None]
    previous_end: Mapped[float | None]
    ended_at: Mapped[float | None]


class LabelIssue(Base):
    """A region that is probably a mistake, or one that is probably missing (``given`` is empty).

    ``text_name`` is the name of its text, empty where a task has one text only. ``start`` and ``end`` are code-point
    offsets, ``before`` and ``after`` the text around, shortened. ``annotator`` is the name of who labelled the task.
    ``found`` holds what the model would mark instead, each with ``start``, ``end``, ``label`` and ``score``; ``score``
    is in [0, 1], 1.0 for a sure mistake. ``accepted_at`` is when a person said that the label is right: such a row is
    listed no more, and stays until the task changes, so that no later review brings the same issue back.
    """

    __tablename__ = "label_issues"
    __table_args__ = (Index("label_issues_by_score", "project", "score"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    project: Mapped[str] = mapped_column(ForeignKey("projects.uid"))
    task: Mapped[str]
    text_name: Mapped[str] = mapped_column(default="", server_default="")
    start: Mapped[int]
    end: Mapped[int]
    text: Mapped[str]
    given: Mapped[str | None]
    kind: Mapped[str]
    view: Mapped[str]
    before: Mapped[str] = mapped_column(default="", server_default="")
    after: Mapped[str] = mapped_column(default="", server_default="")
    annotator: Mapped[str] = mapped_column(default="", server_default="")
    found: Mapped[list[dict[str, Any]]] = mapped_column(JSON)
    score: Mapped[float]
    run: Mapped[str | None]
    accepted_at: Mapped[float | None]

    @property
    def key(self) -> str:
        """Names the issue to people: the same in each review as long as the marked words and their label are."""
        parts = (self.task, self.text_name or "", self.start, self.end, self.given)
        return blake2b(ascii(parts).encode(), digest_size=4).hexdigest()
