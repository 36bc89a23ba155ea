"""What was deleted: hidden at first, erased later, and written down."""

from collections.abc import Sequence
from datetime import datetime

import sqlalchemy as sa
from alembic import op
from alembic.util import CommandError

revision: str = "0007"
down_revision: str | None = "0006"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")

HIDDEN = ("lab", "project", "video")
DUTIES = ("erase",)


def _moment(name: str) -> sa.Column[datetime | None]:
    return sa.Column(name, sa.DateTime(timezone=True), nullable=True)


def upgrade() -> None:
    for table in HIDDEN:
        with op.batch_alter_table(table, schema=None) as batch_op:
            batch_op.add_column(_moment("deleted_at"))
            batch_op.add_column(_moment("restore_until"))
        op.create_index(f"ix_{table}_deleted_at", table, ["deleted_at"])
    with op.batch_alter_table("lab", schema=None) as batch_op:
        batch_op.add_column(_moment("erased_at"))
    # The same bytes may come again while a deleted video can still be restored.
    with op.batch_alter_table("video", schema=None) as batch_op:
        batch_op.drop_constraint(op.f("uq_video_project_id_sha256"), type_="unique")
    op.create_index(
        "ix_video_sha256",
        "video",
        ["project_id", "sha256"],
        unique=True,
        sqlite_where=sa.text("deleted_at IS NULL"),
        postgresql_where=sa.text("deleted_at IS NULL"),
    )
    op.create_table(
        "export_video",
        sa.Column("export_id", BIG, nullable=False),
        sa.Column("video_id", BIG, nullable=False),
        sa.ForeignKeyConstraint(["export_id"], ["export.id"], name=op.f("fk_export_video_export_id_export")),
        sa.ForeignKeyConstraint(["video_id"], ["video.id"], name=op.f("fk_export_video_video_id_video")),
        sa.PrimaryKeyConstraint("export_id", "video_id", name=op.f("pk_export_video")),
    )
    op.create_index("ix_export_video_video_id", "export_video", ["video_id"])
    _fill()
    op.create_table(
        "erasure",
        sa.Column("id", BIG, nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("thing_id", BIG, nullable=False),
        sa.Column("lab_id", BIG, nullable=False),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("erased_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_erasure")),
    )
    op.create_index("ix_erasure_thing", "erasure", ["kind", "thing_id"])
    op.create_table(
        "discard",
        sa.Column("sha256", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("sha256", name=op.f("pk_discard")),
    )
    op.create_table(
        "backup_copy",
        sa.Column("id", BIG, nullable=False),
        sa.Column("path", sa.String(), nullable=False),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("destroyed_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_backup_copy")),
    )
    duty = sa.table("duty", sa.column("name", sa.String), sa.column("due", sa.Double))
    op.bulk_insert(duty, [{"name": name, "due": 0.0} for name in DUTIES])


def _fill() -> None:
    """Write down which videos are in the exports that there are."""
    export = sa.table("export", sa.column("id", BIG), sa.column("snapshot", sa.JSON))
    video = sa.table("video", sa.column("id", BIG))
    connection = op.get_bind()
    known = {*connection.scalars(sa.select(video.c.id))}
    rows = [
        {"export_id": number, "video_id": part}
        for number, snapshot in connection.execute(sa.select(export.c.id, export.c.snapshot))
        for part in sorted({one["id"] for one in snapshot["videos"]} & known)
    ]
    pair = sa.table("export_video", sa.column("export_id", BIG), sa.column("video_id", BIG))
    for start in range(0, len(rows), 1000):
        op.bulk_insert(pair, rows[start : start + 1000])


def downgrade() -> None:
    _check_nothing_is_hidden()
    op.execute(sa.text("DELETE FROM duty WHERE name = 'erase'"))
    op.drop_table("backup_copy")
    op.drop_table("discard")
    op.drop_index("ix_erasure_thing", "erasure")
    op.drop_table("erasure")
    op.drop_index("ix_export_video_video_id", "export_video")
    op.drop_table("export_video")
    op.drop_index("ix_video_sha256", "video")
    with op.batch_alter_table("lab", schema=None) as batch_op:
        batch_op.drop_column("erased_at")
    for table in reversed(HIDDEN):
        op.drop_index(f"ix_{table}_deleted_at", table)
        with op.batch_alter_table(table, schema=None) as batch_op:
            batch_op.drop_column("restore_until")
            batch_op.drop_column("deleted_at")
    with op.batch_alter_table("video", schema=None) as batch_op:
        batch_op.create_unique_constraint(op.f("uq_video_project_id_sha256"), ["project_id", "sha256"])


def _check_nothing_is_hidden() -> None:
    """Refuse while something is deleted that is not erased yet: the older code would show it again."""
    connection = op.get_bind()
    for table in HIDDEN:
        name = sa.table(table, sa.column("id", BIG), sa.column("deleted_at"), sa.column("erased_at"))
        wanted = sa.select(sa.func.count()).select_from(name).where(name.c.deleted_at.is_not(None))
        if table == "lab":
            wanted = wanted.where(name.c.erased_at.is_(None))
        if count := connection.scalar(wanted):
            raise CommandError(
                f"of table {table} {count} deleted rows are not erased yet, and the older version would show them "
                "again; restore them, or delete them with purge=1 and wait until they are gone"
            )
