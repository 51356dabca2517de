"""The tables as they were before there were revisions.

A database that earlier releases made is taken over: those of its tables, columns and indexes that were added after the
release that made it are created here.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.schema import CreateColumn

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

TABLES = sa.MetaData()

sa.Table(
    "projects",
    TABLES,
    sa.Column("uid", sa.String, primary_key=True),
    sa.Column("title", sa.String, nullable=False),
    sa.Column("label_config", sa.String, nullable=False),
    sa.Column("extra_params", sa.JSON),
    sa.Column("access_token", sa.String),
    sa.Column("current_version", sa.String),
    sa.Column("revision", sa.Integer, nullable=False),
    sa.Column("refresh_wanted", sa.Integer, nullable=False),
    sa.Column("refresh_done", sa.Integer, nullable=False),
    sa.Column("refresh_until", sa.Double, nullable=False),
    sa.Column("refresh_holder", sa.String),
    sa.Column("compared_at", sa.Double),
    sa.Column("trouble", sa.String),
    sa.Column("created_at", sa.Double, nullable=False),
)
sa.Table(
    "secrets",
    TABLES,
    sa.Column("name", sa.String, primary_key=True),
    sa.Column("value", sa.String, nullable=False),
)
sa.Table(
    "changes",
    TABLES,
    sa.Column("project", sa.ForeignKey("projects.uid"), primary_key=True),
    sa.Column("task", sa.String, primary_key=True),
    sa.Column("revision", sa.Integer, nullable=False),
)
sa.Table(
    "annotations",
    TABLES,
    sa.Column("project", sa.ForeignKey("projects.uid"), primary_key=True),
    sa.Column("annotation", sa.BigInteger, primary_key=True),
    sa.Column("task", sa.BigInteger, nullable=False),
)
sa.Table(
    "versions",
    TABLES,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("project", sa.ForeignKey("projects.uid"), nullable=False),
    sa.Column("number", sa.Integer, nullable=False),
    sa.Column("name", sa.String, nullable=False),
    sa.Column("run", sa.String),
    sa.Column("labels", sa.JSON, nullable=False),
    sa.Column("metrics", sa.JSON, nullable=False),
    sa.Column("verdict", sa.String, nullable=False),
    sa.Column("pinned", sa.Boolean, nullable=False, server_default=sa.false()),
    sa.Column("created_at", sa.Double, nullable=False),
    sa.Column("pruned_at", sa.Double),
    sa.UniqueConstraint("project", "name"),
)
sa.Table(
    "runs",
    TABLES,
    sa.Column("id", sa.String, primary_key=True),
    sa.Column("project", sa.ForeignKey("projects.uid"), nullable=False),
    sa.Column("reason", sa.String, nullable=False),
    sa.Column("wishes", sa.JSON),
    sa.Column("state", sa.String, nullable=False),
    sa.Column("phase", sa.String, nullable=False),
    sa.Column("progress", sa.Double, nullable=False),
    sa.Column("eta_seconds", sa.Double),
    sa.Column("attempt", sa.Integer, nullable=False),
    sa.Column("documents", sa.Integer),
    sa.Column("version", sa.String),
    sa.Column("error", sa.String),
    sa.Column("revision", sa.Integer),
    sa.Column("queued_at", sa.Double, nullable=False),
    sa.Column("started_at", sa.Double),
    sa.Column("heartbeat_at", sa.Double),
    sa.Column("finished_at", sa.Double),
    sa.Index(
        "one_queued_run_per_project",
        "project",
        unique=True,
        sqlite_where=sa.text("state = 'queued'"),
        postgresql_where=sa.text("state = 'queued'"),
    ),
    sa.Index("runs_by_state", "state", "queued_at"),
)
sa.Table(
    "reviews",
    TABLES,
    sa.Column("project", sa.ForeignKey("projects.uid"), primary_key=True),
    sa.Column("id", sa.String, nullable=False),
    sa.Column("run", sa.String),
    sa.Column("tasks", sa.Integer),
    sa.Column("error", sa.String),
    sa.Column("until", sa.Double, nullable=False),
    sa.Column("ended_at", sa.Double),
)
sa.Table(
    "suspects",
    TABLES,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("project", sa.ForeignKey("projects.uid"), nullable=False),
    sa.Column("task", sa.String, nullable=False),
    sa.Column("start", sa.Integer, nullable=False),
    sa.Column("end", sa.Integer, nullable=False),
    sa.Column("text", sa.String, nullable=False),
    sa.Column("given", sa.String),
    sa.Column("kind", sa.String, nullable=False),
    sa.Column("view", sa.String, nullable=False),
    sa.Column("found", sa.JSON, nullable=False),
    sa.Column("score", sa.Double, nullable=False),
    sa.Column("run", sa.String),
    sa.Index("suspects_by_score", "project", "score"),
)


def upgrade() -> None:
    connection = op.get_bind()
    TABLES.create_all(connection)
    for table in TABLES.sorted_tables:
        present = {column["name"] for column in sa.inspect(connection).get_columns(table.name)}
        for column in table.columns:
            if column.name not in present:
                definition = CreateColumn(column).compile(dialect=connection.dialect)
                connection.exec_driver_sql(f"ALTER TABLE {table.name} ADD COLUMN {definition}")
        for index in table.indexes:
            index.create(connection, checkfirst=True)
