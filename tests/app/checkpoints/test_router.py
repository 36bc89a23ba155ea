"""Checkpoints as they are read, downloaded and promoted."""

from __future__ import annotations

import hashlib
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import IntegrityError

from app import blobs
from app.checkpoints import service as checkpoints
from app.database import connect
from app.keys.service import Role
from app.settings import Settings
from app.storage import open_storage
from app.tables import Checkpoint, Project


@pytest.fixture
def number(house, plant_checkpoint):
    """A new checkpoint."""
    return plant_checkpoint(house.service, house.project["id"])


def test_a_checkpoint_tells_of_itself(house, number):
    shown = house.http.get(f"/checkpoints/{number}").json()
    assert (shown["project_id"], shown["estimator"], shown["preset"]) == (house.project["id"], "stdpose", "tiny")
    assert (shown["promoted"], shown["promoted_at"], shown["parent_id"]) == (False, None, None)
    assert shown["files"] == ["report.json", "report.md"]
    assert shown["verdict"]["reason"] == "Not promoted: planted."
    assert shown["verdict"]["gain"] is None  # not a number, which JSON does not have
    assert shown["epochs"] == [{"index": 0, "loss": 1.5, "validation": {"error": None}}]
    assert shown["metrics"] == {"overall": {"mean": 0.031}}
    listed = house.http.get(f"/projects/{house.project['id']}/checkpoints").json()["items"]
    assert listed[-1] == shown
    assert house.http.get(f"/jobs/{shown['job_id']}").json()["kind"] == "train"


def test_the_weights_are_downloaded_whole_and_in_ranges(house, number):
    shown = house.http.get(f"/checkpoints/{number}").json()
    url = f"/checkpoints/{number}/content"
    whole = house.http.get(url)
    assert hashlib.sha256(whole.content).hexdigest() == shown["sha256"]
    assert len(whole.content) == shown["size"]
    assert f"checkpoint-{number}-stdpose-tiny.safetensors" in whole.headers["content-disposition"]
    part = house.http.get(url, headers={"Range": "bytes=3-7"})
    assert (part.status_code, part.content) == (206, whole.content[3:8])


def test_the_files_beside_the_weights(house, number, refused):
    report = house.http.get(f"/checkpoints/{number}/files/report.json")
    assert report.headers["content-type"] == "application/json"
    assert report.json() == {"frames": 12}
    page = house.http.get(f"/checkpoints/{number}/files/report.md")
    assert page.headers["content-type"].startswith("text/markdown")
    assert page.text == "# Evaluation"
    refused(house.http.get(f"/checkpoints/{number}/files/loss.png"), 404)
    refused(house.http.get(f"/checkpoints/{number}/files/secret.txt"), 422)
    refused(house.http.get(f"/checkpoints/{number}/files/report.md", headers={"Range": "bytes=999-"}), 416)


def test_where_storage_is_s3_downloads_are_sent_there(serving, walker, tmp_path, bucket, plant_checkpoint):
    service = serving(Settings(data_dir=tmp_path, port=0, storage_url=bucket))
    number = plant_checkpoint(service, service.project(walker.skeleton)["id"])
    for path in ("content", "files/report.json"):
        answer = service.http.get(f"/checkpoints/{number}/{path}")
        assert answer.status_code == 307
        assert "X-Amz-Signature" in answer.headers["location"]


def test_one_checkpoint_of_a_project_is_promoted(house, plant_checkpoint):
    numbers = [plant_checkpoint(house.service, house.project["id"]) for _ in range(3)]
    for number in (numbers[0], numbers[2], numbers[1], numbers[1]):
        shown = house.http.post(f"/checkpoints/{number}/promote")
        assert shown.status_code == 200
        assert shown.json()["promoted"]
        assert shown.json()["promoted_at"]
        listed = house.http.get(f"/projects/{house.project['id']}/checkpoints", params={"limit": 200}).json()["items"]
        assert [one["id"] for one in listed if one["promoted"]] == [number]


def test_promoting_takes_a_lab_key(house, number, refused):
    with house.client(Role.ANNOTATOR) as anna:
        refused(anna.post(f"/checkpoints/{number}/promote"), 403)
        assert anna.get(f"/checkpoints/{number}").status_code == 200
    assert not house.http.get(f"/checkpoints/{number}").json()["promoted"]


def test_many_promotions_at_the_same_time_leave_one(serving, walker, tmp_path, database_url, plant_checkpoint):
    service = serving(Settings(data_dir=tmp_path / "data", port=0, database_url=database_url))
    project = service.project(walker.skeleton)
    numbers = [plant_checkpoint(service, project["id"]) for _ in range(6)]
    with ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(lambda number: service.http.post(f"/checkpoints/{number}/promote"), numbers))
    assert {answer.status_code for answer in answers} == {200}
    listed = service.http.get(f"/projects/{project['id']}/checkpoints").json()["items"]
    assert sum(one["promoted"] for one in listed) == 1
    database = connect(database_url)
    with pytest.raises(IntegrityError), database.session() as session:
        session.execute(text("UPDATE checkpoint SET promoted = (1 = 1)"))
    database.dispose()


def test_files_of_checkpoints_are_not_collected(house, number):
    database, storage = connect(house.service.settings.database), open_storage(house.service.settings)
    removed = blobs.collect(database, storage, older_than=timedelta(0))
    assert removed.objects == 0
    assert list(blobs.check(database, storage)) == []
    assert house.http.get(f"/checkpoints/{number}/content").status_code == 200
    database.dispose()


def test_unknown_checkpoints(house, refused):
    for path in ("", "/content", "/files/report.md"):
        refused(house.http.get(f"/checkpoints/999{path}"), 404)
    refused(house.http.post("/checkpoints/999/promote"), 404)
    refused(house.http.get("/checkpoints/first"), 422)


def test_a_checkpoint_is_used_where_the_keypoints_are_the_same(house, number, plant_checkpoint, pair, walker):
    """In its own project also after keypoints were added: those stay unknown."""
    flies, walkers = (house.service.project(skeleton, "x") for skeleton in (pair.skeleton, walker.skeleton))
    database = connect(house.service.settings.database)
    with database.session(readonly=True) as session:
        checkpoint = session.scalars(select(Checkpoint).where(Checkpoint.id == number)).one()
        own, alike, other = (session.get_one(Project, one["id"]) for one in (house.project, walkers, flies))
        assert checkpoints.usable(session, checkpoint, own) == 1
        assert checkpoints.usable(session, checkpoint, alike) == 1
        with pytest.raises(checkpoints.Conflict, match="another skeleton"):
            checkpoints.usable(session, checkpoint, other)
    database.dispose()
