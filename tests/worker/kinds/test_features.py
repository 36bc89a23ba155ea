"""What ``stdpose`` saw is kept on a worker's disk for the next one, and changes nothing."""

from __future__ import annotations

import stat

import pytest
from sqlalchemy import select

from app.tables import Job, JobSegment, Video
from models import registry
from models.stdpose.descriptors import DescriptorExtractor

pytestmark = pytest.mark.slow

STOP = 16
KEYFRAMES = [0, 8, 14]


@pytest.fixture
def described(monkeypatch):
    """How many frames are described, in a list that can be emptied."""
    counts = []
    describe = DescriptorExtractor._describe

    def counted(eye, images):
        counts.append(len(images))
        return describe(eye, images)

    monkeypatch.setattr(DescriptorExtractor, "_describe", counted)
    return counts


def propagated(plant, **wanted):
    """Propagate as a process does that has just begun; gives the digest of each segment."""
    registry._stdpose.cache_clear()
    body = {"engine": "stdpose", "stop": STOP, "keyframes": KEYFRAMES, **wanted}
    job = plant.http.post("/videos/1/propagations", json=body).json()["id"]
    plant.work()
    assert plant.http.get(f"/jobs/{job}").json()["state"] == "succeeded"
    with plant.database.session(readonly=True) as session:
        rows = session.scalars(select(JobSegment).where(JobSegment.job_id == job).order_by(JobSegment.start))
        return [row.sha256 for row in rows]


def cancel_what_waits(plant):
    plant.http.post(f"/jobs/{plant.job}/cancel")


def test_a_fit_after_a_propagation_sees_nothing_again_and_gives_the_same(planted, described):
    with_cache, without = (
        planted(adapt_steps=4, lease_seconds=20.0, **options) for options in ({}, {"feature_cache_bytes": 0})
    )
    found = {}
    for plant in (with_cache, without):
        plant.http.delete(f"/jobs/{plant.job}")
        found[plant.settings.feature_cache_bytes > 0] = propagated(plant)
    files = [path for path in with_cache.settings.features_dir.rglob("*") if path.is_file()]
    assert files
    assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {0o600}
    assert not without.settings.features_dir.exists()
    assert found[True] == found[False]

    described.clear()
    fitted = propagated(with_cache, adapt=True)
    assert sum(described) == 0
    assert fitted == propagated(without, adapt=True)
    assert sum(described) > 0


def test_what_was_seen_of_a_video_is_erased_with_it(planted, wait):
    plant = planted(lease_seconds=20.0)
    plant.http.delete(f"/jobs/{plant.job}")
    propagated(plant)
    with plant.database.session(readonly=True) as session:
        digest = session.scalars(select(Video.proxy_sha256)).one()
        assert session.scalar(select(Job.id).where(Job.kind == "propagate")) is not None
    assert [path.name for path in plant.settings.features_dir.iterdir()] == [digest]
    plant.start()
    plant.http.delete("/videos/1", params={"purge": 1})
    wait(lambda: not [*plant.settings.features_dir.glob("*")])
