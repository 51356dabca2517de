"""On which run's held-out tasks a version was scored, and the entities on which a project's versions disagree."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("versions", sa.Column("scored_in", sa.String))
    op.execute("UPDATE versions SET scored_in = run")
    op.create_table(
        "comparisons",
        sa.Column("project", sa.String, sa.ForeignKey("projects.uid"), primary_key=True),
        sa.Column("run", sa.String, nullable=False),
        sa.Column("versions", sa.JSON, nullable=False),
        sa.Column("entities", sa.JSON, nullable=False),
        sa.Column("left_out", sa.Integer, nullable=False),
    )
