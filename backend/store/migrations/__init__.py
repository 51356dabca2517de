"""Migrations of the database, by Alembic: every process brings the tables up to date when it opens the database.

One module in `versions` for each revision, named ``NUMBER_what.py`` in their order. To write the next one: change
`backend.store.models`, then ``alembic revision --autogenerate --rev-id NUMBER -m what``, read it, and run the tests,
which compare an upgraded database with a new one.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Column, Connection, Engine, MetaData, String, Table, insert, inspect, select, text

from backend.errors import SettingsError
from backend.store.models import Base

log = logging.getLogger(__name__)

FOLDER = Path(__file__).parent

REVISIONS: tuple[str, ...] = tuple(
    sorted(path.stem.partition("_")[0] for path in (FOLDER / "versions").glob("[0-9]*_*.py"))
)
"""Numbers of all revisions, the first one first."""

_VERSION_TABLE = Table("alembic_version", MetaData(), Column("version_num", String(32), primary_key=True))
"""Where Alembic keeps the database's revision."""

_ADVISORY_LOCK = 7_264_118_090
"""PostgreSQL's number for the lock that a migrating process holds; any number that nobody else uses."""

_LOCK_SECONDS = 120
"""How long a process waits on SQLite while another one migrates."""


def upgrade(engine: Engine) -> None:
    """Bring the tables to the newest revision; of several processes at once, one does it.

    An empty database gets the tables of the models. Databases made before there were revisions are taken over with
    their rows. All is one transaction: if it fails, nothing has changed. Raises `SettingsError` where a newer release
    has upgraded the database.
    """
    with engine.connect() as connection:
        before = _revision(connection)
    if before == REVISIONS[-1]:
        return
    if before is not None and before not in REVISIONS:
        raise SettingsError(
            f"The database has revision {before}, and this release knows revisions up to {REVISIONS[-1]}: "
            "a newer release has upgraded it. Install that release, or set DATABASE_URL to another database."
        )
    with _exclusive(engine) as connection:
        if _revision(connection) == REVISIONS[-1]:  # another process was faster
            return
        if inspect(connection).has_table("projects"):
            migrate(connection)
        else:
            Base.metadata.create_all(connection)
            _VERSION_TABLE.create(connection)
            connection.execute(insert(_VERSION_TABLE).values(version_num=REVISIONS[-1]))


def _revision(connection: Connection) -> str | None:
    """The database's revision; ``None`` for one that is empty or older than all revisions."""
    if not inspect(connection).has_table(_VERSION_TABLE.name):
        return None
    revision: str | None = connection.scalar(select(_VERSION_TABLE.c.version_num))
    return revision


@contextmanager
def _exclusive(engine: Engine) -> Iterator[Connection]:
    """A transaction that no other migrating process can begin at the same time."""
    with engine.execution_options(writes=True).connect() as connection:
        if engine.dialect.name == "postgresql":
            with connection.begin():
                connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _ADVISORY_LOCK})
                yield connection
            return
        # Outside the transaction: SQLite ignores it inside. Tables that are rebuilt are dropped for a moment.
        sqlite = connection.connection.cursor()
        sqlite.execute(f"PRAGMA busy_timeout={1000 * _LOCK_SECONDS}")
        sqlite.execute("PRAGMA foreign_keys=OFF")
        try:
            with connection.begin():
                yield connection
                if broken := connection.exec_driver_sql("PRAGMA foreign_key_check").all():
                    raise SettingsError(f"The database was not upgraded: rows refer to missing rows ({broken[0]}).")
        finally:
            connection.invalidate()  # the next one is configured as usual


def migrate(connection: Connection) -> None:
    """Run all migrations that the database has not seen, in the transaction of this connection."""
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(FOLDER).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
    log.info("the database is upgraded to revision %s", REVISIONS[-1])
