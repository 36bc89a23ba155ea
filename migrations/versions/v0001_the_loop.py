"""The loop: projects, videos, labels, runs, jobs, exports."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0001"
down_revision: str | None = None
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "blob",
        sa.Column("sha256", sa.String(), nullable=False),
        sa.Column("size", BIG, nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("sha256", name=op.f("pk_blob")),
    )
    op.create_table(
        "lab",
        sa.Column("id", BIG, nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_lab")),
    )
    op.create_table(
        "api_key",
        sa.Column("id", BIG, nullable=False),
        sa.Column("lab_id", BIG, nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("role", sa.String(), nullable=False),
        sa.Column("secret_sha256", sa.String(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("last_used_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["lab_id"], ["lab.id"], name=op.f("fk_api_key_lab_id_lab")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_api_key")),
    )
    with op.batch_alter_table("api_key", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_api_key_lab_id"), ["lab_id"], unique=False)

    op.create_table(
        "idempotency",
        sa.Column("lab_id", BIG, nullable=False),
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("request", sa.String(), nullable=False),
        sa.Column("status", BIG, nullable=False),
        sa.Column("body", sa.JSON(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["lab_id"], ["lab.id"], name=op.f("fk_idempotency_lab_id_lab")),
        sa.PrimaryKeyConstraint("lab_id", "key", name=op.f("pk_idempotency")),
    )
    op.create_table(
        "project",
        sa.Column("id", BIG, nullable=False),
        sa.Column("lab_id", BIG, nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("skeleton_version", BIG, nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["lab_id"], ["lab.id"], name=op.f("fk_project_lab_id_lab")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_project")),
    )
    with op.batch_alter_table("project", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_project_lab_id"), ["lab_id"], unique=False)

    op.create_table(
        "skeleton_version",
        sa.Column("project_id", BIG, nullable=False),
        sa.Column("version", BIG, nullable=False),
        sa.Column("definition", sa.JSON(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["project_id"], ["project.id"], name=op.f("fk_skeleton_version_project_id_project")),
        sa.PrimaryKeyConstraint("project_id", "version", name=op.f("pk_skeleton_version")),
    )
    op.create_table(
        "video",
        sa.Column("id", BIG, nullable=False),
        sa.Column("project_id", BIG, nullable=False),
        sa.Column("filename", sa.String(), nullable=False),
        sa.Column("slug", sa.String(), nullable=False),
        sa.Column("sha256", sa.String(), nullable=False),
        sa.Column("size", BIG, nullable=False),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("reason", sa.String(), nullable=True),
        sa.Column("num_frames", BIG, nullable=True),
        sa.Column("width", BIG, nullable=True),
        sa.Column("height", BIG, nullable=True),
        sa.Column("fps", sa.Double(), nullable=True),
        sa.Column("duration", sa.Double(), nullable=True),
        sa.Column("frame_table_sha256", sa.String(), nullable=True),
        sa.Column("proxy_sha256", sa.String(), nullable=True),
        sa.Column("proxy_table_sha256", sa.String(), nullable=True),
        sa.Column("revision", BIG, nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["frame_table_sha256"], ["blob.sha256"], name=op.f("fk_video_frame_table_sha256_blob")),
        sa.ForeignKeyConstraint(["project_id"], ["project.id"], name=op.f("fk_video_project_id_project")),
        sa.ForeignKeyConstraint(["proxy_sha256"], ["blob.sha256"], name=op.f("fk_video_proxy_sha256_blob")),
        sa.ForeignKeyConstraint(["proxy_table_sha256"], ["blob.sha256"], name=op.f("fk_video_proxy_table_sha256_blob")),
        sa.ForeignKeyConstraint(["sha256"], ["blob.sha256"], name=op.f("fk_video_sha256_blob")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_video")),
        sa.UniqueConstraint("project_id", "sha256", name=op.f("uq_video_project_id_sha256")),
        sa.UniqueConstraint("project_id", "slug", name=op.f("uq_video_project_id_slug")),
    )
    with op.batch_alter_table("video", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_video_project_id"), ["project_id"], unique=False)

    op.create_table(
        "job",
        sa.Column("id", BIG, nullable=False),
        sa.Column("lab_id", BIG, nullable=False),
        sa.Column("project_id", BIG, nullable=False),
        sa.Column("video_id", BIG, nullable=True),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("params", sa.JSON(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("priority", BIG, nullable=False),
        sa.Column("attempt", BIG, nullable=False),
        sa.Column("max_attempts", BIG, nullable=False),
        sa.Column("owner", sa.String(), nullable=True),
        sa.Column("lease_until", sa.Double(), nullable=True),
        sa.Column("cancel_requested", sa.Boolean(), nullable=False),
        sa.Column("version", BIG, nullable=False),
        sa.Column("progress", sa.Double(), nullable=False),
        sa.Column("stage", sa.String(), nullable=False),
        sa.Column("error", sa.String(), nullable=True),
        sa.Column("result", sa.JSON(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["lab_id"], ["lab.id"], name=op.f("fk_job_lab_id_lab")),
        sa.ForeignKeyConstraint(["project_id"], ["project.id"], name=op.f("fk_job_project_id_project")),
        sa.ForeignKeyConstraint(["video_id"], ["video.id"], name=op.f("fk_job_video_id_video")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_job")),
    )
    with op.batch_alter_table("job", schema=None) as batch_op:
        batch_op.create_index("ix_job_claim", ["state", "priority", "id"], unique=False)
        batch_op.create_index(batch_op.f("ix_job_lab_id"), ["lab_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_job_video_id"), ["video_id"], unique=False)

    op.create_table(
        "label_revision",
        sa.Column("video_id", BIG, nullable=False),
        sa.Column("revision", BIG, autoincrement=False, nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("key_id", BIG, nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["key_id"], ["api_key.id"], name=op.f("fk_label_revision_key_id_api_key")),
        sa.ForeignKeyConstraint(["video_id"], ["video.id"], name=op.f("fk_label_revision_video_id_video")),
        sa.PrimaryKeyConstraint("video_id", "revision", name=op.f("pk_label_revision")),
    )
    op.create_table(
        "track",
        sa.Column("video_id", BIG, nullable=False),
        sa.Column("number", BIG, autoincrement=False, nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["video_id"], ["video.id"], name=op.f("fk_track_video_id_video")),
        sa.PrimaryKeyConstraint("video_id", "number", name=op.f("pk_track")),
    )
    op.create_table(
        "export",
        sa.Column("id", BIG, nullable=False),
        sa.Column("project_id", BIG, nullable=False),
        sa.Column("job_id", BIG, nullable=False),
        sa.Column("spec", sa.JSON(), nullable=False),
        sa.Column("snapshot", sa.JSON(), nullable=False),
        sa.Column("sha256", sa.String(), nullable=True),
        sa.Column("manifest", sa.JSON(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["job_id"], ["job.id"], name=op.f("fk_export_job_id_job")),
        sa.ForeignKeyConstraint(["project_id"], ["project.id"], name=op.f("fk_export_project_id_project")),
        sa.ForeignKeyConstraint(["sha256"], ["blob.sha256"], name=op.f("fk_export_sha256_blob")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_export")),
        sa.UniqueConstraint("job_id", name=op.f("uq_export_job_id")),
    )
    with op.batch_alter_table("export", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_export_project_id"), ["project_id"], unique=False)

    op.create_table(
        "job_segment",
        sa.Column("job_id", BIG, nullable=False),
        sa.Column("track_number", BIG, nullable=False),
        sa.Column("start", BIG, nullable=False),
        sa.Column("stop", BIG, nullable=False),
        sa.Column("input_sha256", sa.String(), nullable=False),
        sa.Column("sha256", sa.String(), nullable=True),
        sa.ForeignKeyConstraint(["job_id"], ["job.id"], name=op.f("fk_job_segment_job_id_job")),
        sa.ForeignKeyConstraint(["sha256"], ["blob.sha256"], name=op.f("fk_job_segment_sha256_blob")),
        sa.PrimaryKeyConstraint("job_id", "track_number", "start", name=op.f("pk_job_segment")),
    )
    with op.batch_alter_table("job_segment", schema=None) as batch_op:
        batch_op.create_index("ix_job_segment_input", ["input_sha256"], unique=False)

    op.create_table(
        "run",
        sa.Column("id", BIG, nullable=False),
        sa.Column("video_id", BIG, nullable=False),
        sa.Column("job_id", BIG, nullable=False),
        sa.Column("engine", sa.String(), nullable=False),
        sa.Column("checkpoint_sha256", sa.String(), nullable=True),
        sa.Column("label_revision", BIG, nullable=False),
        sa.Column("skeleton_version", BIG, nullable=False),
        sa.Column("code_version", sa.String(), nullable=False),
        sa.Column("hidden_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["job_id"], ["job.id"], name=op.f("fk_run_job_id_job")),
        sa.ForeignKeyConstraint(["video_id"], ["video.id"], name=op.f("fk_run_video_id_video")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_run")),
        sa.UniqueConstraint("job_id", name=op.f("uq_run_job_id")),
    )
    with op.batch_alter_table("run", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_run_video_id"), ["video_id"], unique=False)

    op.create_table(
        "label",
        sa.Column("video_id", BIG, nullable=False),
        sa.Column("frame_index", BIG, nullable=False),
        sa.Column("track_number", BIG, nullable=False),
        sa.Column("revision", BIG, nullable=False),
        sa.Column("keypoints", sa.LargeBinary(), nullable=False),
        sa.Column("changed", sa.LargeBinary(), nullable=False),
        sa.Column("corrects_run_id", BIG, nullable=True),
        sa.ForeignKeyConstraint(["corrects_run_id"], ["run.id"], name=op.f("fk_label_corrects_run_id_run")),
        sa.ForeignKeyConstraint(
            ["video_id", "revision"],
            ["label_revision.video_id", "label_revision.revision"],
            name=op.f("fk_label_video_id_revision_label_revision"),
        ),
        sa.ForeignKeyConstraint(
            ["video_id", "track_number"],
            ["track.video_id", "track.number"],
            name=op.f("fk_label_video_id_track_number_track"),
        ),
        sa.PrimaryKeyConstraint("video_id", "frame_index", "track_number", "revision", name=op.f("pk_label")),
    )


def downgrade() -> None:
    op.drop_table("label")
    with op.batch_alter_table("run", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_run_video_id"))

    op.drop_table("run")
    with op.batch_alter_table("job_segment", schema=None) as batch_op:
        batch_op.drop_index("ix_job_segment_input")

    op.drop_table("job_segment")
    with op.batch_alter_table("export", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_export_project_id"))

    op.drop_table("export")
    op.drop_table("track")
    op.drop_table("label_revision")
    with op.batch_alter_table("job", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_job_video_id"))
        batch_op.drop_index(batch_op.f("ix_job_lab_id"))
        batch_op.drop_index("ix_job_claim")

    op.drop_table("job")
    with op.batch_alter_table("video", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_video_project_id"))

    op.drop_table("video")
    op.drop_table("skeleton_version")
    with op.batch_alter_table("project", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_project_lab_id"))

    op.drop_table("project")
    op.drop_table("idempotency")
    with op.batch_alter_table("api_key", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_api_key_lab_id"))

    op.drop_table("api_key")
    op.drop_table("lab")
    op.drop_table("blob")
