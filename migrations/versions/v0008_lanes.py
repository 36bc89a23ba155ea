"""Quick jobs have queues of their own, which workers of older versions do not know."""

from collections.abc import Sequence

from alembic import op

revision: str = "0008"
down_revision: str | None = "0007"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    """Change nothing: what waits is done out of the queues that it is in."""


def downgrade() -> None:
    for queue in ("gpu", "cpu"):
        op.execute(f"UPDATE job SET queue = '{queue}' WHERE queue = '{queue}-quick'")
