"""The ledger at scale: queues, fair claims, segments for several workers, duties."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0004"
down_revision: str | None = "0003"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    with op.batch_alter_table("job", schema=None) as batch_op:
        batch_op.drop_index("ix_job_claim")
        batch_op.add_column(sa.Column("queue", sa.String(), nullable=False, server_default="cpu"))
        batch_op.add_column(sa.Column("turn", sa.Double(), nullable=False, server_default="0"))
        batch_op.add_column(sa.Column("work", sa.Double(), nullable=False, server_default="1"))
        batch_op.add_column(sa.Column("shared", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.execute("UPDATE job SET queue = 'gpu' WHERE kind = 'propagate'")
    op.create_index("ix_job_claim", "job", ["queue", "state", "priority", "turn", "id"])
    op.create_index("ix_job_turn", "job", ["lab_id", "queue", "state", "priority", "turn"])

    with op.batch_alter_table("job_segment", schema=None) as batch_op:
        batch_op.add_column(sa.Column("owner", sa.String(), nullable=True))
        batch_op.add_column(sa.Column("attempt", BIG, nullable=False, server_default="0"))
        batch_op.add_column(sa.Column("lease_until", sa.Double(), nullable=True))
    op.create_index(
        "ix_job_segment_open",
        "job_segment",
        ["job_id", "start", "track_number"],
        sqlite_where=sa.text("sha256 IS NULL"),
        postgresql_where=sa.text("sha256 IS NULL"),
    )

    duty = op.create_table(
        "duty",
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("due", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_duty")),
    )
    op.bulk_insert(duty, [{"name": "reap", "due": 0.0}, {"name": "ring", "due": 0.0}])


def downgrade() -> None:
    op.drop_table("duty")
    op.drop_index("ix_job_segment_open", "job_segment")
    with op.batch_alter_table("job_segment", schema=None) as batch_op:
        batch_op.drop_column("lease_until")
        batch_op.drop_column("attempt")
        batch_op.drop_column("owner")
    op.drop_index("ix_job_turn", "job")
    op.drop_index("ix_job_claim", "job")
    with op.batch_alter_table("job", schema=None) as batch_op:
        batch_op.drop_column("shared")
        batch_op.drop_column("work")
        batch_op.drop_column("turn")
        batch_op.drop_column("queue")
    op.create_index("ix_job_claim", "job", ["state", "priority", "id"])
