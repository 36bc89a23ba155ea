"""Projects and skeletons: what contradicts itself is refused with a pointer, and keypoints are never lost."""

from __future__ import annotations

import json

import pytest

GOOD = {"name": "s", "keypoints": ["a", "b", "c"], "edges": [[0, 1]], "swap": [[1, 2]], "sigmas": [0.1, 0.1, 0.1]}

BAD_SKELETONS = [
    ({"keypoints": []}, "/skeleton/keypoints"),
    ({"keypoints": ["a", "a"]}, "/skeleton/keypoints/1"),
    ({"keypoints": ["a", " ", "c"]}, "/skeleton/keypoints/1"),
    ({"keypoints": ["a", "", "c"]}, "/skeleton/keypoints/1"),
    ({"keypoints": [f"k{index}" for index in range(513)]}, "/skeleton/keypoints"),
    ({"keypoints": "abc"}, "/skeleton/keypoints"),
    ({"keypoints": [1, 2, 3]}, "/skeleton/keypoints/0"),
    ({"edges": [[0, 3]]}, "/skeleton/edges/0"),
    ({"edges": [[0, 1], [-1, 0]]}, "/skeleton/edges/1"),
    ({"edges": [[1, 1]]}, "/skeleton/edges/0"),
    ({"edges": [[0, 10**30]]}, "/skeleton/edges/0"),
    ({"edges": [[0, 1, 2]]}, "/skeleton/edges/0"),
    ({"edges": [[0, 0.5]]}, "/skeleton/edges/0/1"),
    ({"swap": [[0, 1], [1, 2]]}, "/skeleton/swap"),
    ({"swap": [[0, 7]]}, "/skeleton/swap/0"),
    ({"sigmas": [0.1]}, "/skeleton/sigmas"),
    ({"sigmas": [0.1, 0, 0.1]}, "/skeleton/sigmas/1"),
    ({"sigmas": [0.1, -1, 0.1]}, "/skeleton/sigmas/1"),
    ({"sigmas": [0.1, float("nan"), 0.1]}, "/skeleton/sigmas/1"),
    ({"sigmas": [0.1, float("inf"), 0.1]}, "/skeleton/sigmas/1"),
    ({"retired": ["d"]}, "/skeleton/retired/0"),
    ({"retired": ["a", "a"]}, "/skeleton/retired/1"),
    ({"retired": ["a", "b", "c"]}, "/skeleton/retired"),
    ({"retired": "a"}, "/skeleton/retired"),
    ({"name": ""}, "/skeleton/name"),
    ({"name": "x" * 201}, "/skeleton/name"),
    ({"name": None}, "/skeleton/name"),
]


def post(house, body, method="POST", path="/projects"):
    headers = {"Content-Type": "application/json"}
    return house.http.request(method, path, content=json.dumps(body).encode(), headers=headers)


@pytest.mark.parametrize(("change", "pointer"), BAD_SKELETONS)
def test_a_skeleton_that_contradicts_itself(house, refused, everything, change, pointer):
    before = everything(house.service)
    refused(post(house, {"name": "p", "skeleton": {**GOOD, **change}}), 422, pointer)
    refused(post(house, {"skeleton": {**GOOD, **change}}, "PATCH", f"/projects/{house.project['id']}"), 422, pointer)
    assert everything(house.service) == before


@pytest.mark.parametrize(
    ("body", "pointer"),
    [({}, "/name"), ({"name": "p"}, "/skeleton"), ({"name": "p", "skeleton": 1}, "/skeleton"), ({"name": 1}, "/name")],
)
def test_a_project_that_is_not_whole(house, refused, everything, body, pointer):
    before = everything(house.service)
    refused(post(house, body), 422, pointer)
    assert everything(house.service) == before


@pytest.fixture
def project(house):
    answer = post(house, {"name": "p", "skeleton": GOOD})
    assert answer.status_code == 201
    return answer.json()


def change(house, project, **skeleton):
    return post(house, {"skeleton": {**GOOD, **skeleton}}, "PATCH", f"/projects/{project['id']}")


def test_a_project_comes_back_as_it_was_made(house, project):
    assert project["skeleton"] == {**GOOD, "retired": []}
    assert house.http.get(f"/projects/{project['id']}").json() == project


@pytest.mark.parametrize("keypoints", [["b", "a", "c"], ["x", "a", "b", "c"], ["c", "b", "a"], ["c", "a"]])
def test_keypoints_are_not_moved(house, refused, everything, project, keypoints):
    before = everything(house.service)
    refused(change(house, project, keypoints=keypoints, swap=[], edges=[], sigmas=None), 422, "/skeleton/keypoints")
    assert everything(house.service) == before


def test_keypoints_are_renamed_and_added(house, project):
    changed = change(house, project, keypoints=["a", "B", "c", "d"], sigmas=None).json()
    assert (changed["skeleton_version"], changed["skeleton"]["keypoints"]) == (2, ["a", "B", "c", "d"])


def test_the_same_skeleton_is_no_new_version(house, project):
    assert change(house, project).json()["skeleton_version"] == 1
    assert post(house, {}, "PATCH", f"/projects/{project['id']}").json() == project


def test_a_name_is_changed_alone(house, project):
    changed = post(house, {"name": "q"}, "PATCH", f"/projects/{project['id']}").json()
    assert changed == {**project, "name": "q"}
