"""Back from lanes: what waits there is done by workers that know none."""

from __future__ import annotations

from sqlalchemy import select

from app.database import connect
from app.jobs import ledger
from app.settings import QUEUES
from app.tables import Job, Lab, Project
from migrations import apply as migrate


def test_what_waits_in_a_lane_goes_back_to_its_queue(database_url):
    database = connect(database_url)
    migrate.upgrade(database)
    with database.session() as session:
        session.add(Lab(id=1, name="lab"))
        session.flush()
        session.add(project := Project(id=1, lab_id=1, name="p"))
        session.flush()
        for queue in QUEUES:
            ledger.enqueue(session, project, "work", {}, queue=queue, max_attempts=3)
    assert migrate.downgrade(database, "0007") == "0007"
    with database.session(readonly=True) as session:
        assert sorted(session.scalars(select(Job.queue))) == ["cpu", "cpu", "gpu", "gpu"]
    migrate.upgrade(database)
    assert migrate.differences(database) == []
    database.dispose()
