"""The table of phrases; import it from `backend.store.models`, which has all tables."""

from __future__ import annotations

from typing import Any

from sqlalchemy import JSON, ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from backend.store.base import Base


class PhrasesRow(Base):
    """A project's phrases, ``[text, label, marked, occurrences]`` each, as of the project's ``revision``.

    ``given`` are those of a file. ``number`` counts how often the phrases became others; their predictions in Label
    Studio are those of ``synced_number``. The last sync began at ``counted_at`` and ended at ``synced_at``.
    """

    __tablename__ = "phrases"

    project: Mapped[str] = mapped_column(ForeignKey("projects.uid"), primary_key=True)
    phrases: Mapped[list[list[Any]]] = mapped_column(JSON, default=list)
    given: Mapped[list[list[Any]]] = mapped_column(JSON, default=list)
    number: Mapped[int] = mapped_column(default=0)
    synced_number: Mapped[int] = mapped_column(default=0)
    revision: Mapped[int | None]
    counted_at: Mapped[float | None]
    synced_at: Mapped[float | None]
