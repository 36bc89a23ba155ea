"""A lab may have so much; what is too much is refused with a sentence and leaves nothing behind."""

from __future__ import annotations

import hashlib
import time
from base64 import b64encode
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import httpx2
import pytest

from app import blobs
from app.database import connect
from app.jobs import ledger
from app.settings import Settings
from app.storage import open_storage
from app.tables import Project

TUS = {"Tus-Resumable": "1.0.0"}


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


def begin(client, number, length, **more):
    metadata = f"project_id {b64encode(str(number).encode()).decode()}"
    said = {"Upload-Defer-Length": "1"} if length is None else {"Upload-Length": str(length)}
    return client.post("/uploads", headers={**TUS, "Upload-Metadata": metadata, **said, **more})


def append(client, upload, content, **headers):
    kind = {"Upload-Offset": "0", "Content-Type": "application/offset+octet-stream"}
    return client.patch(f"/uploads/{upload}", content=content, headers={**TUS, **kind, **headers})


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


def test_many_uploads_at_a_time_do_not_stand_in_each_other_s_way(serving, tmp_path, database_url, walker):
    service = serving(Settings(data_dir=tmp_path, port=0, database_url=database_url, max_lab_bytes=2**40))
    number, clip = project(service.http, walker.skeleton), walker.path.read_bytes()

    def upload(index):
        once = {"Idempotency-Key": f"upload {index}"}
        if index % 2:
            return begin(service.http, number, 1000, **once)
        body = clip + (16).to_bytes(4, "big") + b"free" + index.to_bytes(8, "big")
        return service.http.post(f"/projects/{number}/videos", content=body, headers=once)

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(upload, range(24)))
    assert {answer.status_code for answer in answers} == {201}, [answer.text for answer in answers]
    assert service.http.get("/lab").json()["promised_bytes"] == 12_000


def test_an_upload_in_pieces_counts_from_its_beginning(small, lab, walker, pair, refused, everything):
    number, data = project(lab, walker.skeleton), walker.path.read_bytes()
    later = begin(lab, number, None).json()["id"]
    upload = begin(lab, number, len(data)).json()["id"]
    before = everything(small)
    refused(begin(lab, number, pair.path.stat().st_size), 507)
    refused(send(lab, number, pair.path.read_bytes()), 507)
    refused(append(lab, later, b"", **{"Upload-Length": str(pair.path.stat().st_size)}), 507)
    assert everything(small) == before
    assert stored(lab) == 0
    assert lab.get("/lab").json()["promised_bytes"] == len(data)
    assert append(lab, upload, data).headers["posetween-video"]
    assert stored(lab) == len(data)
    assert lab.get("/lab").json()["promised_bytes"] == 0
    refused(begin(lab, number, pair.path.stat().st_size), 507)


def test_an_upload_that_ends_gives_its_room_back(lab, walker, pair, refused):
    number, length = project(lab, walker.skeleton), pair.path.stat().st_size
    upload = begin(lab, number, walker.path.stat().st_size).json()["id"]
    refused(begin(lab, number, length), 507)
    assert lab.delete(f"/uploads/{upload}", headers=TUS).status_code == 204
    assert begin(lab, number, length).status_code == 201


def test_an_upload_whose_room_is_taken_meanwhile_ends(
    serving, tmp_path, database_url, walker, pair, refused, everything
):
    data, other = walker.path.read_bytes(), pair.path.read_bytes()
    room = len(data) + len(other)
    service = serving(Settings(data_dir=tmp_path, port=0, database_url=database_url, max_lab_bytes=room))
    number = project(service.http, walker.skeleton)
    assert send(service.http, number, other).status_code == 201
    upload = begin(service.http, number, len(data)).json()["id"]
    service.work()  # which makes a proxy
    assert stored(service.http) > len(other)
    problem = refused(append(service.http, upload, data), 507)
    assert service.http.head(f"/uploads/{upload}", headers=TUS).status_code == 410
    assert refused(append(service.http, upload, b""), 410)["detail"] == problem["detail"]
    assert not any(upload in path for path, _ in everything(service)["files"])
    database, storage = connect(database_url), open_storage(service.settings)
    blobs.collect(database, storage, older_than=timedelta(0))
    database.dispose()
    assert not storage.has(hashlib.sha256(data).hexdigest())
    assert storage.has(hashlib.sha256(other).hexdigest())


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


def test_propagations_count_too(small, lab, pair):
    number = project(lab, pair.skeleton)
    video = send(lab, number, pair.path.read_bytes()).json()["id"]
    small.work()
    lab.post(f"/videos/{video}/tracks", json={"name": "t"})
    lab.put(f"/videos/{video}/labels", json={"labels": [small.label(0, 1, pair.tracks[1])]})
    codes = [lab.post(f"/videos/{video}/propagations", json={}).status_code for _ in range(3)]
    assert codes == [202, 202, 429]


