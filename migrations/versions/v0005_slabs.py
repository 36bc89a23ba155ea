"""What runs are packed into."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0005"
down_revision: str | None = "0004"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "run_slab",
        sa.Column("run_id", BIG, nullable=False),
        sa.Column("chunk", BIG, nullable=False),
        sa.Column("block", BIG, nullable=False),
        sa.Column("input_sha256", sa.String(), nullable=False),
        sa.Column("sha256", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(["run_id"], ["run.id"], name=op.f("fk_run_slab_run_id_run")),
        sa.ForeignKeyConstraint(["sha256"], ["blob.sha256"], name=op.f("fk_run_slab_sha256_blob")),
        sa.PrimaryKeyConstraint("run_id", "chunk", "block", name=op.f("pk_run_slab")),
    )
    op.create_index("ix_run_slab_input", "run_slab", ["input_sha256"])


def downgrade() -> None:
    op.execute("DELETE FROM job WHERE kind = 'pack'")
    op.drop_index("ix_run_slab_input", "run_slab")
    op.drop_table("run_slab")
