"""What each run measures of a project's versions on the same held-out tasks: their scores, and where they disagree."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import update
from sqlalchemy.orm import Session

from backend.store.database import Database
from backend.store.models import Comparison, Version


class Comparisons:
    def __init__(self, database: Database) -> None:
        self._database = database

    def get(self, uid: str) -> Comparison | None:
        """The comparison that the latest run has made of a project's versions."""
        with self._database.read() as session:
            return session.get(Comparison, uid)


def store_scores(
    session: Session, uid: str, run_id: str, scores: Mapping[str, dict[str, Any]], comparison: Comparison | None
) -> None:
    """Replace the metrics of versions, by name, by those on a run's held-out tasks, and the project's comparison."""
    for name, metrics in scores.items():
        scored = update(Version).where(Version.project == uid, Version.name == name)
        session.execute(scored.values(metrics=metrics, scored_in=run_id))
    if comparison is not None:
        session.merge(comparison)
