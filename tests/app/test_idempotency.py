"""Repeating a request with its key gives the first answer and does nothing twice."""

from __future__ import annotations

import asyncio
import json
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from itertools import count

import pytest
from sqlalchemy import func, select, update

from app import idempotency
from app.database import connect
from app.idempotency import REMEMBERED, forget_old, keep_forgetting
from app.tables import Idempotency
from app.turns import FairTurns

SKELETON = {"name": "s", "keypoints": ["a", "b"]}
COUNT = count()


def requests(house, walker):
    """Each POST that makes something: address, a body, and another good body."""
    project = f"/projects/{house.project['id']}"
    flat = [number for point in house.label["keypoints"] for number in point]
    coco = {
        "images": [{"id": 1, "file_name": "x", "width": 320, "height": 240, "frame_index": 7}],
        "annotations": [{"id": 1, "image_id": 1, "category_id": 1, "track_id": 1, "keypoints": flat}],
        "categories": [{"id": 1, "name": "one", "keypoints": house.project["skeleton"]["keypoints"], "skeleton": []}],
    }
    data = walker.path.read_bytes()
    return {
        "project": ("/projects", {"name": "p", "skeleton": SKELETON}, {"name": "q", "skeleton": SKELETON}),
        "video": (f"{project}/videos", data + b"\x00\x00\x00\x08free", data + b"\x00\x00\x00\x08skip"),
        "track": (f"{house.url}/tracks", {"name": "t"}, {"name": "u"}),
        "import": (f"{house.url}/labels/import", coco, {**coco, "info": {}}),
        "propagation": (f"{house.url}/propagations", {"engine": "linear"}, {"engine": "flow"}),
        "export": (f"{project}/exports", {"images": False}, {"images": True}),
        "key": ("/keys", {"name": "k"}, {"name": "l"}),
        "lab": ("/labs", {"name": f"lab {next(COUNT)}"}, {"name": f"lab {next(COUNT)}"}),
    }


NAMES = ["project", "video", "track", "import", "propagation", "export", "key", "lab"]


def post(client, path, body, key):
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return client.post(path, content=data, headers={"Content-Type": "application/json", "Idempotency-Key": key})


@pytest.mark.parametrize("name", NAMES)
def test_the_first_answer_comes_again(house, walker, everything, name):
    path, body, _ = requests(house, walker)[name]
    first = post(house.http, path, body, f"{name} 1")
    assert first.status_code in (200, 201, 202), first.text
    before = everything(house.service)
    again = post(house.http, path, body, f"{name} 1")
    assert (again.status_code, again.json()) == (first.status_code, first.json())
    assert everything(house.service) == before


@pytest.mark.parametrize("name", NAMES)
def test_another_request_with_the_same_key_is_refused(house, walker, everything, refused, name):
    path, body, other = requests(house, walker)[name]
    assert post(house.http, path, body, f"{name} 2").status_code < 300
    before = everything(house.service)
    refused(post(house.http, path, other, f"{name} 2"), 422, "/idempotency-key")
    assert everything(house.service) == before


@pytest.mark.parametrize("name", NAMES)
def test_requests_at_the_same_time_do_it_once(house, walker, everything, name):
    path, body, _ = requests(house, walker)[name]
    with ThreadPoolExecutor(5) as pool:
        answers = list(pool.map(lambda _: post(house.http, path, body, f"{name} 3"), range(5)))
    done = [answer for answer in answers if answer.status_code < 300]
    assert done
    assert {answer.status_code for answer in answers if answer not in done} <= {409}
    assert len({answer.text for answer in done}) == 1
    keys = [row for row in everything(house.service)["idempotency"] if f"'{name} 3'" in row]
    assert len(keys) == 1


def test_a_refused_request_may_be_mended(house, refused):
    refused(post(house.http, "/projects", {"name": ""}, "mended"), 422)
    assert post(house.http, "/projects", {"name": "x", "skeleton": SKELETON}, "mended").status_code == 201


def test_another_route_is_another_request(house, refused):
    assert post(house.http, f"{house.url}/tracks", {"name": "t"}, "route").status_code == 201
    refused(post(house.http, "/projects", {"name": "t", "skeleton": SKELETON}, "route"), 422, "/idempotency-key")


@pytest.mark.parametrize("key", ["", "x" * 201])
def test_a_key_has_a_sensible_length(house, refused, key):
    refused(post(house.http, "/projects", {"name": "x", "skeleton": SKELETON}, key), 422, "/idempotency-key")


def test_without_a_key_it_is_done_again(house):
    numbers = {house.http.post(f"{house.url}/tracks", json={"name": "t"}).json()["id"] for _ in range(3)}
    assert len(numbers) == 3


def test_an_answer_is_forgotten_after_its_time(house):
    def remembered(database):
        with database.session(readonly=True) as session:
            return {*session.scalars(select(Idempotency.key))}

    for key in ("of long ago", "of today"):
        post(house.http, f"{house.url}/tracks", {"name": key}, key)
    database = connect(house.service.settings.database)
    with database.session() as session:
        moment = datetime.now(UTC) - REMEMBERED - timedelta(seconds=1)
        session.execute(update(Idempotency).where(Idempotency.key == "of long ago").values(created_at=moment))
    assert {"of long ago", "of today"} <= remembered(database)
    forget_old(database)
    assert "of today" in remembered(database)
    assert "of long ago" not in remembered(database)
    database.dispose()


def test_others_write_between_some_answers_that_are_forgotten_and_the_next(house, monkeypatch):
    monkeypatch.setattr(idempotency, "_AT_ONCE", 10)
    database = connect(house.service.settings.database)
    long_ago = datetime.now(UTC) - REMEMBERED - timedelta(seconds=1)
    with database.session() as session:
        for number in range(35):
            row = {"key": f"many {number}", "request": "", "status": 200, "body": {}, "created_at": long_ago}
            session.add(Idempotency(lab_id=1, **row))

    def left():
        with database.session(readonly=True) as session:
            return session.scalar(select(func.count()).where(Idempotency.key.startswith("many ")))

    async def act():
        turn, seen = FairTurns(1), []
        forgetting = asyncio.create_task(keep_forgetting(database, turn))
        await asyncio.sleep(0)
        while not seen or seen[-1]:
            async with turn.of(1):
                seen.append(left())
        forgetting.cancel()
        return seen

    assert asyncio.run(act()) == [25, 15, 5, 0]
    database.dispose()
