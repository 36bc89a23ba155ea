"""Logs of jobs, and an index to list those of a kind."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0016"
down_revision: str | None = "0015"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "job_line",
        sa.Column("job_id", BIG, autoincrement=False, nullable=False),
        sa.Column("number", BIG, autoincrement=False, nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("what", sa.String(), nullable=False),
        sa.Column("attempt", BIG, nullable=False),
        sa.Column("worker", sa.String(), nullable=True),
        sa.Column("text", sa.String(), nullable=True),
        sa.ForeignKeyConstraint(["job_id"], ["job.id"], name=op.f("fk_job_line_job_id_job")),
        sa.PrimaryKeyConstraint("job_id", "number", name=op.f("pk_job_line")),
    )
    op.create_index("ix_job_kind", "job", ["lab_id", "kind", "id"])


def downgrade() -> None:
    op.drop_index("ix_job_kind", "job")
    op.drop_table("job_line")
