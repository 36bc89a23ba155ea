"""What is deleted is erased by worker processes whatever they do for it, and by the next where one is killed."""

from __future__ import annotations

import pytest
from sqlalchemy import func, select

from app.storage import open_storage
from app.tables import AuditEntry, Discard, Job, JobSegment, Label, Video

pytestmark = pytest.mark.slow


def gone(plant):
    """Whether there is no such video any more, and nothing is left to be removed of it."""
    if plant.http.post("/videos/1/restore").status_code != 404:
        return False
    with plant.database.session(readonly=True) as session:
        return not session.scalar(select(func.count(Discard.sha256)))


def stored(plant):
    return [one for found in open_storage(plant.settings).objects(10) for one in found]


def check_erased(plant):
    with plant.database.session(readonly=True) as session:
        for table in (Video, Label, Job, JobSegment):
            assert session.scalar(select(func.count()).select_from(table)) == 0, table
        kinds = set(session.scalars(select(AuditEntry.kind).where(AuditEntry.video_id == 1)))
    assert {"video.upload", "video.delete", "video.erase"} <= kinds


def test_a_video_is_erased_while_a_worker_propagates_it(plant, wait):
    worker = plant.start()
    wait(plant.segments)
    shown = plant.http.delete("/videos/1", params={"purge": 1}).json()
    assert plant.job in shown["cancelled_jobs"]
    assert plant.http.get(f"/jobs/{plant.job}").status_code == 404
    wait(lambda: gone(plant))
    check_erased(plant)
    assert stored(plant) == []
    assert worker.poll() is None


def test_what_a_killed_worker_left_is_erased_by_the_next(plant, wait):
    worker = plant.start()
    wait(plant.segments)
    plant.http.delete("/videos/1", params={"purge": 1})
    worker.kill()
    worker.wait()
    assert plant.http.post("/videos/1/restore").status_code == 409
    plant.start()
    wait(lambda: gone(plant))
    check_erased(plant)
    assert stored(plant) == []
