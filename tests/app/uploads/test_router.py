"""Uploads as tus 1.0 wants them, and what is refused."""

from __future__ import annotations

import base64
import hashlib
import time
from concurrent.futures import ThreadPoolExecutor
from email.utils import parsedate_to_datetime

import httpx2
import pytest

from app.keys.service import Role
from app.settings import Settings

SIZE = 300_000


def checksum(data: bytes, algorithm: str = "sha1") -> str:
    return f"{algorithm} {base64.b64encode(hashlib.new(algorithm, data).digest()).decode()}"


def text(value: str) -> str:
    return base64.b64encode(value.encode()).decode()


@pytest.fixture
def unchanged(quay, everything):
    before = everything(quay)
    yield
    assert everything(quay) == before


def scratch(service):
    return [path.name for path in (service.settings.scratch_dir / "uploads").iterdir()]


def test_what_is_understood(tus):
    for url in ("/api/v1/uploads", "/api/v1/uploads/x"):
        answer = tus.call("OPTIONS", url, Tus_Resumable=None)
        assert answer.status_code == 204
        assert answer.headers["tus-version"] == answer.headers["tus-resumable"] == "1.0.0"
        extensions = set(answer.headers["tus-extension"].split(","))
        assert {"creation", "creation-with-upload", "checksum", "termination", "expiration"} <= extensions
        assert answer.headers["tus-max-size"] == str(2**22)
        assert "sha1" in answer.headers["tus-checksum-algorithm"].split(",")


def test_an_upload_in_pieces_becomes_a_video(quay, tus, make_video):
    data = make_video(SIZE)
    url = tus.begin(SIZE)
    for start in range(0, SIZE, 70_000):
        head = tus.call("HEAD", url)
        assert (head.status_code, head.headers["cache-control"]) == (200, "no-store")
        assert (head.headers["upload-offset"], head.headers["upload-length"]) == (str(start), str(SIZE))
        assert text("walk.mp4") in head.headers["upload-metadata"]
        assert "posetween-video" not in head.headers
        answer = tus.patch(url, data[start : start + 70_000], start)
        assert (answer.status_code, answer.content) == (204, b"")
        assert answer.headers["tus-resumable"] == "1.0.0"
        assert answer.headers["upload-offset"] == str(min(start + 70_000, SIZE))
    video = tus.video(url)
    assert answer.headers["posetween-video"] == str(video["id"])
    assert (video["filename"], video["project_id"], video["size"]) == ("walk.mp4", 1, SIZE)
    assert video["sha256"] == hashlib.sha256(data).hexdigest()
    assert "upload-expires" not in answer.headers
    quay.work()
    assert quay.http.get(f"/videos/{video['id']}").json()["status"] == "ready"
    assert quay.http.get(f"/videos/{video['id']}/content", params={"original": 1}).content == data
    assert scratch(quay) == []


def test_the_same_bytes_become_the_same_video(tus, make_video, everything):
    data = make_video(SIZE)
    plain = tus.http.post("/projects/1/videos", content=data).json()
    url = tus.begin(SIZE)
    assert tus.patch(url, data, 0).headers["posetween-video"] == str(plain["id"])
    video = tus.http.get(f"/videos/{plain['id']}").json()
    assert {**tus.video(url), "share": None} == {**video, "share": None}  # which is counted now or in a moment


def test_a_finished_upload_answers_on(tus, make_video, refused):
    data = make_video(SIZE)
    url = tus.begin(SIZE)
    number = tus.patch(url, data, 0).headers["posetween-video"]
    head = tus.call("HEAD", url)
    assert (head.headers["upload-offset"], head.headers["posetween-video"]) == (str(SIZE), number)
    assert tus.patch(url, b"", SIZE).headers["posetween-video"] == number
    assert refused(tus.patch(url, data, 0), 409)["offset"] == SIZE
    assert refused(tus.call("DELETE", url), 409)["video_id"] == int(number)


