"""What is said of a video's frames: which are damaged, whether they are evenly spaced, which stream they come from."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0011"
down_revision: str | None = "0010"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    # Of videos that were read before nothing is known: a good frame table says so itself, and none had damaged frames.
    with op.batch_alter_table("video", schema=None) as batch_op:
        batch_op.add_column(sa.Column("damaged", sa.JSON(), nullable=True))
        batch_op.add_column(sa.Column("variable_rate", sa.Boolean(), nullable=True))
        batch_op.add_column(sa.Column("stream", sa.JSON(), nullable=True))


def downgrade() -> None:
    with op.batch_alter_table("video", schema=None) as batch_op:
        batch_op.drop_column("stream")
        batch_op.drop_column("variable_rate")
        batch_op.drop_column("damaged")
