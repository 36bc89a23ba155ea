"""Who is let in, and how many at a time."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import httpx2
import pytest


@pytest.mark.parametrize(
    "header", ["", "Bearer", "Bearer x", "Basic YTpi", *(f"Bearer pt_{n}_{'A' * 43}" for n in (1, 99999, 10**14))]
)
def test_keys_that_are_not_known(house, refused, header):
    answer = httpx2.get(f"{house.http.base_url}me", headers={"Authorization": header}, timeout=60)
    refused(answer, 401)
    assert answer.headers["www-authenticate"] == "Bearer"


def test_keys_end(house, refused):
    soon = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
    past = (datetime.now(UTC) - timedelta(seconds=1)).isoformat()
    made = {when: house.http.post("/keys", json={"name": "k", "expires_at": when}).json() for when in (soon, past)}

    def me(when):
        return httpx2.get(
            f"{house.http.base_url}me", headers={"Authorization": f"Bearer {made[when]['key']}"}, timeout=60
        )

    assert me(soon).json()["role"] == "annotator"
    assert "expired" in refused(me(past), 401)["detail"]
    assert house.http.delete(f"/keys/{made[soon]['id']}").status_code == 204
    assert "revoked" in refused(me(soon), 401)["detail"]
    refused(house.http.delete("/keys/9999"), 404)


@pytest.mark.slow
def test_a_hundred_writers_and_readers_at_once_are_all_served(house):
    """More than there are threads and connections: nobody may wait for what another one needs to go on."""

    def write(number):
        return client.post(f"{house.url}/tracks", json={"name": str(number)}).status_code

    def read(number):
        return client.get(f"{house.url}/frames/{number % 45}", params={"width": 8}).status_code

    limits = httpx2.Limits(max_connections=120)
    with (
        httpx2.Client(base_url=house.http.base_url, headers=house.http.headers, timeout=60, limits=limits) as client,
        ThreadPoolExecutor(120) as pool,
    ):
        assert set(pool.map(write, range(120))) == {201}
        assert set(pool.map(read, range(120))) == {200}
