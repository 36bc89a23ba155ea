"""A lab may have so much; what is too much is refused with a sentence and leaves nothing behind."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import httpx2
import pytest

from app.settings import Settings


@pytest.fixture(scope="module")
def small(serving, walker, pair, tmp_path_factory):
    """A service whose labs have room for one video with its proxy, and may have two jobs waiting."""
    room = walker.path.stat().st_size + pair.path.stat().st_size - 1
    folder = tmp_path_factory.mktemp("small")
    return serving(Settings(data_dir=folder, port=0, max_lab_bytes=room, max_queued_jobs=2))


@pytest.fixture
def lab(small):
    """A client of a new lab's admin."""
    number = len(small.http.get("/labs", params={"limit": 200}).json()["items"])
    key = small.http.post("/labs", json={"name": f"lab {number}"}).json()["key"]["key"]
    with httpx2.Client(base_url=small.http.base_url, headers={"Authorization": f"Bearer {key}"}, timeout=60) as client:
        yield client


def project(client, skeleton, name="p"):
    body = {"name": name, "skeleton": {"name": "s", "keypoints": list(skeleton.keypoints)}}
    return client.post("/projects", json=body).json()["id"]


def send(client, number, content):
    return client.post(f"/projects/{number}/videos", content=content)


def stored(client):
    return client.get("/lab").json()["stored_bytes"]


def test_a_lab_keeps_what_it_may_and_no_more(small, lab, walker, pair, refused, everything):
    first, second = (project(lab, walker.skeleton, name) for name in "ab")
    assert stored(lab) == 0
    assert send(lab, first, walker.path.read_bytes()).status_code == 201
    assert stored(lab) == walker.path.stat().st_size
    before = everything(small)
    problem = refused(send(lab, first, pair.path.read_bytes()), 507)
    assert str(small.settings.max_lab_bytes) in problem["detail"]
    # Without a length it is only known when it is all there.
    refused(send(lab, first, (piece for piece in [pair.path.read_bytes()])), 507)
    assert everything(small) == before
    assert lab.get("/lab").json()["max_stored_bytes"] == small.settings.max_lab_bytes
    # The same file in another project takes no more room.
    streamed = send(lab, second, (piece for piece in [walker.path.read_bytes()]))
    assert streamed.status_code == 201
    assert stored(lab) == walker.path.stat().st_size


def test_a_lab_has_its_own_room(small, lab, walker):
    # Files that another lab has count here too.
    assert send(lab, project(lab, walker.skeleton), walker.path.read_bytes()).status_code == 201
    assert stored(lab) == walker.path.stat().st_size


def test_the_proxy_counts(small, lab, pair):
    number = project(lab, pair.skeleton)
    video = send(lab, number, pair.path.read_bytes()).json()["id"]
    small.work()
    proxy = len(lab.get(f"/videos/{video}/content").content)
    assert stored(lab) == pair.path.stat().st_size + proxy


def test_two_uploads_at_a_time_do_not_share_the_same_room(small, lab, walker, pair):
    numbers = [project(lab, walker.skeleton, name) for name in "ab"]
    bodies = [walker.path.read_bytes(), pair.path.read_bytes()]
    with ThreadPoolExecutor(2) as pool:
        answers = list(pool.map(lambda number, body: send(lab, number, (part for part in [body])), numbers, bodies))
    assert sorted(answer.status_code for answer in answers) == [201, 507]


def test_so_many_jobs_may_wait(small, lab, walker, refused, everything):
    number = project(lab, walker.skeleton)
    jobs = [lab.post(f"/projects/{number}/exports", json={}) for _ in range(2)]
    assert [job.status_code for job in jobs] == [202, 202]
    assert lab.get("/lab").json()["queued_jobs"] == 2
    before = everything(small)
    refusal = lab.post(f"/projects/{number}/exports", json={})
    assert "2 jobs of this lab are waiting" in refused(refusal, 429)["detail"]
    assert int(refusal.headers["Retry-After"]) > 0
    assert everything(small) == before
    # Another lab does not notice, and videos are still taken in.
    elsewhere = project(small.http, walker.skeleton)
    assert small.http.post(f"/projects/{elsewhere}/exports", json={}).status_code == 202
    assert send(lab, number, walker.path.read_bytes()).status_code == 201
    assert lab.get("/lab").json()["queued_jobs"] == 2
    lab.post(f"/jobs/{jobs[0].json()['id']}/cancel")
    assert lab.post(f"/projects/{number}/exports", json={}).status_code == 202


def test_propagations_count_too(small, lab, walker, refused):
    number = project(lab, walker.skeleton)
    video = send(lab, number, walker.path.read_bytes()).json()["id"]
    small.work()
    lab.post(f"/videos/{video}/tracks", json={"name": "t"})
    lab.put(f"/videos/{video}/labels", json={"labels": [small.label(0, 1, walker.tracks[1])]})
    codes = [lab.post(f"/videos/{video}/propagations", json={}).status_code for _ in range(3)]
    assert codes == [202, 202, 429]
