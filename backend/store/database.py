"""Opens the database, SQLite or PostgreSQL, and brings its tables up to date."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import create_engine, event
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import Connection, Engine, make_url
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from backend.errors import SettingsError
from backend.store.migrations import upgrade


class Database:
    """One engine and its transactions, shared by the modules of `backend.store`."""

    def __init__(self, url: str) -> None:
        self.engine = open_engine(url)
        self._writes = self.engine.execution_options(writes=True)
        self.insert: Callable[..., Any] = (
            postgresql.insert if self.engine.dialect.name == "postgresql" else sqlite.insert
        )
        try:
            upgrade(self.engine)
        except DBAPIError as error:
            self.engine.dispose()
            raise _unusable(error.orig or error) from None
        except SettingsError:
            self.engine.dispose()
            raise

    @contextmanager
    def read(self) -> Iterator[Session]:
        with Session(self.engine, expire_on_commit=False) as session:
            yield session

    @contextmanager
    def write(self) -> Iterator[Session]:
        """A transaction that is committed at the end, or rolled back when an exception is raised in it."""
        with Session(self._writes, expire_on_commit=False) as session, session.begin():
            yield session


def open_engine(url: str) -> Engine:
    try:
        parsed = make_url(url)
        engine = create_engine(parsed, pool_pre_ping=parsed.get_backend_name() != "sqlite")
        if parsed.get_backend_name() == "sqlite":
            if parsed.database in (None, "", ":memory:"):
                raise ValueError("a database in memory cannot be shared by the web server and the worker")
            Path(parsed.database).parent.mkdir(parents=True, exist_ok=True)
    except Exception as error:  # SQLAlchemy raises several unrelated types for an unusable URL
        raise _unusable(error) from None
    if parsed.get_backend_name() == "sqlite":
        event.listen(engine, "connect", _configure_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
    return engine


def _configure_sqlite(connection: Any, _record: Any) -> None:
    connection.isolation_level = None  # the driver would begin transactions itself, always as readers
    for pragma in ("journal_mode=WAL", "synchronous=NORMAL", "busy_timeout=5000", "foreign_keys=ON"):
        connection.execute(f"PRAGMA {pragma}")


def _begin_sqlite(connection: Connection) -> None:
    # A reader that turns writer half-way fails when another wrote meanwhile, whatever the busy timeout.
    writes = connection.get_execution_options().get("writes")
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def _unusable(error: BaseException) -> SettingsError:
    reason = " ".join(str(error).split())
    return SettingsError(f"DATABASE_URL is not usable ({reason}): use sqlite:///FILE or postgresql+psycopg://…")
