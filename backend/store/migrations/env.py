"""What Alembic runs for each of its commands: on the connection of `upgrade`, or on that of the settings."""

from __future__ import annotations

from alembic import context
from sqlalchemy import Connection

from backend.store.models import Base


def is_ours(name: str | None, kind: str, _parents: object) -> bool:
    """Whether a name in the database is to be compared with the models: the queue's tables are not."""
    return kind != "table" or name in Base.metadata.tables


def run(connection: Connection) -> None:
    context.configure(connection=connection, target_metadata=Base.metadata, render_as_batch=True, include_name=is_ours)
    with context.begin_transaction():
        context.run_migrations()


if (shared := context.config.attributes.get("connection")) is not None:
    run(shared)
else:  # `alembic revision` on the command line
    from backend.settings import load_settings
    from backend.store.database import open_engine

    with open_engine(load_settings().database_url).execution_options(writes=True).begin() as own:
        run(own)
