"""Leases in one table; the gate's decisions and all promotions as rows; columns under the names that are used now.

What a version's ``verdict`` said is kept: the sentence as the note of a decision, and who promoted it as a promotion.
Earlier releases did not record which version a promotion replaced, nor when a person promoted one: both stay unknown.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

LEASE_SECONDS = 60.0
BY_HAND = "promoted by hand"
QUEUE_TABLES = ("task", "schedule", "huey_task", "huey_schedule")


def upgrade() -> None:
    connection = op.get_bind()
    leases, decisions, promotions = _create_tables()
    if rows := _leases(connection):
        connection.execute(sa.insert(leases), rows)
    query = sa.text("SELECT * FROM versions ORDER BY project, number")
    versions = [dict(row) for row in connection.execute(query).mappings()]
    if rows := [_decision(version) for version in versions if _was_decided(version)]:
        connection.execute(sa.insert(decisions), rows)
    projects = connection.execute(sa.text("SELECT uid, current_version FROM projects"))
    current: dict[str, str | None] = {row.uid: row.current_version for row in projects}
    if rows := _promotions(versions, current):
        connection.execute(sa.insert(promotions), rows)
    # Where a kill had fallen between a promotion and the request for its predictions, that request is made up for.
    connection.execute(
        sa.text("UPDATE projects SET refresh_wanted = refresh_wanted + 1 WHERE current_version IS NOT NULL")
    )
    _change_columns()
    _empty_queue(connection)


def _create_tables() -> tuple[sa.Table, sa.Table, sa.Table]:
    leases = op.create_table(
        "leases",
        sa.Column("kind", sa.String, primary_key=True),
        sa.Column("key", sa.String, primary_key=True),
        sa.Column("holder", sa.String, nullable=False),
        sa.Column("renewed_at", sa.Double, nullable=False),
        sa.Column("expires_at", sa.Double, nullable=False),
    )
    decisions = op.create_table(
        "decisions",
        sa.Column("version_id", sa.Integer, sa.ForeignKey("versions.id"), primary_key=True),
        sa.Column("promote", sa.Boolean, nullable=False),
        sa.Column("rule", sa.String, nullable=False),
        sa.Column("f1", sa.Double),
        sa.Column("current_f1", sa.Double),
        sa.Column("compared_with", sa.String),
        sa.Column("documents", sa.Integer),
        sa.Column("tolerance", sa.Double),
        sa.Column("share_worse", sa.Double),
        sa.Column("share_better", sa.Double),
        sa.Column("new_labels", sa.JSON, nullable=False),
        sa.Column("note", sa.String),
    )
    promotions = op.create_table(
        "promotions",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("project", sa.String, nullable=False),
        sa.Column("version", sa.String, nullable=False),
        sa.Column("previous", sa.String),
        sa.Column("actor", sa.String, nullable=False),
        sa.Column("promoted_at", sa.Double),
        sa.ForeignKeyConstraint(["project", "version"], ["versions.project", "versions.name"]),
    )
    return leases, decisions, promotions


def _leases(connection: sa.Connection) -> list[dict[str, Any]]:
    """What is in progress while the database is upgraded stays leased until it would have lapsed."""
    runs = connection.execute(sa.text("SELECT id, attempt, heartbeat_at FROM runs WHERE state = 'started'"))
    reviews = connection.execute(sa.text("SELECT project, id, until FROM reviews WHERE ended_at IS NULL"))
    syncs = connection.execute(sa.text("SELECT uid, refresh_holder, refresh_until FROM projects"))
    return [
        *(_lease("run", run, str(attempt), (renewed or 0.0) + LEASE_SECONDS) for run, attempt, renewed in runs),
        *(_lease("review", uid, review, until) for uid, review, until in reviews),
        *(_lease("sync", uid, holder, until) for uid, holder, until in syncs if holder),
    ]


def _lease(kind: str, key: str, holder: str, expires_at: float) -> dict[str, Any]:
    renewed_at = expires_at - LEASE_SECONDS
    return {"kind": kind, "key": key, "holder": holder, "renewed_at": renewed_at, "expires_at": expires_at}


def _was_decided(version: Mapping[str, Any]) -> bool:
    verdict = version["verdict"]
    return verdict.startswith(("promoted", "rejected")) and not verdict.startswith(BY_HAND)


def _decision(version: Mapping[str, Any]) -> dict[str, Any]:
    verdict = version["verdict"]
    return {
        "version_id": version["id"],
        "promote": verdict.startswith("promoted"),
        "rule": "earlier_release",
        "new_labels": [],
        "note": verdict,
    }


def _promotions(versions: Sequence[Mapping[str, Any]], current: Mapping[str, str | None]) -> list[dict[str, Any]]:
    """One for each version that was promoted, in the order of their numbers; the current version's is the last."""
    promoted = [version for version in versions if version["verdict"].startswith("promoted")]
    promoted.sort(key=lambda version: version["name"] == current[version["project"]])
    return [
        {
            "project": version["project"],
            "version": version["name"],
            "actor": "person" if version["verdict"].startswith(BY_HAND) else "gate",
            "promoted_at": None if version["verdict"].startswith(BY_HAND) else version["created_at"],
        }
        for version in promoted
    ]


def _change_columns() -> None:
    with op.batch_alter_table("versions") as versions:
        versions.drop_column("verdict")
    with op.batch_alter_table("runs") as runs:
        runs.alter_column("wishes", new_column_name="overrides")
        runs.drop_column("heartbeat_at")
    with op.batch_alter_table("reviews") as reviews:
        reviews.drop_column("until")
    with op.batch_alter_table("projects") as projects:
        projects.alter_column("refresh_wanted", new_column_name="sync_requested")
        projects.alter_column("refresh_done", new_column_name="sync_completed")
        projects.alter_column("compared_at", new_column_name="synced_at")
        projects.alter_column("trouble", new_column_name="sync_error")
        projects.drop_column("refresh_until")
        projects.drop_column("refresh_holder")
    op.drop_index("suspects_by_score", table_name="suspects")
    op.rename_table("suspects", "label_issues")
    if op.get_bind().dialect.name == "postgresql":
        op.execute("ALTER SEQUENCE suspects_id_seq RENAME TO label_issues_id_seq")
        op.execute("ALTER INDEX suspects_pkey RENAME TO label_issues_pkey")
        op.execute("ALTER TABLE label_issues RENAME CONSTRAINT suspects_project_fkey TO label_issues_project_fkey")
    op.create_index("label_issues_by_score", "label_issues", ["project", "score"])


def _empty_queue(connection: sa.Connection) -> None:
    """Drop waiting tasks: they have the names of earlier releases, and only wake workers, which a start does too."""
    for table in QUEUE_TABLES:
        if sa.inspect(connection).has_table(table):
            connection.execute(sa.text(f"DELETE FROM {table}"))  # noqa: S608
