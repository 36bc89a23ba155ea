"""A cancellation is heard at every moment of a job, also where a video has more tracks than anybody needs.

Between two moments at which a job would hear one it may compute so long and no longer. Seconds of the processor are
counted, not of the clock: what else the machine does makes no difference.
"""

from __future__ import annotations

import gc
import threading
import time

import pytest

import models.training.train  # noqa: F401  # a job that loads PyTorch first cannot listen meanwhile
from tests.attack.conftest import PATIENCE, as_bytes, coco
from worker.context import Context

pytestmark = pytest.mark.slow

TRACKS, FRAMES = 5000, 45
#: Seconds of the processor between two moments at which a cancellation is heard: 2 s, less what a heartbeat may take.
MOST_SECONDS = 1.0
#: Seconds for which a job is watched before it is cancelled.
WATCHED = 25.0

KINDS = ["pack", "export", "propagate", "estimate", "train"]  # the run that is packed waits from the beginning


@pytest.fixture(scope="module")
def serving(serving):
    return lambda settings: serving(settings.model_copy(update={"max_tracks": 2 * TRACKS}))


@pytest.fixture(scope="module")
def poisoned(tenant, walker):
    """The tenant's video with thousands of tracks: labels of people, and a run that was imported."""
    body = coco(4 * TRACKS, frames=FRAMES, keypoints=walker.skeleton.keypoints)
    for row in body["annotations"]:
        row["track_id"] = 3 + row["id"] % TRACKS
        row["image_id"] = 1 + (row["id"] // TRACKS) * 11
    url = f"/videos/{tenant.ids['video_id']}/labels/import"
    sent = {"headers": {"Content-Type": "application/json"}, "timeout": 300}
    assert tenant.admin.post(url, content=as_bytes(body), **sent).status_code == 200
    for row in body["annotations"]:
        row |= {"source": "pseudo", "score": 0.5}
    made = tenant.admin.post(url, params={"pseudo": "run"}, content=as_bytes(body), **sent)
    assert made.json()["run_id"], made.text[:300]
    return made.json()


@pytest.fixture
def gaps(monkeypatch):
    """Seconds of the processor that jobs took between two moments at which they listened."""
    found, own, listen = [], threading.local(), Context.check_cancelled

    def listening(self):
        now = time.thread_time()
        if (last := getattr(own, "last", None)) is not None:
            found.append(now - last)
        listen(self)
        own.last = time.thread_time()

    monkeypatch.setattr(Context, "check_cancelled", listening)
    # What tests before this one left in this process is not the job's to look through for what can be thrown away.
    gc.collect()
    gc.freeze()
    yield found
    gc.unfreeze()


def start(tenant, kind, poisoned):
    video, project = f"/videos/{tenant.ids['video_id']}", f"/projects/{tenant.ids['project_id']}"
    if kind == "pack":  # queued by the import
        (job,) = [
            one
            for one in tenant.admin.get("/jobs", params={"state": "queued"}).json()["items"]
            if one["kind"] == "pack"
        ]
        return job
    asked = {
        "export": (f"{project}/exports", {}),
        "propagate": (f"{video}/propagations", {"engine": "linear"}),
        "estimate": (f"{video}/estimates", {"checkpoint_id": tenant.ids["checkpoint_id"]}),
        "train": (f"{project}/trainings", {"epochs": 1}),
    }
    path, body = asked[kind]
    answer = tenant.admin.post(path, json=body, timeout=120)
    assert answer.status_code == 202, answer.text
    return answer.json()


@pytest.mark.parametrize("kind", KINDS)
def test_a_job_listens_all_the_time(tenant, poisoned, gaps, wait_for, kind):
    job = start(tenant, kind, poisoned)
    worker = threading.Thread(target=tenant.service.work)
    worker.start()

    def state():
        return tenant.admin.get(f"/jobs/{job['id']}").json()["state"]

    wait_for(lambda: state() != "queued", 120)
    deadline = time.monotonic() + WATCHED
    while state() == "running" and time.monotonic() < deadline:
        time.sleep(0.2)
    tenant.admin.post(f"/jobs/{job['id']}/cancel").raise_for_status()
    wait_for(lambda: state() in ("cancelled", "failed", "succeeded"), 3 * PATIENCE)
    for left in tenant.admin.get("/jobs", params={"state": "queued"}).json()["items"]:
        if left["kind"] != "pack" or kind == "pack":
            tenant.admin.post(f"/jobs/{left['id']}/cancel")
    worker.join()
    assert gaps
    assert max(gaps) < MOST_SECONDS
