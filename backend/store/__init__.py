"""The database: queries over the rows of `backend.store.models`, one module for each kind of row.

One `Store` a process. SQLite in WAL mode or PostgreSQL; every method is one short transaction, so a web request
never waits for a training run.
"""

from __future__ import annotations

from sqlalchemy.engine import Engine

from backend.store.annotations import Annotations
from backend.store.changes import Changes
from backend.store.comparisons import Comparisons
from backend.store.data_state import DataStates
from backend.store.database import Database
from backend.store.lease import Leases
from backend.store.phrases import Phrases
from backend.store.projects import Projects
from backend.store.reviews import Reviews
from backend.store.runs import Runs
from backend.store.secrets import Secrets
from backend.store.start_requests import StartRequests
from backend.store.syncs import Syncs
from backend.store.versions import Versions


class Store:
    """Queries over one database; safe to share between threads, opened anew in each process."""

    def __init__(self, url: str) -> None:
        self._database = Database(url)
        self.leases = Leases(self._database)
        self.projects = Projects(self._database)
        self.annotations = Annotations(self._database)
        self.changes = Changes(self._database)
        self.comparisons = Comparisons(self._database)
        self.data_states = DataStates(self._database)
        self.phrases = Phrases(self._database)
        self.reviews = Reviews(self._database)
        self.runs = Runs(self._database)
        self.syncs = Syncs(self._database)
        self.secrets = Secrets(self._database)
        self.start_requests = StartRequests(self._database)
        self.versions = Versions(self._database)

    @property
    def engine(self) -> Engine:
        return self._database.engine

    def close(self) -> None:
        self.engine.dispose()
