"""Export: write a snapshot's file and store it."""

from __future__ import annotations

from sqlalchemy import select

from app import blobs
from app.exports.build import build
from app.jobs import ledger
from app.tables import Export
from worker.context import Context


def export(context: Context) -> None:
    """Run an export job."""
    with context.database.session(readonly=True) as session:
        row = session.scalars(select(Export).where(Export.job_id == context.held.job_id)).one()
    with context.storage.scratch_file() as target:
        manifest = build(
            context.database,
            context.storage,
            row,
            target,
            report=lambda done, total: context.step(0.98 * done / total, "writing"),
        )
        stored = context.storage.adopt(target, step=context.listen)
    with context.writing() as session:
        blobs.record(session, context.storage, stored)
        kept = session.get_one(Export, row.id)
        kept.sha256 = stored.sha256
        kept.manifest = {**manifest, "sha256": stored.sha256, "size": stored.size}
        ledger.succeed(session, context.held, {"export_id": row.id})
