"""Large reads are done in processes of their own: they answer the same, and nobody is held up where one dies."""

from __future__ import annotations

import asyncio
import os
import signal
from functools import partial

import numpy as np
import psutil
import pytest
from sqlalchemy import select, text

from app.apart import Apart
from app.database import connect
from app.errors import Busy, NotFound
from app.labels import poses_router, router
from app.reviews import reading as reviews
from app.settings import Settings
from app.storage import open_storage
from app.tables import RunSlab
from migrations.apply import upgrade
from tests.app.desk import pose


def ask(session, storage, *, end=False, refuse=False, much=False):
    if end:
        os.kill(os.getpid(), signal.SIGKILL)
    if refuse:
        raise NotFound("there is no such thing", retry_after=3)
    if much:
        np.ones(2**33)
    return session.scalar(text("SELECT 6 * 7")), os.getpid(), os.getpriority(os.PRIO_PROCESS, 0)


@pytest.fixture
def settings(tmp_path):
    chosen = Settings(data_dir=tmp_path, metrics_token="a-token-of-16-letters")
    database = connect(chosen.database)
    upgrade(database)
    database.dispose()
    return chosen


def test_it_is_another_process_of_lower_priority_and_the_same_one_the_next_time(settings):
    async def act():
        apart = Apart(settings)
        return [await apart(ask, 1) for _ in range(2)]

    (answer, number, priority), again = asyncio.run(act())
    assert answer == 42
    assert number == again[1] != os.getpid()
    assert priority == min(os.getpriority(os.PRIO_PROCESS, 0) + 15, 19)
    assert not psutil.pid_exists(number)  # it ended with the loop


def test_an_error_comes_through_whole(settings):
    async def act():
        await Apart(settings)(partial(ask, refuse=True), 1)

    with pytest.raises(NotFound) as caught:
        asyncio.run(act())
    assert (caught.value.detail, caught.value.extra) == ("there is no such thing", {"retry_after": 3})


def test_where_the_process_dies_one_asks_again(settings):
    async def act():
        apart = Apart(settings)
        with pytest.raises(Busy):
            await apart(partial(ask, end=True), 1)
        return await apart(ask, 1)

    assert asyncio.run(act())[0] == 42


def test_answers_are_the_same_whichever_process_reads_them(desk, monkeypatch):
    desk.put(*((frame, track, pose(track, frame)) for track in (1, 2, 3) for frame in range(0, 45, 9)))
    desk.propagate()
    project = f"/projects/{desk.project['id']}"
    urls = [f"{desk.url}/labels?layer=human", f"{desk.url}/labels?layer=merged", f"{desk.url}/poses"]
    urls += [f"{desk.url}/timeline", f"{desk.url}/curves?track_id=2", f"{desk.url}/curves?track_id=2&quantity=x"]
    urls += [f"{desk.url}/review-queue?limit=3", f"{project}/review-queue?limit=3"]
    here = [desk.http.get(url) for url in urls]
    for module, few in ((router, "_FEW_LABELS"), (router, "_FEW_POSES"), (poses_router, "_FEW_POSES")):
        monkeypatch.setattr(module, few, 0)
    monkeypatch.setattr(reviews, "MANY", 0)
    there = [desk.http.get(url) for url in urls]
    assert [one.status_code for one in here[:-3] + there[:-3]] == [200] * 10
    assert [one.status_code for one in here[-3:]] == [422, 200, 200]
    assert [one.content for one in there] == [one.content for one in here]
    assert [one.headers.get("etag") for one in there] == [one.headers.get("etag") for one in here]
    assert [one.headers["content-type"] for one in there] == [one.headers["content-type"] for one in here]
    assert desk.http.get("/videos/999/labels").status_code == 404


def test_what_takes_too_much_memory_is_told_so_and_the_next_is_answered(settings):
    async def act():
        apart = Apart(settings)
        with pytest.raises(Busy, match="more memory"):
            await apart(partial(ask, much=True), 1)
        return await apart(ask, 1)

    assert asyncio.run(act())[0] == 42


def test_a_damaged_file_is_told_as_such_whichever_process_reads_it(desk, monkeypatch, refused):
    desk.label(1, 2, 21, 43)
    run = desk.propagate()
    database = connect(desk.service.settings.database)
    with database.session(readonly=True) as session:
        (digest,) = session.scalars(select(RunSlab.sha256).where(RunSlab.run_id == run))
    database.dispose()
    (path,) = open_storage(desk.service.settings).readable[0].rglob(digest)
    whole = path.read_bytes()
    monkeypatch.setattr(poses_router, "_FEW_POSES", 0)
    path.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    told = refused(desk.http.get(f"{desk.url}/poses"), 503)
    path.write_bytes(whole)
    assert digest in told["detail"]
    assert desk.http.get(f"{desk.url}/poses").status_code == 200
