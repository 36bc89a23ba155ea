"""What trainings leave: checkpoints, their files, and frames that are held out."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0006"
down_revision: str | None = "0005"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "checkpoint",
        sa.Column("id", BIG, nullable=False),
        sa.Column("project_id", BIG, nullable=False),
        sa.Column("job_id", BIG, nullable=False),
        sa.Column("parent_id", BIG, nullable=True),
        sa.Column("estimator", sa.String(), nullable=False),
        sa.Column("preset", sa.String(), nullable=False),
        sa.Column("skeleton_version", BIG, nullable=False),
        sa.Column("weights_sha256", sa.String(), nullable=False),
        sa.Column("metrics", sa.JSON(), nullable=False),
        sa.Column("epochs", sa.JSON(), nullable=False),
        sa.Column("pedigree", sa.JSON(), nullable=False),
        sa.Column("verdict", sa.JSON(), nullable=False),
        sa.Column("promoted", sa.Boolean(), nullable=False),
        sa.Column("promoted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["job_id"], ["job.id"], name=op.f("fk_checkpoint_job_id_job")),
        sa.ForeignKeyConstraint(["parent_id"], ["checkpoint.id"], name=op.f("fk_checkpoint_parent_id_checkpoint")),
        sa.ForeignKeyConstraint(["project_id"], ["project.id"], name=op.f("fk_checkpoint_project_id_project")),
        sa.ForeignKeyConstraint(["weights_sha256"], ["blob.sha256"], name=op.f("fk_checkpoint_weights_sha256_blob")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_checkpoint")),
        sa.UniqueConstraint("job_id", name=op.f("uq_checkpoint_job_id")),
    )
    op.create_index("ix_checkpoint_project_id", "checkpoint", ["project_id"])
    op.create_index(
        "ix_checkpoint_promoted",
        "checkpoint",
        ["project_id"],
        unique=True,
        sqlite_where=sa.text("promoted"),
        postgresql_where=sa.text("promoted"),
    )
    op.create_table(
        "checkpoint_file",
        sa.Column("checkpoint_id", BIG, nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("sha256", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(
            ["checkpoint_id"], ["checkpoint.id"], name=op.f("fk_checkpoint_file_checkpoint_id_checkpoint")
        ),
        sa.ForeignKeyConstraint(["sha256"], ["blob.sha256"], name=op.f("fk_checkpoint_file_sha256_blob")),
        sa.PrimaryKeyConstraint("checkpoint_id", "name", name=op.f("pk_checkpoint_file")),
    )
    op.create_table(
        "held_out",
        sa.Column("video_id", BIG, nullable=False),
        sa.Column("start", BIG, nullable=False),
        sa.Column("stop", BIG, nullable=False),
        sa.Column("job_id", BIG, nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["job_id"], ["job.id"], name=op.f("fk_held_out_job_id_job")),
        sa.ForeignKeyConstraint(["video_id"], ["video.id"], name=op.f("fk_held_out_video_id_video")),
        sa.PrimaryKeyConstraint("video_id", "start", name=op.f("pk_held_out")),
    )


def downgrade() -> None:
    op.drop_table("held_out")
    op.drop_table("checkpoint_file")
    op.drop_index("ix_checkpoint_promoted", "checkpoint")
    op.drop_index("ix_checkpoint_project_id", "checkpoint")
    op.drop_table("checkpoint")
    op.execute("DELETE FROM job WHERE kind = 'train'")
    # Poses that estimators gave stay: their runs are read as others are. What waits for one would wait for ever.
    op.execute(
        "UPDATE job SET state = 'cancelled', stage = 'cancelled', finished_at = CURRENT_TIMESTAMP"
        " WHERE kind = 'estimate' AND state IN ('queued', 'running')"
    )
