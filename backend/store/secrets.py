"""What all processes share and nobody else may know."""

from __future__ import annotations

import secrets

from backend.store.database import Database
from backend.store.models import Secret


class Secrets:
    def __init__(self, database: Database) -> None:
        self._database = database

    def get(self, name: str) -> str:
        """The secret of that name, 256 random bits in hexadecimal digits; made by whoever asks first."""
        with self._database.read() as session:
            known = session.get(Secret, name)
        if known:
            return known.value
        with self._database.write() as session:
            made = self._database.insert(Secret).values(name=name, value=secrets.token_hex(32))
            session.execute(made.on_conflict_do_nothing())
            return session.get_one(Secret, name).value
