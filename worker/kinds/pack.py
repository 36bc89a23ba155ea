"""Packing: a finished run's segments, put together for reading, one slab at a time."""

from __future__ import annotations

from functools import partial

from app.database import insert_missing
from app.jobs import ledger
from app.jobs.params import PackingParams, RunResult
from app.runs import packing
from app.runs.packing import Wanted
from app.storage import Stored
from app.tables import Run, RunSlab
from pose.formats import npy, slab
from pose.formats.slab import Slab
from worker.context import Context


def run(context: Context) -> None:
    """Run a packing job; slabs that are there already, of this run or another, are not made again."""
    run_id = PackingParams.of(context.held.params).run_id
    with context.database.session(readonly=True) as session:
        run = session.get_one(Run, run_id)
        extent = packing.extents(session, [run_id])[run_id]
    chunks = extent.chunks()
    for done, chunk in enumerate(chunks):
        context.step(done / len(chunks), "packing")
        with context.database.session(readonly=True) as session:
            wanted = packing.missing(session, run, extent, chunk)
            known = packing.known(session, run, wanted)
        for one in wanted:
            stored = known.get(one.input_sha256) or context.storage.put(_packed(context, one))
            context.insist(partial(_keep, context, run_id, one, stored))
    context.insist(partial(_end, context, run_id))


def _keep(context: Context, run_id: int, wanted: Wanted, stored: Stored) -> None:
    with context.keeping([stored]) as session:
        insert_missing(
            session,
            RunSlab,
            run_id=run_id,
            chunk=wanted.chunk,
            block=wanted.block,
            input_sha256=wanted.input_sha256,
            sha256=stored.sha256,
        )
        context.check_quota(session)


def _end(context: Context, run_id: int) -> None:
    with context.writing() as session:
        ledger.succeed(session, context.held, RunResult(run_id=run_id).to_row())


def _packed(context: Context, wanted: Wanted) -> bytes:
    objects = context.storage.get_all([piece.sha256 for piece in wanted.pieces])
    packed: Slab | None = None
    for piece, (_, data) in zip(wanted.pieces, objects, strict=True):
        context.check_cancelled()
        poses = npy.decode(data)
        packed = packed or Slab.blank(wanted.chunk * slab.FRAMES, wanted.tracks, poses.num_keypoints)
        packed.lay(piece.track, poses)
    assert packed is not None
    return slab.encode(packed, wanted.room)
