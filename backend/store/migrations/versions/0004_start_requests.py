"""Which projects send START_TRAINING with annotations, and such requests that may come from the button."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("projects", sa.Column("starts_training_every", sa.Integer, nullable=False, server_default="0"))
    op.create_table(
        "start_requests",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("project", sa.String, sa.ForeignKey("projects.uid"), nullable=False),
        sa.Column("requested_at", sa.Double, nullable=False),
    )
