"""Labels made before anything could be absent say so of nothing, and the way back keeps what they say of places."""

from __future__ import annotations

import numpy as np
import pytest
from sqlalchemy import text

from app.database import connect
from app.labels import history
from app.labels.history import Labels
from app.tables import Blob, Lab, Project, SkeletonVersion, TrackRow, Video
from migrations import apply as migrate

SHA = "0" * 64
POINTS = np.array([[1, 2, 2], [0, 0, 0]], dtype=np.float32)


@pytest.fixture
def filled(database_url):
    """One point has a place and the other one is absent on frame 5; the subject is absent on frame 6."""
    database = connect(database_url)
    migrate.upgrade(database)
    with database.session() as session:
        session.add_all([Lab(id=1, name="lab"), Project(id=1, lab_id=1, name="p"), Blob(sha256=SHA, size=1)])
        session.flush()
        session.add(SkeletonVersion(project_id=1, version=1, definition={}))
        session.add(Video(id=1, project_id=1, filename="f", slug="f", sha256=SHA, size=1, status="ready"))
        session.flush()
        session.add(TrackRow(video_id=1, number=1, name="one"))
        session.flush()
        absent = np.array([[False, True], [True, True]])
        keypoints = np.stack([POINTS, np.zeros_like(POINTS)])
        labels = Labels(np.array([5, 6]), np.array([1, 1]), keypoints, np.zeros(2, dtype=np.int64), absent)
        revision = history.begin(session, session.get_one(Video, 1), "put", None)
        history.append(session, 1, revision, labels, labels.said)
    yield database
    database.dispose()


def read(database):
    with database.session(readonly=True) as session:
        return history.read(session, 1, 2)


def test_back_and_up_again(filled):
    assert read(filled).absent.tolist() == [[False, True], [True, True]]
    assert migrate.downgrade(filled, "0009") == "0009"
    with filled.session() as session:
        kept = session.execute(text("SELECT frame_index, keypoints FROM label ORDER BY frame_index")).all()
        assert [(frame, bytes(points)) for frame, points in kept] == [(5, POINTS.tobytes()), (6, bytes(24))]
        # As an older version writes.
        session.execute(
            text(
                "INSERT INTO label (video_id, frame_index, track_number, revision, keypoints, changed)"
                " VALUES (1, 7, 1, 1, :keypoints, :changed)"
            ),
            {"keypoints": POINTS.tobytes(), "changed": b"\1\0"},
        )
    migrate.upgrade(filled)
    assert migrate.differences(filled) == []
    labels = read(filled)
    assert labels.frames.tolist() == [5, 6, 7]
    assert not labels.absent.any()
    np.testing.assert_array_equal(labels.keypoints[2], POINTS)