def test_the_first_bytes_may_come_with_the_beginning(tus, make_video):
    data = make_video(SIZE)
    answer = tus.create(SIZE, data[:1000], Content_Type="application/offset+octet-stream")
    assert (answer.status_code, answer.headers["upload-offset"]) == (201, "1000")
    assert tus.patch(answer.headers["location"], data[1000:], 1000).headers["posetween-video"]
    data = make_video(SIZE)
    answer = tus.create(SIZE, data, Content_Type="application/offset+octet-stream", Upload_Checksum=checksum(data))
    assert (answer.status_code, answer.headers["upload-offset"]) == (201, str(SIZE))
    assert tus.video(answer.headers["location"])["sha256"] == hashlib.sha256(data).hexdigest()


def test_other_bodies_of_the_beginning_are_passed_over(tus):
    answer = tus.create(SIZE, b"{}", Content_Type="application/json")
    assert (answer.status_code, answer.headers["upload-offset"]) == (201, "0")
    assert answer.json()["length"] == SIZE
    assert answer.headers["location"] == f"/api/v1/uploads/{answer.json()['id']}"


def test_first_bytes_that_are_refused_leave_nothing(quay, tus, refused):
    before = scratch(quay)
    kind = {"Content-Type": "application/offset+octet-stream"}
    refused(tus.create(4, b"12345", **kind), 413)
    refused(tus.create(5, b"12345", Upload_Checksum=checksum(b"others"), **kind), 460)
    refused(tus.create(5, b"12345", **kind), 422, "")
    assert scratch(quay) == before


def test_a_length_that_is_said_later(tus, make_video, refused):
    data = make_video(SIZE)
    url = tus.begin(None, Upload_Defer_Length="1")
    assert tus.call("HEAD", url).headers["upload-defer-length"] == "1"
    assert tus.patch(url, data[:9], 0).status_code == 204
    refused(tus.patch(url, data[9:], 9, Upload_Length="8"), 422, "/upload-length")
    refused(tus.patch(url, data[9:], 9, Upload_Length=str(2**40)), 413)
    assert tus.patch(url, data[9:20], 9, Upload_Length=str(SIZE)).status_code == 204
    refused(tus.patch(url, data[20:], 20, Upload_Length=str(SIZE + 1)), 422, "/upload-length")
    assert tus.call("HEAD", url).headers["upload-length"] == str(SIZE)
    assert tus.patch(url, data[20:], 20).headers["posetween-video"]


def test_a_length_that_is_never_said_has_its_limit(tus, refused):
    url = tus.begin(None, Upload_Defer_Length="1")
    refused(tus.patch(url, bytes(2**22 + 1), 0), 413)
    assert tus.offset(url) == 0


@pytest.mark.parametrize("algorithm", ["sha1", "sha256", "sha512", "md5"])
def test_checksums(tus, make_video, refused, algorithm):
    data = make_video(SIZE)
    url = tus.begin(SIZE)
    assert tus.patch(url, data[:1000], 0, Upload_Checksum=checksum(data[:1000], algorithm)).status_code == 204
    refused(tus.patch(url, data[1000:], 1000, Upload_Checksum=checksum(data, algorithm)), 460)
    assert tus.offset(url) == 1000
    rest = data[1000:]
    assert tus.patch(url, rest, 1000, Upload_Checksum=checksum(rest, algorithm)).headers["posetween-video"]
    assert tus.video(url)["sha256"] == hashlib.sha256(data).hexdigest()


@pytest.mark.parametrize("header", ["sha1", "sha1 YQ==", "sha1 %%", "crc32 YQ==", "", "SHA1 x", "x" * 150])
def test_checksums_that_cannot_be_read(tus, refused, header):
    url = tus.begin(SIZE)
    refused(tus.patch(url, b"x", 0, Upload_Checksum=header), 400, "/upload-checksum")
    assert tus.offset(url) == 0


