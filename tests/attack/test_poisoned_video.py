"""A video with as many tracks as labels: it is bounded, and reading and exporting it holds up nobody else."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from app.keys.service import Role
from app.labels.schemas import MAX_LABELS
from tests.attack.conftest import PATIENCE, as_bytes, coco

pytestmark = pytest.mark.slow

#: The highest ceiling that an installation may set.
TRACKS = 20_000
READERS = 4


@pytest.fixture(scope="module")
def serving(serving):
    return lambda settings: serving(settings.model_copy(update={"max_tracks": TRACKS}))


@pytest.fixture(scope="module")
def target(tenant, walker):
    """A video of the attacker's lab, and the address of its labels."""
    made = tenant.admin.get(f"/projects/{tenant.ids['project_id']}/videos").json()["items"][0]
    return f"/videos/{made['id']}/labels"


def send(tenant, target, walker, tracks):
    body = as_bytes(coco(tracks, frames=45, keypoints=walker.skeleton.keypoints))
    return tenant.admin.post(f"{target}/import", content=body, headers={"Content-Type": "application/json"})


def test_more_labels_than_an_import_may_bring(tenant, target, walker, bystander, refused):
    before = tenant.admin.get(target).json()["revision"]
    problem = refused(send(tenant, target, walker, 2 * MAX_LABELS), 422, "/annotations")
    assert str(MAX_LABELS) in problem["detail"]
    bystander.write()
    assert tenant.admin.get(target).json()["revision"] == before


@pytest.fixture(scope="module")
def poisoned(tenant, target, walker):
    """Some tracks less than there may be, since the video has one."""
    answer = send(tenant, target, walker, TRACKS - 1)
    assert answer.status_code == 200, answer.text[:500]
    return target


def test_more_tracks_than_a_video_may_have(tenant, poisoned, refused):
    tracks = poisoned.replace("/labels", "/tracks")
    codes = [tenant.admin.post(tracks, json={"name": str(number)}).status_code for number in range(2)]
    assert codes[-1] == 422
    problem = refused(tenant.admin.post(tracks, json={"name": "one more"}), 422)
    assert f"may have {TRACKS} tracks" in problem["detail"]
    assert "POSETWEEN_MAX_TRACKS" in problem["detail"]


def test_reading_it_holds_up_nobody_else(tenant, poisoned, bystander):
    reader = tenant.client(Role.READER)
    with ThreadPoolExecutor(READERS) as pool:
        reads = [pool.submit(reader.get, poisoned, timeout=300) for _ in range(READERS)]
        for _ in range(3):
            began = time.monotonic()
            assert bystander.http.get("/me", timeout=PATIENCE).status_code == 200
            bystander.write()
            assert time.monotonic() - began < PATIENCE
        for read in reads:
            answer = read.result()
            assert answer.status_code == 200
            assert len(answer.json()["labels"]) >= TRACKS - 1
    reader.close()


def test_an_export_of_it_hears_a_cancellation(tenant, poisoned, wait_for):
    job = tenant.admin.post(f"/projects/{tenant.ids['project_id']}/exports", json={}).json()
    worker = threading.Thread(target=tenant.service.work)
    worker.start()

    def state():
        return tenant.admin.get(f"/jobs/{job['id']}").json()["state"]

    wait_for(lambda: state() == "running")
    tenant.admin.post(f"/jobs/{job['id']}/cancel").raise_for_status()
    wait_for(lambda: state() == "cancelled", PATIENCE)
    worker.join()
