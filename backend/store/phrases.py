"""The phrases that are suggested in a project until its first version serves."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from backend.store.database import Database
from backend.store.models import PhrasesRow, Project
from converters.phrases import Phrase

PHRASES = "phrases"
"""The model version of predictions that were made from phrases."""

MIN_SECONDS = 10.0
"""Time between two syncs of a project's phrases."""

REST = 2.0
"""The same as a multiple of the time that the last sync took: most of Label Studio's time is for annotators."""


class Phrases:
    """Phrases are few until a version serves, so a project's are one row."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def number(self, uid: str) -> int:
        """How often a project's phrases have changed; 0 where it never had any."""
        with self._database.read() as session:
            return session.scalar(select(PhrasesRow.number).where(PhrasesRow.project == uid)) or 0

    def of(self, uid: str) -> list[Phrase]:
        """A project's phrases, the most frequently marked ones first."""
        row = self._find(uid)
        return [Phrase(*values) for values in row.phrases] if row else []

    def given(self, uid: str) -> list[Phrase]:
        """The phrases of a file that a person gave."""
        row = self._find(uid)
        return [Phrase(*values) for values in row.given] if row else []

    def begin_sync(self, uid: str, revision: int) -> bool:
        """Note that a sync begins; return whether the phrases are those of the labels at ``revision``."""
        with self._database.write() as session:
            row = _locked(session, uid)
            row.counted_at = time.time()
            return row.revision == revision

    def save(self, uid: str, phrases: Sequence[Phrase], *, revision: int) -> None:
        """Store the phrases that were counted in the labels at ``revision``."""
        with self._database.write() as session:
            row = _locked(session, uid)
            row.number += _labels(row.phrases) != _labels(phrases)
            row.phrases, row.revision = [list(phrase) for phrase in phrases], revision

    def give(self, uid: str, phrases: Sequence[Phrase]) -> None:
        """Store the phrases of a file in place of an earlier one's; the next sync counts all phrases anew."""
        with self._database.write() as session:
            row = _locked(session, uid)
            row.given, row.revision = [list(phrase) for phrase in phrases], None

    def end_sync(self, uid: str, number: int) -> None:
        """Note that Label Studio has the predictions of the phrases as of their ``number``."""
        ended = {"synced_number": number, "synced_at": time.time()}
        with self._database.write() as session:
            session.execute(update(PhrasesRow).where(PhrasesRow.project == uid).values(ended))

    def are_synced(self, uid: str) -> bool:
        """Whether the predictions in Label Studio were made from the present phrases."""
        row = self._find(uid)
        return row is None or row.synced_number == row.number

    def due_in(self, uid: str) -> float:
        """Seconds until the phrases may be synced again; 0.0 where they may be now, or a version serves."""
        with self._database.read() as session:
            row, project = session.get(PhrasesRow, uid), session.get(Project, uid)
        if row is None or project is None or project.current_version or row.synced_at is None or row.counted_at is None:
            return 0.0
        pause = max(MIN_SECONDS, REST * (row.synced_at - row.counted_at))
        return max(0.0, row.synced_at + pause - time.time())

    def _find(self, uid: str) -> PhrasesRow | None:
        with self._database.read() as session:
            return session.get(PhrasesRow, uid)


def _locked(session: Session, uid: str) -> PhrasesRow:
    """The project's row, created where there is none."""
    row = session.get(PhrasesRow, uid, with_for_update=True)
    if row is None:
        row = PhrasesRow(project=uid, phrases=[], given=[], number=0, synced_number=0)
        session.add(row)
    return row


def _labels(phrases: Iterable[Sequence[Any]]) -> dict[str, str]:
    return {text: label for text, label, *_ in phrases}
