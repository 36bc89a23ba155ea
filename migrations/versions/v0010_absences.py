"""What people say is absent: a column of labels, empty in those that were made before."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0010"
down_revision: str | None = "0009"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    op.add_column("label", sa.Column("absent", sa.LargeBinary(), nullable=True))
    op.create_index(
        "ix_label_absent",
        "label",
        ["video_id", "track_number"],
        sqlite_where=sa.text("absent IS NOT NULL"),
        postgresql_where=sa.text("absent IS NOT NULL"),
    )


def downgrade() -> None:
    # A label that says nothing but that points are absent stays as one that says nothing.
    op.drop_index("ix_label_absent", "label")
    op.drop_column("label", "absent")
