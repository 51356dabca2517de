"""What became of the regions a run read, what the gate decided about them, and the labels a project has renamed.

Label issues name the text they are in. A project keeps which tasks have no prediction because of their text.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("projects", sa.Column("label_map", sa.JSON))
    op.add_column("projects", sa.Column("unread_texts", sa.JSON))
    op.add_column("runs", sa.Column("conversion", sa.JSON))
    for name in ("regions", "regions_used", "held_out_regions", "held_out_regions_used"):
        op.add_column("decisions", sa.Column(name, sa.Integer))
    op.add_column("decisions", sa.Column("max_lost_regions", sa.Double))
    op.add_column("decisions", sa.Column("forgotten_labels", sa.JSON))
    op.add_column("decisions", sa.Column("losses", sa.JSON))
    op.add_column("label_issues", sa.Column("text_name", sa.String, nullable=False, server_default=""))
