"""Content comes whole or in ranges, and a video that is not ready says so."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

import httpx2
import pytest

from app.videos import access_cache


def content(house, span=None, **query):
    return house.http.get(f"{house.url}/content", params=query, headers={"Range": span} if span else {})


def test_the_original_has_the_bytes_that_were_uploaded(house, walker):
    answer = content(house, original=True)
    assert answer.content == walker.path.read_bytes()
    assert walker.path.name in answer.headers["content-disposition"]


@pytest.mark.parametrize("original", [False, True])
@pytest.mark.parametrize("span", ["bytes=0-99", "bytes=100-", "bytes=-50", "bytes=5-5", "bytes=0-99999999"])
def test_ranges(house, original, span):
    whole = content(house, original=original).content
    answer = content(house, span, original=original)
    first, _, last = span.removeprefix("bytes=").partition("-")
    wanted = whole[-int(last) :] if not first else whole[int(first) : int(last) + 1 if last else None]
    assert (answer.status_code, answer.content) == (206, wanted)
    start = len(whole) - len(wanted) if not first else int(first)
    assert answer.headers["content-range"] == f"bytes {start}-{start + len(wanted) - 1}/{len(whole)}"
    assert int(answer.headers["content-length"]) == len(wanted)


def test_several_ranges_come_as_parts(house):
    answer = content(house, "bytes=0-1,10-12")
    assert answer.status_code == 206
    assert answer.headers["content-type"].startswith("multipart/byteranges")


def test_a_range_beyond_the_end_cannot_be_satisfied(house, refused):
    size = len(content(house).content)
    answer = content(house, f"bytes={size}-")
    refused(answer, 416)
    assert answer.headers["content-range"] == f"bytes */{size}"


@pytest.mark.parametrize("span", ["lines=1-2", "bytes", "bytes=", "bytes=x-y", "bytes=5-2"])
def test_ranges_that_cannot_be_read_are_not_heeded(house, span):
    answer = content(house, span)
    assert (answer.status_code, len(answer.content)) == (200, int(content(house).headers["content-length"]))


def test_a_changed_file_is_sent_whole(house):
    etag = content(house).headers["etag"]
    answer = house.http.get(f"{house.url}/content", headers={"Range": "bytes=0-9", "If-Range": '"old"'})
    assert answer.status_code == 200
    answer = house.http.get(f"{house.url}/content", headers={"Range": "bytes=0-9", "If-Range": etag})
    assert answer.status_code == 206


@pytest.fixture(scope="module")
def ingesting(house, walker):
    data = walker.path.read_bytes() + b"\x00\x00\x00\x08free"
    return house.http.post(f"/projects/{house.project['id']}/videos", content=data).json()


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", "frames/0", None),
        ("GET", "content", None),
        ("GET", "labels", None),
        ("PUT", "labels", {"labels": [{"frame_index": 0, "track_id": 1, "keypoints": []}]}),
        ("POST", "labels/import", {"images": [], "annotations": [], "categories": []}),
        ("POST", "propagations", {}),
    ],
)
def test_a_video_that_is_still_read_has_no_frames_yet(house, everything, refused, ingesting, method, path, body):
    before = everything(house.service)
    problem = refused(house.http.request(method, f"/videos/{ingesting['id']}/{path}", json=body), 409)
    assert "ingest" in problem["detail"]
    assert everything(house.service) == before


@pytest.fixture
def guest(house):
    """Somebody with a key of their own, and how to take it away."""
    soon = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
    made = house.http.post("/keys", json={"name": "guest", "role": "reader", "expires_at": soon}).json()
    headers = {"Authorization": f"Bearer {made['key']}"}
    with httpx2.Client(base_url=house.http.base_url, headers=headers, timeout=60) as http:
        http.revoke = lambda: house.http.delete(f"/keys/{made['id']}")
        yield http


def test_a_key_that_was_revoked_sees_frames_of_the_same_video_for_a_moment_and_no_others(house, guest, refused):
    frame = f"{house.url}/frames/0"
    assert guest.get(frame).status_code == 200
    began = time.monotonic()
    assert guest.revoke().status_code == 204
    refused(guest.get(house.url), 401)
    refused(guest.get("/videos/9999/frames/0"), 401)
    while (status := guest.get(frame).status_code) == 200:
        assert time.monotonic() - began < 2 * access_cache.SECONDS
        time.sleep(0.1)
    assert status == 401


def test_what_is_known_of_a_video_does_not_let_in_who_may_not_see_it(house, refused):
    frame = f"{house.url}/frames/0"
    assert house.http.get(frame).status_code == 200
    for shown in ({}, {"Authorization": "Bearer pt_1_x"}, {"Cookie": "posetween_session=ps_1_x"}):
        refused(httpx2.get(f"{house.http.base_url}{frame.removeprefix('/')}", headers=shown, timeout=60), 401)
    refused(house.http.get(f"{house.url}/frames/99999"), 404)


def test_frames_that_come_without_a_look_at_the_database_count_too(house, guest):
    assert all("RateLimit" in guest.get(f"{house.url}/frames/0").headers for _ in range(3))
