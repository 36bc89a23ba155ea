"""A key that asks too much is told to wait; nobody else notices."""

from __future__ import annotations

import re
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from app.errors import TooMany
from app.keys.service import Role
from app.rate_limit import RateLimit
from app.settings import Settings


class Clock:
    now = 1000.0

    def __call__(self):
        return self.now


def left(headers):
    return int(re.fullmatch(r'"key";r=(\d+);t=\d+', headers["RateLimit"])[1])


def taken(rates, key_id, tries):
    """How many of so many requests get through."""
    count = 0
    for _ in range(tries):
        try:
            rates.take(key_id)
        except TooMany:
            continue
        count += 1
    return count


def test_a_minute_s_worth_at_once_and_then_what_flows_back():
    clock = Clock()
    rates = RateLimit(120, clock)
    assert taken(rates, 1, 200) == 120
    clock.now += 0.25
    assert taken(rates, 1, 5) == 0
    clock.now += 0.25
    assert taken(rates, 1, 5) == 1
    clock.now += 10
    assert taken(rates, 1, 100) == 20
    clock.now += 10_000
    assert taken(rates, 1, 200) == 120


def test_over_any_length_of_time_no_more_than_the_limit_and_one_bucket():
    clock = Clock()
    rates = RateLimit(60, clock)
    through = 0
    for _ in range(3000):
        clock.now += 0.1
        through += taken(rates, 1, 1)
    assert through == 60 + 300 - 1 or through == 60 + 300


def test_each_key_has_its_own_bucket():
    rates = RateLimit(10, Clock())
    assert (taken(rates, 1, 50), taken(rates, 2, 3)) == (10, 3)
    assert left(rates.take(2)) == 6


def test_the_headers_say_how_it_stands():
    clock = Clock()
    rates = RateLimit(60, clock)
    assert rates.take(1) == {"RateLimit-Policy": '"key";q=60;w=60', "RateLimit": '"key";r=59;t=1'}
    taken(rates, 1, 59)
    with pytest.raises(TooMany) as told:
        rates.take(1)
    assert told.value.headers["RateLimit"] == '"key";r=0;t=60'
    assert told.value.headers["Retry-After"] == "1"
    clock.now += 1
    assert left(rates.take(1)) == 0


def test_who_waits_as_long_as_told_gets_through():
    for per_minute in (1, 7, 59, 1000):
        clock = Clock()
        rates = RateLimit(per_minute, clock)
        taken(rates, 1, per_minute)
        with pytest.raises(TooMany) as told:
            rates.take(1)
        clock.now += int(told.value.headers["Retry-After"])
        rates.take(1)


def test_zero_is_no_limit():
    rates = RateLimit(0, Clock())
    assert taken(rates, 1, 10_000) == 10_000
    assert rates.take(1) == {}


def test_threads_do_not_get_more():
    rates = RateLimit(500, Clock())
    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(lambda _: taken(rates, 1, 250), range(8))) == 500


@pytest.fixture(scope="module")
def strict(serving, tmp_path_factory):
    return serving(Settings(data_dir=tmp_path_factory.mktemp("strict"), port=0, requests_per_minute=30))


def test_too_many_requests_are_refused_with_a_time_to_wait(strict, refused):
    made = [strict.http.post("/keys", json={"name": name, "role": Role.READER.value}).json() for name in "ab"]
    busy, calm = ({"Authorization": f"Bearer {key['key']}"} for key in made)
    answers = [strict.http.get("/projects", headers=busy) for _ in range(40)]
    assert {answer.status_code for answer in answers[:30]} == {200}
    problem = refused(answers[-1], 429)
    assert "30 requests a minute" in problem["detail"]
    assert int(answers[-1].headers["Retry-After"]) >= 1
    assert answers[-1].headers["RateLimit-Policy"] == '"key";q=30;w=60'
    assert left(answers[0].headers) == 29
    assert strict.http.get("/projects", headers=calm).status_code == 200
    time.sleep(int(answers[-1].headers["Retry-After"]))
    assert strict.http.get("/projects", headers=busy).status_code == 200


def test_a_session_counts_for_its_key(strict, refused):
    key = strict.http.post("/keys", json={"name": "c"}).json()
    opened = strict.http.post("/session", headers={"Authorization": f"Bearer {key['key']}"})
    cookie = {"Cookie": opened.headers["set-cookie"].partition(";")[0], "Authorization": ""}
    codes = [strict.http.get("/projects", headers=cookie).status_code for _ in range(40)]
    assert codes.count(200) in (29, 30, 31)
    refused(strict.http.get("/projects", headers={"Authorization": f"Bearer {key['key']}"}), 429)


def test_answers_that_are_no_json_say_it_too(house):
    answer = house.http.get(f"{house.url}/frames/0")
    assert answer.headers["content-type"] == "image/jpeg"
    assert left(answer.headers) > 1000
