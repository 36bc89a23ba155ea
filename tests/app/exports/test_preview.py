"""What a preview of an export counts is what the export then holds."""

from __future__ import annotations

import pytest

from app.exports import preview as previews
from tests.app.exports.test_service import BAD

COUNTS = ("videos", "images", "annotations", "left_out", "stale_left_out", "rejected_left_out", "warnings")

SPECS = [
    {},
    {"include": ["human"]},
    {"include": ["pseudo"]},
    {"include": ["human", "accepted"]},
    {"include": ["accepted"]},
    {"include_stale": True},
    {"min_score": 0.6},
    {"min_score": 0.9, "include": ["pseudo", "accepted"]},
    {"images": True},
    {"images": True, "include": ["human"]},
]


@pytest.fixture
def busy(desk):
    """A desk with labels, poses that are accepted, rejected and stale, and frames on which nobody is."""
    desk.label(1, 0, 20, 40)
    desk.label(2, 3, 30)
    desk.propagate()
    for verdict, start, stop in (("accept", 5, 12), ("reject", 14, 17)):
        review = {"verdict": verdict, "start": start, "stop": stop, "track_id": 1}
        assert desk.http.post(f"{desk.url}/reviews", json=review).is_success
    desk.put((40, 1, [[300, 20, 2], [310, 30, 1]]))
    absent = {"frame_index": 44, "track_id": 3, "absent": True}
    assert desk.http.put(f"{desk.url}/labels", json={"labels": [absent]}).is_success
    return desk


def preview(desk, **spec):
    answer = desk.http.post(f"/projects/{desk.project['id']}/exports/preview", json=spec)
    assert answer.status_code == 200, answer.text
    return answer.json()


def manifest(desk, **spec):
    """That of an export as it is made."""
    job = desk.service.finished(desk.http.post(f"/projects/{desk.project['id']}/exports", json=spec).json())
    return desk.http.get(f"/exports/{job['result']['export_id']}").json()["manifest"]


@pytest.mark.parametrize("spec", SPECS, ids=str)
def test_it_counts_what_the_export_then_holds(busy, spec):
    told = preview(busy, **spec)
    made = manifest(busy, **spec)
    assert {name: told[name] for name in COUNTS} == {name: made[name] for name in COUNTS}
    assert told["exact"]
    assert told["categories"] == 1
    if spec.get("images"):
        assert told["size"] == pytest.approx(made["size"], rel=0.1)
    else:
        assert told["size"] == made["size"]


def test_it_is_of_the_chosen_videos_and_of_things_as_they_are(busy, pair):
    other = busy.service.upload(busy.project, pair.path)
    assert preview(busy)["videos"] == 2
    only = preview(busy, videos=[other["id"]])
    assert (only["videos"], only["images"], only["annotations"]) == (1, 0, 0)
    before = preview(busy, include=["human"])["annotations"]
    busy.label(3, 11)
    assert preview(busy, include=["human"])["annotations"] == before + 1


def test_of_much_some_frames_are_looked_at(busy, monkeypatch):
    made = manifest(busy)
    monkeypatch.setattr(previews, "MOST", 100)
    monkeypatch.setattr(previews, "_PIECES", 15)
    told = preview(busy)
    assert not told["exact"]
    for name in ("images", "annotations", "size"):
        assert told[name] == pytest.approx(made[name], rel=0.15)


def test_nothing_is_written(busy, everything):
    before = everything(busy.service)
    preview(busy, images=True)
    assert everything(busy.service) == before


@pytest.mark.parametrize(("body", "pointer"), BAD)
def test_what_cannot_be_exported_cannot_be_previewed(house, refused, body, pointer):
    refused(house.http.post(f"/projects/{house.project['id']}/exports/preview", json=body), 422, pointer)
