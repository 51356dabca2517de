"""Opens the database: SQLite or PostgreSQL, with the transactions this service relies on."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Table, create_engine, event, inspect
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import Connection, Engine, make_url
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session
from sqlalchemy.schema import CreateColumn

from backend.errors import SettingsError
from backend.store.models import Base


class Database:
    """One engine and its transactions, shared by the rooms of `backend.store`."""

    def __init__(self, url: str) -> None:
        self.engine = open_engine(url)
        self._writes = self.engine.execution_options(writes=True)
        self.insert: Callable[..., Any] = (
            postgresql.insert if self.engine.dialect.name == "postgresql" else sqlite.insert
        )
        create_tables(self._writes)

    @contextmanager
    def read(self) -> Iterator[Session]:
        with Session(self.engine, expire_on_commit=False) as session:
            yield session

    @contextmanager
    def write(self) -> Iterator[Session]:
        """A transaction that is committed at the end, or undone where an exception leaves it."""
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


def create_tables(engine: Engine) -> None:
    """Make the tables, and the columns that a database made by an earlier release lacks."""
    try:
        _bring_up_to_date(engine)
    except DBAPIError:
        try:  # two processes started at once: the second finds what the first has made
            _bring_up_to_date(engine)
        except DBAPIError as error:
            raise _unusable(error.orig or error) from None


def _bring_up_to_date(engine: Engine) -> None:
    Base.metadata.create_all(engine)
    for table in Base.metadata.sorted_tables:
        with engine.begin() as connection:
            _add_missing_columns(connection, table)


def _add_missing_columns(connection: Connection, table: Table) -> None:
    present = {column["name"] for column in inspect(connection).get_columns(table.name)}
    # SQLite's transaction keeps other processes out from its beginning on, PostgreSQL's does not.
    add = "ADD COLUMN IF NOT EXISTS" if connection.dialect.name == "postgresql" else "ADD COLUMN"
    for column in table.columns:
        if column.name not in present:
            definition = CreateColumn(column).compile(dialect=connection.dialect)
            connection.exec_driver_sql(f"ALTER TABLE {table.name} {add} {definition}")


def _unusable(error: BaseException) -> SettingsError:
    reason = " ".join(str(error).split())
    return SettingsError(f"DATABASE_URL is not usable ({reason}): use sqlite:///FILE or postgresql+psycopg://…")
