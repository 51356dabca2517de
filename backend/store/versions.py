"""Published model versions, and which of them serves."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from backend.errors import Conflict, UnknownProject, UnknownVersion, VersionPruned
from backend.store.database import Database
from backend.store.models import Project, Promotion, Version


class Versions:
    """When a version's files are pruned, its row stays for its figures; such a version cannot be used any more."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def next_number(self, uid: str) -> int:
        with self._database.read() as session:
            latest = session.scalar(select(func.max(Version.number)).where(Version.project == uid))
        return (latest or 0) + 1

    def add(self, version: Version) -> Version:
        """Insert a version row; `IntegrityError` when the project has that name already."""
        with self._database.write() as session:
            session.add(version)
        return version

    def of(self, uid: str, *, usable: bool = False) -> list[Version]:
        """A project's versions, newest first; ``usable``: only those that still have their files."""
        with self._database.read() as session:
            return _of(session, uid, usable=usable)

    def get(self, uid: str, name: str) -> Version:
        with self._database.read() as session:
            return _get(session, uid, name)

    def usable(self, uid: str, name: str) -> Version:
        """A version that still has its files; else raises `VersionPruned`."""
        with self._database.read() as session:
            return _usable(session, uid, name)

    def promote(self, uid: str, name: str, *, actor: str) -> Version:
        """Make a version the one that serves, and request the sync of its predictions, in one transaction.

        ``actor`` is who did it: ``gate``, ``command line``, ``dashboard``, ….
        """
        with self._locked_project(uid) as (session, project):
            version = _usable(session, uid, name)
            promote_version(project, version, actor=actor)
        return version

    def pin(self, uid: str, name: str, pinned: bool) -> Version:
        """Keep a version's files however many newer ones there are, or stop keeping them."""
        with self._locked_project(uid) as (session, _):
            version = _usable(session, uid, name)
            version.pinned = pinned
        return version

    def prune(self, uid: str, name: str) -> None:
        """Mark a version's files as removed; `Conflict` where it serves or is pinned."""
        with self._locked_project(uid) as (session, project):
            version = _usable(session, uid, name)
            if name == project.current_version:
                raise Conflict(f"Model version {name!r} serves: promote another one before you delete it.")
            if version.pinned:
                raise Conflict(f"Model version {name!r} is pinned: unpin it before you delete it.")
            version.pruned_at = time.time()

    @contextmanager
    def _locked_project(self, uid: str) -> Iterator[tuple[Session, Project]]:
        """A transaction that locks the project: nobody else promotes, pins or prunes a version of it meanwhile."""
        with self._database.write() as session:
            project = session.get(Project, uid, with_for_update=True)
            if project is None:
                raise UnknownProject(uid)
            yield session, project


def promote_version(project: Project, version: Version, *, actor: str) -> None:
    """Promote as part of a transaction that has locked the project's row."""
    if project.current_version != version.name:
        version.promotions.append(Promotion(previous=project.current_version, actor=actor))
        project.current_version = version.name
    project.sync_requested += 1


def _of(session: Session, uid: str, *, usable: bool) -> list[Version]:
    query = select(Version).where(Version.project == uid).order_by(Version.number.desc())
    return list(session.scalars(query.where(Version.pruned_at.is_(None)) if usable else query))


def _get(session: Session, uid: str, name: str) -> Version:
    version = session.scalar(select(Version).where(Version.project == uid, Version.name == name))
    if version is None:
        raise UnknownVersion(uid, name, [other.name for other in _of(session, uid, usable=True)])
    return version


def _usable(session: Session, uid: str, name: str) -> Version:
    version = _get(session, uid, name)
    if version.pruned_at is not None:
        raise VersionPruned(name, [other.name for other in _of(session, uid, usable=True)])
    return version
