"""How long a job will still take, and where and how a run was computed."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0012"
down_revision: str | None = "0011"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    op.add_column("job", sa.Column("remaining_seconds", sa.Double(), nullable=True))
    op.add_column("run", sa.Column("computed", sa.JSON(), nullable=True))


def downgrade() -> None:
    op.drop_column("run", "computed")
    op.drop_column("job", "remaining_seconds")
