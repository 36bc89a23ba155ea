"""A run's Zarr store as a file for those who download it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.errors import Conflict
from app.projects import service as projects
from app.runs import packing
from app.storage import Storage
from app.tables import Run, RunSlab, Video
from pose.formats.run_zarr import write_run
from pose.frame_table import FrameTable


@dataclass(frozen=True)
class Archive:
    """What a run's file is made of.

    Attributes:
        attributes: What the Zarr group says about itself.
        num_frames: Frames of the video.
        slabs: Number along the tracks and along the frames, and digest of each slab.
        table_sha256: Of the video's frame table, which has the times.
    """

    attributes: dict[str, Any]
    num_frames: int
    slabs: list[tuple[int, int, str]]
    table_sha256: str

    @property
    def sha256(self) -> str:
        """Digest of all that the file depends on."""
        return hashlib.sha256(
            json.dumps([self.attributes, self.num_frames, self.slabs, self.table_sha256]).encode()
        ).hexdigest()

    def write(self, storage: Storage) -> Iterator[bytes]:
        """The file, in pieces; the same bytes each time."""
        slabs = ((block, chunk, storage.get(sha256)) for block, chunk, sha256 in self.slabs)
        times = FrameTable.from_bytes(storage.get(self.table_sha256)).times
        return write_run(self.attributes, len(self.attributes["tracks"]), self.num_frames, slabs, times=times)


def archive(session: Session, run: Run) -> Archive:
    """Find out what a run's file is made of.

    Raises:
        Conflict: The run is not packed (yet).
    """
    if not packing.is_packed(session, run):
        raise Conflict("the run is not packed; that is done soon after its propagation has succeeded")
    video = session.get_one(Video, run.video_id)
    assert video.num_frames is not None
    assert video.frame_table_sha256 is not None
    extent = packing.extents(session, [run.id])[run.id]
    skeleton = projects.skeleton(session, video.project_id, run.skeleton_version)
    rows = session.scalars(select(RunSlab).where(RunSlab.run_id == run.id).order_by(RunSlab.chunk, RunSlab.block))
    return Archive(
        attributes={
            "tracks": list(extent.tracks),
            "keypoints": list(skeleton.keypoints),
            "edges": [list(edge) for edge in skeleton.edges],
            "start": extent.start,
            "stop": extent.stop,
            "fps": video.fps,
            "damaged": video.damaged or [],
            "video": {"id": video.id, "filename": video.filename, "sha256": video.sha256},
            "run": {
                "id": run.id,
                "engine": run.engine,
                "checkpoint_sha256": run.checkpoint_sha256,
                "label_revision": run.label_revision,
                "skeleton_version": run.skeleton_version,
                "code_version": run.code_version,
                "computed": run.computed,
            },
        },
        num_frames=video.num_frames,
        slabs=[(row.block, row.chunk, row.sha256) for row in rows],
        table_sha256=video.frame_table_sha256,
    )
