"""What became of tracks: their revisions, whether they are deleted, and labels by revision."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0009"
down_revision: str | None = "0008"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.add_column("track", sa.Column("deleted", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.create_index("ix_label_video_id_revision", "label", ["video_id", "revision"])
    op.create_table(
        "track_revision",
        sa.Column("video_id", BIG, nullable=False),
        sa.Column("number", BIG, autoincrement=False, nullable=False),
        sa.Column("revision", BIG, autoincrement=False, nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("deleted", sa.Boolean(), nullable=False),
        sa.Column("name_before", sa.String(), nullable=False),
        sa.Column("deleted_before", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(
            ["video_id", "number"],
            ["track.video_id", "track.number"],
            name=op.f("fk_track_revision_video_id_number_track"),
        ),
        sa.ForeignKeyConstraint(
            ["video_id", "revision"],
            ["label_revision.video_id", "label_revision.revision"],
            name=op.f("fk_track_revision_video_id_revision_label_revision"),
        ),
        sa.PrimaryKeyConstraint("video_id", "number", "revision", name=op.f("pk_track_revision")),
    )


def downgrade() -> None:
    # Deleted tracks are seen again, without labels: those were taken back, as the older code does it too.
    op.drop_table("track_revision")
    op.drop_index("ix_label_video_id_revision", "label")
    op.drop_column("track", "deleted")
