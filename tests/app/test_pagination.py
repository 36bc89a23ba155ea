"""A list is walked page by page; nothing is left out, nothing comes twice."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest


def walk(house, path, limit, **query):
    pages, cursor = [], None
    while cursor is not None or not pages:
        page = house.http.get(path, params={"limit": limit, **query, **({"cursor": cursor} if cursor else {})}).json()
        pages.append(page["items"])
        cursor = page["next_cursor"]
    return pages


@pytest.fixture(scope="module")
def crowd(house):
    with ThreadPoolExecutor(4) as pool:
        posted = list(
            pool.map(lambda name: house.http.post(f"{house.url}/tracks", json={"name": f"t{name}"}), range(204))
        )
    assert {answer.status_code for answer in posted} == {201}
    return 1 + len(posted)


@pytest.mark.parametrize("limit", [200, 100, 41, 7])
def test_every_row_comes_once(house, crowd, limit):
    pages = walk(house, f"{house.url}/tracks", limit)
    assert [row["id"] for page in pages for row in page] == list(range(1, crowd + 1))
    assert {len(page) for page in pages[:-1]} == {limit}
    assert 0 < len(pages[-1]) <= limit


def test_fifty_come_where_no_number_is_given(house, crowd):
    page = house.http.get(f"{house.url}/tracks").json()
    assert len(page["items"]) == 50
    assert page["next_cursor"]


def test_a_row_that_comes_in_between_shifts_nothing(house, crowd):
    first = house.http.get(f"{house.url}/tracks", params={"limit": 3}).json()
    house.http.post(f"{house.url}/tracks", json={"name": "late"})
    second = house.http.get(f"{house.url}/tracks", params={"limit": 3, "cursor": first["next_cursor"]}).json()
    assert [row["id"] for row in first["items"] + second["items"]] == [1, 2, 3, 4, 5, 6]


def test_filters_hold_on_every_page(house):
    for _ in range(5):
        house.http.post(f"/projects/{house.project['id']}/exports", json={})
    queued = walk(house, "/jobs", 2, state="queued")
    assert [len(page) for page in queued] == [2, 2, 1]
    assert {row["kind"] for page in queued for row in page} == {"export"}
    ingested = walk(house, "/jobs", 1, video_id=house.video["id"])
    assert [row["kind"] for page in ingested for row in page] == ["ingest"]


def test_an_empty_list_is_one_empty_page(house):
    assert house.http.get(f"{house.url}/runs").json() == {"items": [], "next_cursor": None}