def test_wrong_offsets(tus, make_video, refused):
    data = make_video(SIZE)
    url = tus.begin(SIZE)
    assert tus.patch(url, data[:100], 0).status_code == 204
    for wrong in (0, 99, 101, SIZE, 2**50):
        assert refused(tus.patch(url, data[100:], wrong), 409)["offset"] == 100
    for unreadable in ("-1", "x", "1.5", str(2**63)):
        refused(tus.patch(url, data, 0, Upload_Offset=unreadable), 422, "/upload-offset")
    refused(tus.patch(url, data, 0, Upload_Offset=None), 422, "/upload-offset")
    assert tus.patch(url, data[100:], 100).headers["posetween-video"]


def test_more_bytes_than_were_announced(tus, make_video, refused):
    data = make_video(SIZE)
    url = tus.begin(SIZE)
    assert tus.patch(url, data[:100], 0).status_code == 204
    refused(tus.patch(url, data, 100), 413)
    refused(tus.patch(url, (data[at : at + 9999] for at in range(0, SIZE, 9999)), 100), 413)
    assert tus.offset(url) == 100
    pieces = (data[at : at + 9999] for at in range(100, SIZE, 9999))
    assert tus.patch(url, pieces, 100).headers["posetween-video"]
    assert tus.video(url)["sha256"] == hashlib.sha256(data).hexdigest()


@pytest.mark.parametrize("kind", [None, "application/octet-stream", "text/plain", "application/json"])
def test_bodies_of_another_type(tus, refused, kind):
    url = tus.begin(SIZE)
    refused(tus.patch(url, b"x", 0, Content_Type=kind), 415, "/content-type")
    assert tus.offset(url) == 0


@pytest.mark.usefixtures("unchanged")
@pytest.mark.parametrize("version", [None, "0.2.2", "1.0.1", ""])
def test_another_version_of_tus(tus, refused, version):
    answer = tus.create(SIZE, Tus_Resumable=version)
    refused(answer, 412, "/tus-resumable")
    assert answer.headers["tus-version"] == "1.0.0"


def test_another_version_in_the_middle(tus):
    url = tus.begin(SIZE)
    for method in ("HEAD", "PATCH", "DELETE"):
        answer = tus.call(method, url, Tus_Resumable="2.0.0", Upload_Offset="0")
        assert (answer.status_code, answer.headers["tus-version"]) == (412, "1.0.0")
    assert tus.offset(url) == 0


@pytest.mark.usefixtures("unchanged")
@pytest.mark.parametrize(
    ("status", "pointer", "headers"),
    [
        (413, None, {"Upload-Length": str(2**22 + 1)}),
        (413, None, {"Upload-Length": str(2**62)}),
        (422, "/upload-length", {"Upload-Length": str(2**64)}),
        (422, "/upload-length", {"Upload-Length": "0"}),
        (422, "/upload-length", {"Upload-Length": "-1"}),
        (422, "/upload-length", {"Upload-Length": "many"}),
        (400, "/upload-length", {"Upload-Length": None}),
        (400, "/upload-length", {"Upload-Defer-Length": "1"}),
        (400, "/upload-defer-length", {"Upload-Length": None, "Upload-Defer-Length": "2"}),
        (422, "/upload-metadata/project_id", {"Upload-Metadata": None}),
        (422, "/upload-metadata/project_id", {"Upload-Metadata": f"filename {text('x')}"}),
        (422, "/upload-metadata/project_id", {"Upload-Metadata": f"project_id {text('first')}"}),
        (422, "/upload-metadata/project_id", {"Upload-Metadata": f"project_id {text('0')}"}),
        (422, "/upload-metadata/project_id", {"Upload-Metadata": f"project_id {text('9' * 16)}"}),
        (422, "/upload-metadata/filename", {"Upload-Metadata": f"project_id {text('1')},filename {text('x' * 256)}"}),
        (
            422,
            "/upload-metadata/filename",
            {"Upload-Metadata": f"project_id {text('1')},filename {text('a' + chr(0))}"},
        ),
        (400, "/upload-metadata", {"Upload-Metadata": "project_id %%%"}),
        (400, "/upload-metadata", {"Upload-Metadata": f"project_id {text('1')},filename /w=="}),
        (400, "/upload-metadata", {"Upload-Metadata": f"project_id {text('1')},,"}),
        (400, "/upload-metadata", {"Upload-Metadata": f"project_id {text('1')},project_id {text('1')}"}),
        (422, "/upload-metadata", {"Upload-Metadata": "x" * 9000}),
        (404, None, {"Upload-Metadata": f"project_id {text('99')}"}),
    ],
)
def test_beginnings_that_are_refused(tus, refused, status, pointer, headers):
    refused(tus.create(SIZE, **headers), status, *[pointer] if pointer else [])


