"""Long lists: a page costs a few questions however many rows it has, and begins with what is newest."""

from __future__ import annotations

import base64
from contextlib import contextmanager

import pytest
from sqlalchemy import Engine, event

from app.settings import Settings
from tests.app.test_pagination import walk

COUNT = 60
FEW = 8


@pytest.fixture(scope="module")
def shop(serving, module_database_url, tmp_path_factory):
    """A service with some projects, each with an export that waits."""
    settings = Settings(data_dir=tmp_path_factory.mktemp("shop"), database_url=module_database_url, port=0)
    service = serving(settings)
    for number in range(1, COUNT + 1):
        name = f"Mouse {number}" if number % 2 else f"fly 100% {number}"
        skeleton = {"name": "s", "keypoints": ["a", "b", f"of {number % 3}"]}
        made = service.http.post("/projects", json={"name": name, "skeleton": skeleton}).json()
        assert service.http.post(f"/projects/{made['id']}/exports", json={}).status_code == 202
    return service


@contextmanager
def statements():
    """What is sent to databases."""
    sent = []

    def note(connection, cursor, statement, parameters, context, many):
        sent.append(statement)

    event.listen(Engine, "before_cursor_execute", note)
    yield sent
    event.remove(Engine, "before_cursor_execute", note)


def numbers(items):
    return [int(item["name"].split()[-1]) for item in items]


@pytest.mark.parametrize("path", ["/projects", "/jobs", "/projects/1/videos", "/projects/1/exports", "/labs"])
def test_a_page_of_many_rows_costs_no_more_questions_than_one_of_few(shop, pair, path):
    for number in range(FEW):
        video = pair.path.read_bytes() + b"\0\0\0\x0cfree" + number.to_bytes(4, "big")
        assert shop.http.post("/projects/1/videos", content=video).is_success
        shop.http.post("/projects/1/exports", json={})
        shop.http.post("/labs", json={"name": f"lab {number}"})
    asked = []
    for limit in (1, 200):
        with statements() as sent:
            page = shop.http.get(path, params={"limit": limit}).json()
        asked.append(len(sent))
    assert len(page["items"]) >= FEW
    assert asked[1] <= asked[0]


def test_the_newest_comes_first_unless_asked_otherwise(shop):
    newest = [*range(COUNT, 0, -1)]
    for query, wanted in (({}, newest), ({"order": "newest"}, newest), ({"order": "oldest"}, newest[::-1])):
        pages = walk(shop, "/projects", 7, **query)
        assert numbers(item for page in pages for item in page) == wanted
        jobs = [job["id"] for page in walk(shop, "/jobs", 7, **query) for job in page]
        assert jobs == sorted(jobs, reverse=wanted is newest)
        assert len(jobs) >= COUNT


def test_each_project_of_a_page_has_its_own_skeleton(shop):
    for project in shop.http.get("/projects", params={"limit": 200}).json()["items"]:
        assert project["skeleton"]["keypoints"][-1] == f"of {numbers([project])[0] % 3}"
        assert project == shop.http.get(f"/projects/{project['id']}").json()


def test_a_cursor_goes_on_the_way_it_began(shop, refused):
    page = shop.http.get("/projects", params={"limit": 3, "order": "oldest"}).json()
    after = shop.http.get("/projects", params={"limit": 3, "cursor": page["next_cursor"]}).json()
    assert numbers(page["items"] + after["items"]) == [1, 2, 3, 4, 5, 6]
    refused(shop.http.get("/projects", params={"order": "newest", "cursor": page["next_cursor"]}), 422, "/cursor")


def test_a_cursor_that_an_earlier_version_gave_goes_on_as_it_began(shop):
    cursor = base64.urlsafe_b64encode(b"3").decode()
    for path in ("/projects", "/jobs"):
        page = shop.http.get(path, params={"limit": 2, "cursor": cursor}).json()
        assert [item["id"] for item in page["items"]] == [4, 5]


@pytest.mark.parametrize("cursor", [b"<<3", b"<", b"-3", b"+3", b" 3", "٣".encode(), b"3_0", b"<9007199254740993", b""])
def test_what_is_no_cursor(shop, refused, cursor):
    for path in ("/projects", "/jobs", "/keys"):
        refused(shop.http.get(path, params={"cursor": base64.urlsafe_b64encode(cursor).decode()}), 422, "/cursor")


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("mouse", [*range(COUNT - 1, 0, -2)]),
        ("FLY", [*range(COUNT, 0, -2)]),
        ("00% 1", [18, 16, 14, 12, 10]),
        ("%", [*range(COUNT, 0, -2)]),
        ("_", []),
        ("use 7", [7]),
        ("nothing", []),
    ],
)
def test_projects_are_found_by_a_part_of_their_names(shop, name, wanted):
    assert numbers(item for page in walk(shop, "/projects", 4, name=name) for item in page) == wanted
