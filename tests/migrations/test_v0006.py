"""Back from the schema with checkpoints: what the older code cannot do is called off, what it can read stays."""

from __future__ import annotations

import pytest
from sqlalchemy import select, text

from app.database import connect
from app.tables import Blob, Checkpoint, CheckpointFile, HeldOut, Job, Lab, Project, Run, SkeletonVersion, Video
from migrations import apply as migrate

SHA = "0" * 64


@pytest.fixture
def filled(database_url):
    database = connect(database_url)
    migrate.upgrade(database)
    with database.session() as session:
        session.add_all([Lab(id=1, name="lab"), Project(id=1, lab_id=1, name="p"), Blob(sha256=SHA, size=1)])
        session.flush()
        session.add(SkeletonVersion(project_id=1, version=1, definition={}))
        session.add(Video(id=1, project_id=1, filename="f", slug="f", sha256=SHA, size=1, status="ready"))
        session.flush()
        states = [("train", "succeeded"), ("train", "queued"), ("estimate", "succeeded"), ("estimate", "running")]
        for number, (kind, state) in enumerate(states, start=1):
            session.add(Job(id=number, lab_id=1, project_id=1, kind=kind, params={}, state=state))
        session.flush()
        row = {"estimator": "stdpose", "preset": "tiny", "skeleton_version": 1, "weights_sha256": SHA}
        parts = {"metrics": {}, "epochs": [], "pedigree": {}, "verdict": {}, "promoted": True}
        session.add(Checkpoint(id=1, project_id=1, job_id=1, **row, **parts))
        session.flush()
        session.add(CheckpointFile(checkpoint_id=1, name="report.md", sha256=SHA))
        session.add(HeldOut(video_id=1, start=0, stop=9, job_id=1))
        about = {"engine": "estimator stdpose", "label_revision": 0, "skeleton_version": 1, "code_version": "0"}
        session.add_all(Run(id=number, video_id=1, job_id=number, **about) for number in (3, 4))
    yield database
    database.dispose()


def test_back_and_up_again(filled):
    assert migrate.downgrade(filled, "0005") == "0005"
    with filled.session(readonly=True) as session:
        left = session.execute(text("SELECT id, kind, state FROM job ORDER BY id")).all()
        assert [tuple(row) for row in left] == [(3, "estimate", "succeeded"), (4, "estimate", "cancelled")]
        assert session.execute(text("SELECT finished_at FROM job WHERE id = 4")).scalar_one() is not None
        assert list(session.scalars(text("SELECT id FROM run ORDER BY id"))) == [3, 4]
    migrate.upgrade(filled)
    assert migrate.differences(filled) == []
    with filled.session(readonly=True) as session:
        assert session.scalars(select(Checkpoint)).all() == []