def test_jobs_that_are_held_back_count_too(small, lab, walker, refused):
    number = project(lab, walker.skeleton)
    database = connect(small.settings.database)
    with database.session() as session:
        for _ in range(2):
            held = {"max_attempts": 1, "queue": ledger.HELD}
            ledger.enqueue(session, session.get_one(Project, number), "propagate", {"after": 0}, **held)
    database.dispose()
    assert lab.get("/lab").json()["queued_jobs"] == 2
    refused(lab.post(f"/projects/{number}/exports", json={}), 429)


@pytest.fixture
def tight(serving, tmp_path, database_url):
    """A service whose labs may keep 100 kB, and have three uploads open."""
    folder, limit = tmp_path / "tight", 100_000
    return serving(
        Settings(data_dir=folder, port=0, database_url=database_url, max_lab_bytes=limit, max_open_uploads=3)
    )


def arrived(service):
    return sum(path.stat().st_size for path in service.settings.scratch_dir.rglob("*") if path.is_file())


def test_an_upload_that_does_not_say_its_length_counts_as_it_grows(tight, walker, refused):
    number, many = project(tight.http, walker.skeleton), bytes(3_000_000)
    uploads = [begin(tight.http, number, None).json()["id"] for _ in range(3)]

    def offset(upload):
        return tight.http.head(f"/uploads/{upload}", headers=TUS).headers["upload-offset"]

    def grow(upload, content, **headers):
        return append(tight.http, upload, content, **headers, **{"Upload-Offset": offset(upload)})

    for upload in uploads:
        refused(grow(upload, many), 507)
        # In pieces, and after a checksum was promised, which is kept aside until it is there.
        refused(grow(upload, (many[:9000] for _ in range(300))), 507)
        digest = b64encode(hashlib.sha1(many).digest()).decode()
        refused(grow(upload, many, **{"Upload-Checksum": f"sha1 {digest}"}), 507)
    assert arrived(tight) <= tight.settings.max_lab_bytes
    assert tight.http.get("/lab").json()["promised_bytes"] == sum(int(offset(upload)) for upload in uploads)
    assert int(offset(uploads[0])) == tight.settings.max_lab_bytes
    for upload in uploads:
        assert tight.http.delete(f"/uploads/{upload}", headers=TUS).status_code == 204
    assert tight.http.get("/lab").json()["promised_bytes"] == 0


def test_a_video_that_does_not_say_its_length_counts_as_it_arrives(tight, walker, refused):
    number, most = project(tight.http, walker.skeleton), 0

    def body():
        nonlocal most
        for _ in range(400):
            most = max(most, arrived(tight))
            time.sleep(0.002)
            yield bytes(5000)

    refused(send(tight.http, number, body()), 507)
    assert 0 < most <= tight.settings.max_lab_bytes
    assert arrived(tight) == 0


def test_so_many_uploads_may_be_unfinished_at_a_time(tight, walker, refused):
    number = project(tight.http, walker.skeleton)
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: begin(tight.http, number, 10), range(8)))
    assert sorted(answer.status_code for answer in answers) == [201] * 3 + [429] * 5
    problem = refused(begin(tight.http, number, 10), 429)
    assert "3 uploads of this lab" in problem["detail"]
    (first,) = [answer.json()["id"] for answer in answers if answer.status_code == 201][:1]
    assert tight.http.delete(f"/uploads/{first}", headers=TUS).status_code == 204
    assert begin(tight.http, number, 10).status_code == 201


def test_exports_and_what_ingest_makes_count(serving, tmp_path, database_url, walker, refused):
    size = walker.path.stat().st_size
    service = serving(Settings(data_dir=tmp_path, port=0, database_url=database_url, max_lab_bytes=size + 100))
    number = project(service.http, walker.skeleton)
    video = send(service.http, number, walker.path.read_bytes()).json()
    service.work()
    shown = service.http.get(f"/videos/{video['id']}").json()
    assert shown["status"] == "rejected"
    assert str(size + 100) in shown["reason"]
    assert stored(service.http) == size
    assert arrived(service) == 0
    jobs = [service.http.post(f"/projects/{number}/exports", json={}) for _ in range(8)]
    states = [service.finished(job.json())["state"] for job in jobs]
    assert states.count("failed") > 0
    errors = [service.http.get(f"/jobs/{job.json()['id']}").json()["error"] for job in jobs]
    assert all(str(size + 100) in error for error in errors if error)
    assert stored(service.http) <= size + 100
    kept = sum(path.stat().st_size for path in tmp_path.rglob("storage/sha256/*/*"))
    assert kept == stored(service.http)
