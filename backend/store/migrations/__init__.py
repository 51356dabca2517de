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

from sqlalchemy import Connection, Engine, inspect, text

from backend.errors import SettingsError

log = logging.getLogger(__name__)

FOLDER = Path(__file__).parent

REVISIONS: tuple[str, ...] = tuple(
    sorted(path.stem.partition("_")[0] for path in (FOLDER / "versions").glob("[0-9]*_*.py"))
)
"""Numbers of all revisions, the first one first."""

_ADVISORY_LOCK = 7_264_118_090
"""PostgreSQL's number for the lock that a migrating process holds; any number that nobody else uses."""

_LOCK_SECONDS = 120
"""How long a process waits on SQLite while another one migrates."""


def upgrade(engine: Engine) -> None:
    """Bring the tables to the newest revision, or create them; of several processes at once, one does it.

    Databases made before there were revisions are taken over with their rows. The whole upgrade is one transaction:
    if it fails, nothing has changed. Raises `SettingsError` where a newer release has made the database.
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
        if _revision(connection) != REVISIONS[-1]:  # another process may have upgraded it meanwhile
            _run(connection, before)


def _revision(connection: Connection) -> str | None:
    """The database's revision; ``None`` for one that is empty or older than all revisions."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    revision: str | None = connection.scalar(text("SELECT version_num FROM alembic_version"))
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


def _run(connection: Connection, before: str | None) -> None:
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(FOLDER).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
    log.info("the database is upgraded from revision %s to %s", before or "none", REVISIONS[-1])
