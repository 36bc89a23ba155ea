"""When a key was last used is written down now and then, and nobody who reads waits for it."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select

from app.database import connect
from app.keys import usage
from app.keys.service import Role
from app.keys.usage import Usage
from app.settings import Settings
from app.tables import ApiKey


@pytest.fixture(scope="module")
def shop(serving, tmp_path_factory):
    return serving(Settings(data_dir=tmp_path_factory.mktemp("shop"), port=0))


@pytest.fixture
def database(shop):
    database = connect(shop.settings.database)
    yield database
    database.dispose()


def used(shop, number):
    (key,) = [key for key in shop.http.get("/keys").json()["items"] if key["id"] == number]
    return key["last_used_at"] and datetime.fromisoformat(key["last_used_at"])


def used_in(database, number):
    with database.session(readonly=True) as session:
        return session.scalars(select(ApiKey.last_used_at).where(ApiKey.id == number)).one()


def test_a_use_is_written_down_a_moment_later(shop):
    key = shop.http.post("/keys", json={"name": "k", "role": Role.READER.value}).json()
    assert key["last_used_at"] is None
    before = datetime.now(UTC)
    shop.http.get("/me", headers={"Authorization": f"Bearer {key['key']}"})
    deadline = time.monotonic() + 20
    while used(shop, key["id"]) is None:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert before <= used(shop, key["id"]) <= datetime.now(UTC)


def test_a_key_that_is_never_used_was_never_used(shop):
    assert used(shop, shop.http.post("/keys", json={"name": "k"}).json()["id"]) is None


def test_reading_does_not_wait_for_a_writer(shop, database):
    """Somebody holds SQLite's write lock for longer than a reader would wait."""
    key = shop.http.post("/keys", json={"name": "k", "role": Role.READER.value}).json()
    with database.session():
        assert shop.http.get("/projects", headers={"Authorization": f"Bearer {key['key']}"}, timeout=5).is_success
        assert used_in(database, key["id"]) is None


def test_at_most_once_a_minute(shop, database, monkeypatch):
    number = shop.http.post("/keys", json={"name": "k"}).json()["id"]
    counter = Usage()
    counter.note(number)
    counter.write(database)
    first = used_in(database, number)
    assert first is not None
    for _ in range(5):
        counter.note(number)
        counter.write(database)
    assert used_in(database, number) == first
    monkeypatch.setattr(usage, "INTERVAL", timedelta(0))
    counter.note(number)
    counter.write(database)
    assert used_in(database, number) > first


def test_an_older_use_does_not_undo_a_newer_one(shop, database):
    """Several API processes write in no order."""
    number = shop.http.post("/keys", json={"name": "k"}).json()["id"]
    early, late = Usage(), Usage()
    early.note(number)
    late.note(number)
    late.write(database)
    last = used_in(database, number)
    early.write(database)
    assert used_in(database, number) == last


def test_what_could_not_be_written_is_written_the_next_time(shop, database, tmp_path):
    number = shop.http.post("/keys", json={"name": "k"}).json()["id"]
    counter = Usage()
    counter.note(number)
    empty = connect(f"sqlite:///{tmp_path}/empty.db")
    counter.write(empty)
    empty.dispose()
    counter.write(database)
    assert used_in(database, number) is not None


def test_what_was_noted_is_written_when_the_service_stops(serving, tmp_path):
    from app.main import create_app
    from cli.serve import prepare

    settings = Settings(data_dir=tmp_path)
    prepare(settings)
    app = create_app(settings)

    async def live_a_moment():
        async with app.router.lifespan_context(app):
            app.state.request_limits.usage.note(1)

    import anyio

    anyio.run(live_a_moment)
    database = connect(settings.database)
    assert used_in(database, 1) is not None
    database.dispose()


def test_an_end_in_another_time_zone_is_the_same_moment(shop):
    end = (datetime.now(UTC) + timedelta(hours=2)).replace(microsecond=0)
    far_east = end.astimezone(tz=__import__("zoneinfo").ZoneInfo("Asia/Tokyo"))
    key = shop.http.post("/keys", json={"name": "k", "expires_at": far_east.isoformat()}).json()
    (kept,) = [one for one in shop.http.get("/keys").json()["items"] if one["id"] == key["id"]]
    assert datetime.fromisoformat(kept["expires_at"]) == end
    past = (datetime.now(UTC) - timedelta(minutes=1)).astimezone(far_east.tzinfo)
    ended = shop.http.post("/keys", json={"name": "k", "expires_at": past.isoformat()}).json()
    assert shop.http.get("/me", headers={"Authorization": f"Bearer {ended['key']}"}).status_code == 401
