"""Uploads that can be resumed."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0002"
down_revision: str | None = "0001"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "upload",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("lab_id", BIG, nullable=False),
        sa.Column("project_id", BIG, nullable=False),
        sa.Column("key_id", BIG, nullable=True),
        sa.Column("session_id", BIG, nullable=True),
        sa.Column("filename", sa.String(), nullable=False),
        sa.Column("description", sa.String(), nullable=False),
        sa.Column("length", BIG, nullable=True),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("reason", sa.String(), nullable=True),
        sa.Column("sha256", sa.String(), nullable=True),
        sa.Column("video_id", BIG, nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["key_id"], ["api_key.id"], name=op.f("fk_upload_key_id_api_key")),
        sa.ForeignKeyConstraint(["lab_id"], ["lab.id"], name=op.f("fk_upload_lab_id_lab")),
        sa.ForeignKeyConstraint(["project_id"], ["project.id"], name=op.f("fk_upload_project_id_project")),
        sa.ForeignKeyConstraint(["video_id"], ["video.id"], name=op.f("fk_upload_video_id_video")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_upload")),
    )
    with op.batch_alter_table("upload", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_upload_lab_id"), ["lab_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_upload_project_id"), ["project_id"], unique=False)
        batch_op.create_index("ix_upload_state_expires_at", ["state", "expires_at"], unique=False)


def downgrade() -> None:
    with op.batch_alter_table("upload", schema=None) as batch_op:
        batch_op.drop_index("ix_upload_state_expires_at")
        batch_op.drop_index(batch_op.f("ix_upload_project_id"))
        batch_op.drop_index(batch_op.f("ix_upload_lab_id"))

    op.drop_table("upload")