def test_metadata_of_other_clients(tus):
    metadata = f"relativePath bnVsbA==, name {text('n')},type,filetype {text('video/mp4')},project_id {text('1')}"
    url = tus.begin(SIZE, Upload_Metadata=metadata)
    assert tus.call("HEAD", url).headers["upload-metadata"] == metadata


def test_a_disk_without_room_is_said_at_the_beginning(serving, tmp_path, walker, client_of_tus, refused, everything):
    service = serving(Settings(data_dir=tmp_path, port=0, max_upload_bytes=2**62))
    service.project(walker.skeleton)
    before = everything(service)
    assert "room" in refused(client_of_tus(service).create(2**61), 507)["detail"]
    assert everything(service) == before


@pytest.mark.parametrize("cut", [5000, SIZE - 1])
def test_what_is_no_video_is_refused_at_the_end(quay, tus, refused, cut):
    data = b"this is not a video " * (SIZE // 20)
    url = tus.begin(SIZE)
    assert tus.patch(url, data[:cut], 0).status_code == 204
    problem = refused(tus.patch(url, data[cut:], cut), 422, "")
    assert len(problem["detail"]) > 20
    assert refused(tus.patch(url, b"", SIZE), 410)["detail"] == problem["detail"]
    head = tus.call("HEAD", url)
    assert (head.status_code, head.headers["cache-control"]) == (410, "no-store")
    assert url.rpartition("/")[2] not in scratch(quay)


def test_terminating(quay, tus, refused):
    url = tus.begin(SIZE)
    assert tus.patch(url, b"12345", 0).status_code == 204
    answer = tus.call("DELETE", url)
    assert (answer.status_code, answer.headers["tus-resumable"]) == (204, "1.0.0")
    assert tus.call("HEAD", url).status_code == 410
    for answer in (tus.patch(url, b"x", 5), tus.call("DELETE", url)):
        assert "terminated" in refused(answer, 410)["detail"]
    assert url.rpartition("/")[2] not in scratch(quay)


def test_uploads_say_when_they_expire(tus):
    answer = tus.create(SIZE)
    url = answer.headers["location"]
    for said in (answer, tus.call("HEAD", url), tus.patch(url, b"x", 0)):
        left = parsedate_to_datetime(said.headers["upload-expires"]).timestamp() - time.time()
        assert 23.9 * 3600 < left < 24.1 * 3600


def test_methods_may_be_overridden(tus):
    url = tus.begin(SIZE)
    kind = {"Upload-Offset": "0", "Content-Type": "application/offset+octet-stream"}
    answer = tus.call("POST", url, b"12345", **{"X-HTTP-Method-Override": "PATCH", **kind})
    assert (answer.status_code, answer.headers["upload-offset"]) == (204, "5")
    assert tus.call("POST", url, **{"X-HTTP-Method-Override": "delete"}).status_code == 204
    assert tus.call("POST", url, **{"X-HTTP-Method-Override": "PUT"}).status_code == 405


def test_a_slash_at_the_end_of_the_address(tus):
    metadata = f"project_id {text('1')}"
    answer = tus.call("POST", "/api/v1/uploads/", Upload_Length="5", Upload_Metadata=metadata)
    assert answer.status_code == 201
    assert "//" not in answer.headers["location"]
    assert tus.offset(answer.headers["location"]) == 0


def test_a_repeated_beginning_is_the_same_upload(quay, tus, make_video, refused):
    data = make_video(SIZE)
    kind = {"Content-Type": "application/offset+octet-stream", "Idempotency-Key": "begin"}
    first = tus.create(SIZE, data[:500], **kind)
    assert tus.patch(first.headers["location"], data[500:700], 500).status_code == 204
    again = tus.create(SIZE, data[:500], **kind)
    assert (again.status_code, again.headers["location"]) == (201, first.headers["location"])
    assert again.headers["upload-offset"] == "700"
    refused(tus.create(SIZE + 1, **kind), 422, "/idempotency-key")
    assert tus.patch(first.headers["location"], data[700:], 700).headers["posetween-video"]
    assert tus.create(SIZE, **kind).headers["upload-offset"] == str(SIZE)


def test_a_key_is_wanted_every_time(tus, client_of_tus, refused, quay):
    url = tus.begin(SIZE)
    with httpx2.Client(base_url=tus.http.base_url, timeout=60) as http:
        nobody = client_of_tus(quay, http)
        assert nobody.call("HEAD", url).status_code == 401
        for answer in (
            nobody.create(SIZE),
            nobody.patch(url, b"x", 0),
            nobody.call("DELETE", url),
            nobody.call("OPTIONS", "/api/v1/uploads"),
        ):
            refused(answer, 401)
            assert answer.headers["tus-resumable"] == "1.0.0"
    assert tus.offset(url) == 0


def test_another_lab_sees_nothing(house, client_of_tus, refused):
    other_lab = house.http.post("/labs", json={"name": "another"}).json()["id"]
    url = client_of_tus(house.service).begin(SIZE)
    with house.client(Role.ADMIN, other_lab) as http:
        stranger = client_of_tus(house.service, http)
        assert stranger.call("HEAD", url).status_code == 404
        refused(stranger.patch(url, b"x", 0), 404)
        refused(stranger.patch(url, b"x", 0, Tus_Resumable=None, Upload_Offset=None), 404)
        refused(stranger.call("DELETE", url), 404)
        refused(stranger.create(SIZE), 404)
    assert client_of_tus(house.service).offset(url) == 0


def test_readers_only_look(house, client_of_tus, refused):
    url = client_of_tus(house.service).begin(SIZE)
    with house.client(Role.READER) as http:
        reader = client_of_tus(house.service, http)
        assert reader.offset(url) == 0
        for answer in (reader.create(SIZE), reader.patch(url, b"x", 0), reader.call("DELETE", url)):
            refused(answer, 403)
    with house.client(Role.ANNOTATOR) as http:
        assert client_of_tus(house.service, http).patch(url, b"x", 0).status_code == 204


@pytest.mark.parametrize("name", ["x", "1", "f" * 32, "a" * 90, "%00", "..%2f..%2fadmin.key"])
def test_uploads_that_are_not_there(tus, refused, name):
    assert tus.call("HEAD", f"/api/v1/uploads/{name}").status_code == 404
    refused(tus.patch(f"/api/v1/uploads/{name}", b"x", 0), 404)


def test_many_uploads_at_a_time(quay, tus, make_video):
    def one(data):
        url = tus.begin(SIZE)
        for start in range(0, SIZE, 100_000):
            assert tus.patch(url, data[start : start + 100_000], start).status_code == 204
        return tus.video(url)["sha256"]

    files = [make_video(SIZE) for _ in range(8)]
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(one, files)) == [hashlib.sha256(data).hexdigest() for data in files]
