"""Export: write a snapshot's file and store it."""

from __future__ import annotations

from sqlalchemy import select

from app.exports import settling
from app.exports.build import build
from app.exports.others import CannotHold
from app.exports.table import TableTooLarge
from app.jobs import ledger
from app.jobs.params import ExportResult
from app.tables import Export
from worker.context import Context, JobFailed


def run(context: Context) -> None:
    """Run an export job."""
    with context.database.session(readonly=True) as session:
        row = session.scalars(select(Export).where(Export.job_id == context.held.job_id)).one()
    row = _settled(context, row)
    with context.storage.scratch_file() as target:

        def report(done: int, total: int) -> None:
            context.step(0.98 * done / total, "writing")
            context.check_room(target.stat().st_size if target.exists() else 0)

        try:
            manifest = build(context.database, context.storage, row, target, report)
        except (CannotHold, TableTooLarge) as error:
            raise JobFailed(str(error)) from error
        context.check_room(target.stat().st_size)
        stored = context.storage.adopt(target, step=context.check_cancelled)

    def keep() -> None:
        with context.keeping([stored]) as session:
            kept = session.get_one(Export, row.id)
            kept.sha256 = stored.sha256
            kept.manifest = {**manifest, "sha256": stored.sha256, "size": stored.size}
            session.flush()
            context.check_quota(session)
            ledger.succeed(session, context.held, ExportResult(export_id=row.id).to_row())

    context.insist(keep)


def _settled(context: Context, export: Export) -> Export:
    """The export, whose snapshot names what radii are read by: the same ones, however often it is begun."""
    found = settling.unsettled(context.database, context.storage, export, context.check_cancelled)
    if not found:
        return export

    def write() -> Export:
        with context.writing() as session:
            row = session.get_one(Export, export.id)
            settling.settle(session, row, found)
            session.flush()
            return row

    return context.insist(write)
