"""Threads that look whose a key is go round the labs that ask."""

from __future__ import annotations

import asyncio
import time
from functools import partial

from fastapi import Request

from app.faces import Faces
from app.turns import FairThreads

MANY, OTHER = 1, 2


def test_a_lab_that_asks_once_does_not_wait_for_one_that_asks_without_end():
    async def act():
        threads, done = FairThreads(3, 2), []

        async def ask(lab_id):
            await threads.run(partial(time.sleep, 0.02), lab_id)
            done.append(lab_id)

        async with asyncio.TaskGroup() as group:
            for _ in range(100):
                group.create_task(ask(MANY))
            await asyncio.sleep(0)
            group.create_task(ask(OTHER))
            group.create_task(ask(None))
        return done

    done = asyncio.run(act())
    assert len(done) == 102
    assert done.index(OTHER) < 10
    assert done.index(None) < 10


def shown(key=None, cookie=None):
    """A request that shows a key, or cookies."""
    given = {"authorization": key, "cookie": cookie}
    headers = [(name.encode(), value.encode()) for name, value in given.items() if value]
    return Request({"type": "http", "headers": headers})


def test_a_lab_is_known_by_what_it_showed_last():
    faces = Faces()
    faces.note(shown("Bearer one"), 1)
    faces.note(shown(cookie="posetween_session=x"), 2)
    assert faces.lab_of(shown("Bearer one")) == 1
    assert faces.lab_of(shown(cookie="posetween_session=x")) == 2
    for nobody in (shown(), shown("Bearer two"), shown(cookie="posetween_session=y"), shown("Bearer x")):
        assert faces.lab_of(nobody) is None
    faces.note(shown("Bearer one"), 3)
    assert faces.lab_of(shown("Bearer one")) == 3


def test_whatever_else_a_request_shows_it_is_the_same_caller_s():
    faces = Faces()
    faces.note(shown("Bearer one"), 1)
    faces.note(shown(cookie="posetween_session=x"), 2)
    for same in (shown("Bearer one", "posetween_session=x"), shown("bearer one", "a=1"), shown("Bearer  one", "a=2")):
        assert faces.lab_of(same) == 1
    for same in (shown(cookie="a=1; posetween_session=x"), shown("Basic y", "posetween_session=x")):
        assert faces.lab_of(same) == 2
