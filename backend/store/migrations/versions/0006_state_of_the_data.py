"""How far a project is, the state of its data, and more about label issues and reviews."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("projects", sa.Column("task_counts", sa.JSON))
    op.add_column("changes", sa.Column("labelled", sa.Boolean, nullable=False, server_default=sa.true()))
    op.add_column("runs", sa.Column("error_kind", sa.String))
    op.add_column("runs", sa.Column("automatic", sa.Boolean, nullable=False, server_default=sa.false()))
    op.add_column("reviews", sa.Column("error_kind", sa.String))
    op.add_column("reviews", sa.Column("progress", sa.Double))
    op.add_column("reviews", sa.Column("previous_end", sa.Double))
    for name in ("before", "after", "annotator"):
        op.add_column("label_issues", sa.Column(name, sa.String, nullable=False, server_default=""))
    op.add_column("label_issues", sa.Column("accepted_at", sa.Double))
    op.create_table(
        "data_states",
        sa.Column("project", sa.String, sa.ForeignKey("projects.uid"), primary_key=True),
        sa.Column("run", sa.String, nullable=False),
        sa.Column("state", sa.JSON, nullable=False),
        sa.Column("taken_at", sa.Double, nullable=False),
    )
