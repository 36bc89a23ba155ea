"""Uploads that nobody goes on with end; those that a crash left whole become videos."""

from __future__ import annotations

import asyncio
import hashlib
import os
import time
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest

from app.main import create_app
from app.settings import Settings
from app.tables import Upload
from app.uploads.expiry import sweep

SIZE = 300_000


@pytest.fixture(scope="module")
def yard(serving, tmp_path_factory, walker, client_of_tus):
    """A service, a client of its uploads, and a second process's view of the same folder and database."""
    settings = Settings(data_dir=tmp_path_factory.mktemp("yard"), port=0)
    service = serving(settings)
    service.project(walker.skeleton)
    app = create_app(settings)
    yield SimpleNamespace(service=service, tus=client_of_tus(service), upload_services=app.state.upload_services)
    app.state.database.dispose()


def age(yard, url, hours=25.0, **columns):
    """Let time pass for an upload."""
    with yard.upload_services.database.session() as session:
        row = session.get_one(Upload, url.rpartition("/")[2])
        row.expires_at -= timedelta(hours=hours)
        for name, value in columns.items():
            setattr(row, name, value)


def row(yard, url):
    with yard.upload_services.database.session(readonly=True) as session:
        return session.get(Upload, url.rpartition("/")[2])


def swept(yard):
    asyncio.run(sweep(yard.upload_services))


def part(yard, url):
    return yard.upload_services.parts.folder / url.rpartition("/")[2]


def test_an_expired_upload_is_gone_before_and_after_it_is_swept(yard, refused):
    url, other = yard.tus.begin(SIZE), yard.tus.begin(SIZE)
    assert yard.tus.patch(url, b"12345", 0).status_code == 204
    age(yard, url)
    for _ in range(2):
        assert yard.tus.call("HEAD", url).status_code == 410
        for answer in (yard.tus.patch(url, b"6", 5), yard.tus.call("DELETE", url)):
            assert "expired" in refused(answer, 410)["detail"]
        swept(yard)
    assert not part(yard, url).exists()
    assert yard.tus.offset(other) == 0


def test_bytes_let_an_upload_wait_for_its_full_time_again(yard):
    url = yard.tus.begin(SIZE)
    age(yard, url, hours=20)
    swept(yard)
    assert yard.tus.patch(url, b"1", 0).status_code == 204
    assert row(yard, url).expires_at > datetime.now(UTC) + timedelta(hours=23.9)


def test_who_is_still_writing_is_left_alone(yard, make_video):
    data = make_video(SIZE)
    url = yard.tus.begin(SIZE)
    with yard.tus.pushing(url, 0, SIZE) as connection:
        connection.sendall(data[:1000])
        deadline = time.monotonic() + 10
        while yard.tus.offset(url) < 1000 and time.monotonic() < deadline:
            time.sleep(0.01)
        age(yard, url)
        swept(yard)
        assert part(yard, url).exists()
        connection.sendall(data[1000:])
        assert b" 204 " in connection.recv(4096)
    assert yard.tus.video(url)["sha256"] == hashlib.sha256(data).hexdigest()


@pytest.mark.parametrize("how", ["HEAD", "PATCH", "DELETE", "sweep"])
@pytest.mark.parametrize("crash", ["before judging", "before storing", "after storing"])
def test_what_a_crash_left_whole_becomes_a_video(yard, make_video, how, crash):
    data = make_video(SIZE)
    digest = hashlib.sha256(data).hexdigest()
    url = yard.tus.begin(SIZE)
    part(yard, url).write_bytes(data)
    if crash != "before judging":
        age(yard, url, hours=0, sha256=digest)
    if crash == "after storing":
        yard.upload_services.storage.adopt(part(yard, url), digest)
        age(yard, url, hours=25 if how == "sweep" else 0)
    if how == "sweep":
        swept(yard)
    elif how == "PATCH":
        assert yard.tus.patch(url, b"", SIZE).headers["posetween-video"]
    elif how == "DELETE" and crash == "after storing":
        assert yard.tus.call("DELETE", url).status_code == 409
    elif how == "DELETE":
        assert yard.tus.call("DELETE", url).status_code == 204
        assert yard.tus.call("HEAD", url).status_code == 410
        assert not yard.upload_services.storage.has(digest)
        return
    video = yard.tus.video(url)
    assert (video["sha256"], video["size"]) == (digest, SIZE)
    assert yard.upload_services.storage.file(digest).read_bytes() == data
    assert not part(yard, url).exists()


def test_bytes_that_were_lost_are_not_made_up(yard, refused):
    for sha256 in (None, "0" * 64):
        url = yard.tus.begin(SIZE)
        part(yard, url).unlink()
        age(yard, url, hours=0, sha256=sha256)
        swept(yard)
        assert row(yard, url).state == "open"
        assert yard.tus.call("HEAD", url).status_code == 410
        refused(yard.tus.patch(url, b"1", 0), 410)
        age(yard, url)
        swept(yard)
        assert row(yard, url).state == "expired"


def test_files_without_an_upload_are_removed_after_a_while(yard):
    fresh, old, aside = (yard.upload_services.parts.folder / name for name in ("a" * 32, "b" * 32, f"{'c' * 32}.aside"))
    for path in (fresh, old, aside):
        path.write_bytes(b"x")
    for path in (old, aside):
        os.utime(path, (0, 0))
    url = yard.tus.begin(SIZE)
    os.utime(part(yard, url), (0, 0))
    swept(yard)
    assert [path.exists() for path in (fresh, old, aside, part(yard, url))] == [True, False, False, True]


def test_the_rows_of_what_ended_are_forgotten_after_a_month(yard):
    url, recent = yard.tus.begin(SIZE), yard.tus.begin(SIZE)
    for one in (url, recent):
        assert yard.tus.call("DELETE", one).status_code == 204
    age(yard, url, hours=24 * 32)
    swept(yard)
    assert (yard.tus.call("HEAD", url).status_code, yard.tus.call("HEAD", recent).status_code) == (404, 410)


def test_the_service_sweeps_by_itself(serving, tmp_path, walker, client_of_tus):
    service = serving(Settings(data_dir=tmp_path, port=0, upload_expiry_hours=1 / 3600))
    service.project(walker.skeleton)
    tus = client_of_tus(service)
    url = tus.begin(SIZE)
    path = tmp_path / "scratch" / "uploads" / url.rpartition("/")[2]
    assert path.exists()
    deadline = time.monotonic() + 20
    while path.exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not path.exists()
    assert tus.call("HEAD", url).status_code == 410
