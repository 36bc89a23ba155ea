"""What radii were read by when somebody accepted or exported them."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0019"
down_revision: str | None = "0018"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "basis",
        sa.Column("video_id", BIG, autoincrement=False, nullable=False),
        sa.Column("sha256", sa.String(), nullable=False),
        sa.Column("data", sa.String(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["video_id"], ["video.id"], name=op.f("fk_basis_video_id_video")),
        sa.PrimaryKeyConstraint("video_id", "sha256", name=op.f("pk_basis")),
    )
    op.add_column("review", sa.Column("basis_sha256", sa.String(), nullable=True))


def downgrade() -> None:
    op.drop_column("review", "basis_sha256")
    op.drop_table("basis")
