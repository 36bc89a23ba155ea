"""Accounts: browser sessions and the audit trail."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0003"
down_revision: str | None = "0002"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")

AUDIT_INDEXES = {
    "ix_audit_lab": ["lab_id", "id"],
    "ix_audit_kind": ["lab_id", "kind", "id"],
    "ix_audit_key": ["key_id", "id"],
    "ix_audit_project": ["project_id", "id"],
    "ix_audit_video": ["video_id", "id"],
}


def upgrade() -> None:
    op.create_table(
        "browser_session",
        sa.Column("id", BIG, nullable=False),
        sa.Column("key_id", BIG, nullable=False),
        sa.Column("secret_sha256", sa.String(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["key_id"], ["api_key.id"], name=op.f("fk_browser_session_key_id_api_key")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_browser_session")),
    )
    with op.batch_alter_table("browser_session", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_browser_session_expires_at"), ["expires_at"], unique=False)
        batch_op.create_index(batch_op.f("ix_browser_session_key_id"), ["key_id"], unique=False)

    op.create_table(
        "audit",
        sa.Column("id", BIG, nullable=False),
        sa.Column("lab_id", BIG, nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("via", sa.String(), nullable=False),
        sa.Column("key_id", BIG, nullable=True),
        sa.Column("project_id", BIG, nullable=True),
        sa.Column("video_id", BIG, nullable=True),
        sa.Column("details", sa.JSON(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["key_id"], ["api_key.id"], name=op.f("fk_audit_key_id_api_key")),
        sa.ForeignKeyConstraint(["lab_id"], ["lab.id"], name=op.f("fk_audit_lab_id_lab")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit")),
    )
    with op.batch_alter_table("audit", schema=None) as batch_op:
        for name, columns in AUDIT_INDEXES.items():
            batch_op.create_index(name, columns, unique=False)


def downgrade() -> None:
    with op.batch_alter_table("audit", schema=None) as batch_op:
        for name in reversed(AUDIT_INDEXES):
            batch_op.drop_index(name)

    op.drop_table("audit")
    with op.batch_alter_table("browser_session", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_browser_session_key_id"))
        batch_op.drop_index(batch_op.f("ix_browser_session_expires_at"))

    op.drop_table("browser_session")
