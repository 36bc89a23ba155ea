"""What was said of labels between two revisions, on either kind of database."""

from __future__ import annotations

import numpy as np
import pytest

from app.database import connect
from app.labels import history
from app.labels.history import Labels
from app.tables import Blob, Lab, Project, SkeletonVersion, TrackRow, Video
from migrations import apply as migrate

SHA = "0" * 64


@pytest.fixture
def written(database_url):
    """Write labels of a frame and track, each a revision, and give what changed between two of them."""
    database = connect(database_url)
    migrate.upgrade(database)
    with database.session() as session:
        session.add_all([Lab(id=1, name="lab"), Project(id=1, lab_id=1, name="p"), Blob(sha256=SHA, size=1)])
        session.flush()
        session.add(SkeletonVersion(project_id=1, version=1, definition={}))
        session.add(Video(id=1, project_id=1, filename="f", slug="f", sha256=SHA, size=1, status="ready"))
        session.flush()
        session.add_all([TrackRow(video_id=1, number=number, name="t") for number in (1, 2)])

    def write(frame, track, *points, absent=False):
        keypoints = np.array([points], dtype=np.float32)
        said = keypoints[..., 2] > 0 if not absent else np.ones((1, 2), dtype=bool)
        labels = Labels(
            np.array([frame]), np.array([track]), keypoints, np.zeros(1, dtype=np.int64), np.full((1, 2), absent)
        )
        with database.session() as session:
            revision = history.begin(session, session.get_one(Video, 1), "put", None)
            history.append(session, 1, revision, labels, said)

    def changed(since, until, tracks=(1, 2), start=0, stop=100):
        with database.session(readonly=True) as session:
            then, now = history.changed(
                session, 1, 2, since=since, until=until, tracks=[*tracks], start=start, stop=stop
            )
        assert np.array_equal(then.frames, now.frames)
        assert np.array_equal(then.tracks, now.tracks)
        return [
            (int(frame), int(track), before[0].tolist(), after[0].tolist(), bool(gone.all()))
            for frame, track, before, after, gone in zip(
                now.frames, now.tracks, then.keypoints, now.keypoints, now.absent, strict=True
            )
        ]

    yield write, changed
    database.dispose()


def test_labels_that_there_were_and_those_that_say_absent(written):
    write, changed = written
    nothing = [0, 0, 0]
    write(5, 1, [1, 1, 2], [1, 1, 2])  # revision 1
    write(7, 2, [2, 2, 2], nothing)
    write(9, 1, [3, 3, 2], nothing)
    write(5, 1, [4, 4, 1], nothing)  # revision 4: moved
    write(6, 1, [5, 5, 2], nothing)  # revision 5: new
    write(8, 2, nothing, nothing, absent=True)  # revision 6: new, and absent
    assert changed(3, 3) == []
    assert changed(3, 5) == [(5, 1, [1, 1, 2], [4, 4, 1], False)]
    assert changed(3, 6) == [(5, 1, [1, 1, 2], [4, 4, 1], False), (8, 2, nothing, nothing, True)]
    assert changed(3, 6, tracks=(2,)) == [(8, 2, nothing, nothing, True)]
    assert changed(5, 6, tracks=(1,)) == []
    assert changed(3, 6, start=6) == [(8, 2, nothing, nothing, True)]
    assert changed(3, 6, stop=8) == [(5, 1, [1, 1, 2], [4, 4, 1], False)]
