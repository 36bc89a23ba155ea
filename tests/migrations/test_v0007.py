"""To the schema in which things are deleted, and back: with rows in every table, and not while something is hidden."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from sqlalchemy import select, text

from app.database import connect
from app.tables import Blob, Export, ExportVideo, Job, Lab, Label, LabelRevision, Project, TrackRow, Video
from migrations import apply as migrate

SHA = "0" * 64


@pytest.fixture
def filled(database_url):
    database = connect(database_url)
    migrate.upgrade(database)
    with database.session() as session:
        session.add_all([Lab(id=1, name="lab"), Project(id=1, lab_id=1, name="p"), Blob(sha256=SHA, size=1)])
        session.flush()
        session.add(Video(id=1, project_id=1, filename="f", slug="f", sha256=SHA, size=1, status="ready"))
        session.add(Job(id=1, lab_id=1, project_id=1, kind="export", params={}, state="succeeded"))
        session.flush()
        session.add_all([TrackRow(video_id=1, number=1, name="t"), LabelRevision(video_id=1, revision=1, kind="put")])
        session.flush()
        row = {"video_id": 1, "frame_index": 0, "track_number": 1, "revision": 1}
        session.add(Label(**row, keypoints=b"\0" * 12, changed=b"\1"))
        # An export may name a video that is gone.
        snapshot = {"videos": [{"id": 1, "revision": 1, "runs": []}, {"id": 9, "revision": 1, "runs": []}]}
        session.add(Export(id=1, project_id=1, job_id=1, spec={}, snapshot=snapshot))
    yield database
    database.dispose()


def test_back_and_up_again_with_rows_that_refer_to_each_other(filled):
    assert migrate.downgrade(filled, "0006") == "0006"
    with filled.session(readonly=True) as session:
        assert session.execute(text("SELECT count(*) FROM label")).scalar_one() == 1
    migrate.upgrade(filled)
    assert migrate.differences(filled) == []
    with filled.session(readonly=True) as session:
        assert [(row.export_id, row.video_id) for row in session.scalars(select(ExportVideo))] == [(1, 1)]
        assert session.get_one(Label, (1, 0, 1, 1)).changed == b"\1"
        assert session.get_one(Video, 1).deleted_at is None


@pytest.mark.parametrize("table", [Lab, Project, Video])
def test_no_way_back_while_the_older_version_would_show_what_was_deleted(filled, table):
    with filled.session() as session:
        session.get_one(table, 1).deleted_at = datetime.now(UTC)
    with pytest.raises(migrate.UnknownSchema, match="not erased yet"):
        migrate.downgrade(filled, "0006")
    with filled.session() as session:
        session.get_one(table, 1).deleted_at = None
    assert migrate.downgrade(filled, "0006") == "0006"


def test_the_same_bytes_twice_only_where_one_is_deleted(filled):
    with filled.session() as session:
        session.get_one(Video, 1).deleted_at = datetime.now(UTC)
        session.flush()
        session.add(Video(id=2, project_id=1, filename="f", slug="f-2", sha256=SHA, size=1, status="ready"))
    with pytest.raises(Exception, match=r"(?i)unique"), filled.session() as session:
        session.get_one(Video, 1).deleted_at = None
