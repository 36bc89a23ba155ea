"""What engines are off on keyframes that were hidden from them."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0018"
down_revision: str | None = "0017"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "measurement",
        sa.Column("video_id", BIG, autoincrement=False, nullable=False),
        sa.Column("engine", sa.String(), nullable=False),
        sa.Column("run_id", BIG, nullable=False),
        sa.Column("keyframes", BIG, nullable=False),
        sa.Column("sha256", sa.String(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["video_id"], ["video.id"], name=op.f("fk_measurement_video_id_video")),
        sa.ForeignKeyConstraint(["run_id"], ["run.id"], name=op.f("fk_measurement_run_id_run")),
        sa.ForeignKeyConstraint(["sha256"], ["blob.sha256"], name=op.f("fk_measurement_sha256_blob")),
        sa.PrimaryKeyConstraint("video_id", "engine", name=op.f("pk_measurement")),
    )
    op.create_index("ix_measurement_run_id", "measurement", ["run_id"])


def downgrade() -> None:
    # No worker of the code before knows them.
    open_ = "kind = 'measure' AND state IN ('queued', 'running')"
    op.execute(f"UPDATE job SET state = 'cancelled', stage = 'cancelled', finished_at = created_at WHERE {open_}")
    op.drop_index("ix_measurement_run_id", "measurement")
    op.drop_table("measurement")
