"""SQLite gives the number of a deleted row to no other."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0015"
down_revision: str | None = "0014"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

# fmt: off
NUMBERED = (
    "backup_copy", "erasure", "lab", "api_key", "project", "audit", "browser_session", "sign_in", "video", "job",
    "checkpoint", "export", "run",
)
# fmt: on


def upgrade() -> None:
    if op.get_context().dialect.name != "sqlite":
        return
    for table in NUMBERED:
        _write_anew(table, autoincrement=True)
    for kind in ("project", "video"):
        _go_on_after_erased(kind)


def downgrade() -> None:
    if op.get_context().dialect.name == "sqlite":
        for table in NUMBERED:
            _write_anew(table, autoincrement=False)


def _write_anew(table: str, *, autoincrement: bool) -> None:
    # A constraint with a name cannot say AUTOINCREMENT, which belongs to the column.
    with op.batch_alter_table(table, recreate="always", table_kwargs={"sqlite_autoincrement": autoincrement}):
        pass


def _go_on_after_erased(kind: str) -> None:
    names = {"kind": kind}
    erased = sa.text("SELECT max(thing_id) FROM erasure WHERE kind = :kind").bindparams(**names)
    if (highest := op.get_bind().scalar(erased)) is None:
        return
    known = sa.text("SELECT seq FROM sqlite_sequence WHERE name = :kind").bindparams(**names)
    if (last := op.get_bind().scalar(known)) is None:
        op.execute(sa.text("INSERT INTO sqlite_sequence (name, seq) VALUES (:kind, :n)").bindparams(**names, n=highest))
    elif last < highest:
        op.execute(sa.text("UPDATE sqlite_sequence SET seq = :n WHERE name = :kind").bindparams(**names, n=highest))
