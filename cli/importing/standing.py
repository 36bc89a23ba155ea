"""Runs that an earlier import made of a machine's poses: the same poses are not written once more."""

from __future__ import annotations

import numpy as np

from cli.importing.parts import LabelBatch
from posetween import Client
from posetween.answers import RunOut, VideoOut

_ENGINE = "import"
#: Pixels and shares within which a number that was written and read again is the same.
_PIXELS, _SHARE = 0.02, 0.001


def run_of(client: Client, video: VideoOut, part: LabelBatch) -> RunOut | None:
    """The run that holds just these poses of a machine; None where there is none.

    Args:
        client: To the service.
        video: Of which they are.
        part: The poses.
    """
    table = part.table
    tracks, start, stop = np.unique(table.track), int(table.frame.min()), int(table.frame.max()) + 1
    wanted = [_ENGINE, start, stop, tracks.tolist()]
    alike = [run for run in client.runs(video["id"]) if _about(run) == wanted]
    if not alike:
        return None
    # The project's keypoints may be in another order.
    names = client.project(video["project_id"])["skeleton"]["keypoints"]
    order = [table.skeleton.keypoints.index(name) for name in names]
    shape = (len(tracks), stop - start, table.skeleton.size)
    xy, score = np.full((*shape, 2), np.nan, dtype=np.float32), np.zeros(shape, dtype=np.float32)
    place = np.searchsorted(tracks, table.track), table.frame - start
    xy[place] = np.where(table.known[..., None], table.xy, np.float32(np.nan))[:, order]
    score[place] = table.score[:, order]
    for run in alike:
        there = client.poses(video["id"], start, stop, layer="pseudo", run_id=run["id"])
        rows = np.isin(there.tracks, tracks)
        if (
            there.xy[rows].shape == xy.shape
            and np.allclose(there.xy[rows], xy, rtol=0, atol=_PIXELS, equal_nan=True)
            and np.allclose(there.score[rows], score, rtol=0, atol=_SHARE)
        ):
            return run
    return None


def _about(run: RunOut) -> list[object]:
    return [run["engine"], run["start"], run["stop"], sorted(run["tracks"])]
