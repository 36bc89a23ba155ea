"""How much of videos is labelled, reviewed and propagated, as it was counted last."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0017"
down_revision: str | None = "0016"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "video_share",
        sa.Column("video_id", BIG, autoincrement=False, nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("poses", BIG, nullable=False),
        sa.Column("labelled", BIG, nullable=False),
        sa.Column("reviewed", BIG, nullable=False),
        sa.Column("propagated", BIG, nullable=False),
        sa.ForeignKeyConstraint(["video_id"], ["video.id"], name=op.f("fk_video_share_video_id_video")),
        sa.PrimaryKeyConstraint("video_id", name=op.f("pk_video_share")),
    )


def downgrade() -> None:
    op.drop_table("video_share")
