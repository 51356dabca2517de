"""Requests to bring a project's predictions to Label Studio."""

from __future__ import annotations

from sqlalchemy import select, update

from backend.errors import UnknownProject
from backend.store.database import Database
from backend.store.models import Project
from backend.store.unread_texts import UnreadTexts


class Syncs:
    """Requests are numbered: one that arrives while another is being served is still pending afterwards."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def request(self, uid: str) -> bool:
        """Ask for a sync, also while one is in progress; return whether no other request is waiting."""
        requested = (
            update(Project)
            .where(Project.uid == uid)
            .values(sync_requested=Project.sync_requested + 1)
            .returning(Project.sync_requested, Project.sync_completed)
        )
        with self._database.write() as session:
            row = session.execute(requested).one_or_none()
        return row is not None and row.sync_requested == row.sync_completed + 1

    def pending(self, uid: str) -> int | None:
        """The number of the latest request that is not completed; ``None`` when all are."""
        query = select(Project.sync_requested, Project.sync_completed).where(Project.uid == uid)
        with self._database.read() as session:
            row = session.execute(query).one_or_none()
        if row is None:
            raise UnknownProject(uid)
        requested, completed = row
        return requested if requested > completed else None

    def note_unread(self, uid: str, unread: UnreadTexts) -> None:
        """Keep which texts a sync could not read, together with those of earlier syncs of the same version."""
        with self._database.write() as session:
            project = session.get_one(Project, uid, with_for_update=True)
            state = unread.after(UnreadTexts.from_dict(project.unread_texts))
            project.unread_texts = state.to_dict() if state.sentences else None

    def complete(self, uid: str, request: int) -> None:
        """Note that all requests up to this one are completed."""
        with self._database.write() as session:
            session.execute(update(Project).where(Project.uid == uid).values(sync_completed=request))
