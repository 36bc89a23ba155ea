"""Reviews of a machine's poses."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0014"
down_revision: str | None = "0013"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "review",
        sa.Column("video_id", BIG, nullable=False),
        sa.Column("number", BIG, autoincrement=False, nullable=False),
        sa.Column("verdict", sa.String(), nullable=False),
        sa.Column("undoes", BIG, nullable=True),
        sa.Column("start", BIG, nullable=False),
        sa.Column("stop", BIG, nullable=False),
        sa.Column("track_number", BIG, nullable=True),
        sa.Column("keypoints", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("max_radius90", sa.Double(), nullable=True),
        sa.Column("radius90", sa.Double(), nullable=True),
        sa.Column("label_revision", BIG, nullable=False),
        sa.Column("key_id", BIG, nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["video_id"], ["video.id"], name=op.f("fk_review_video_id_video")),
        sa.ForeignKeyConstraint(["key_id"], ["api_key.id"], name=op.f("fk_review_key_id_api_key")),
        sa.PrimaryKeyConstraint("video_id", "number", name=op.f("pk_review")),
    )
    op.create_table(
        "review_span",
        sa.Column("video_id", BIG, nullable=False),
        sa.Column("number", BIG, autoincrement=False, nullable=False),
        sa.Column("track_number", BIG, autoincrement=False, nullable=False),
        sa.Column("start", BIG, autoincrement=False, nullable=False),
        sa.Column("stop", BIG, nullable=False),
        sa.Column("run_id", BIG, nullable=False),
        sa.ForeignKeyConstraint(
            ["video_id", "number"],
            ["review.video_id", "review.number"],
            name=op.f("fk_review_span_video_id_number_review"),
        ),
        sa.ForeignKeyConstraint(["run_id"], ["run.id"], name=op.f("fk_review_span_run_id_run")),
        sa.PrimaryKeyConstraint("video_id", "number", "track_number", "start", name=op.f("pk_review_span")),
    )
    op.create_index("ix_review_span_video_id_start", "review_span", ["video_id", "start"])


def downgrade() -> None:
    op.drop_table("review_span")
    op.drop_table("review")
