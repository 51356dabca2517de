"""Phrases that were marked, or given, which are suggested until the first version serves."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "phrases",
        sa.Column("project", sa.String, sa.ForeignKey("projects.uid"), primary_key=True),
        sa.Column("phrases", sa.JSON, nullable=False),
        sa.Column("given", sa.JSON, nullable=False),
        sa.Column("number", sa.Integer, nullable=False),
        sa.Column("synced_number", sa.Integer, nullable=False),
        sa.Column("revision", sa.Integer),
        sa.Column("counted_at", sa.Double),
        sa.Column("synced_at", sa.Double),
    )
