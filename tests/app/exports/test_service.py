"""Exports name videos of their project that can be read, and are the same file again for the same snapshot."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile

import pytest

from pose.skeleton import COCO_17

BAD = [
    ({"format": "paper"}, "/format"),
    ({"include": []}, "/include"),
    ({"include": ["ghosts"]}, "/include/0"),
    ({"include": "human"}, "/include"),
    ({"min_score": 2}, "/min_score"),
    ({"min_score": -0.1}, "/min_score"),
    ({"videos": []}, "/videos"),
    ({"videos": [1, 99]}, "/videos/1"),
    ({"videos": [2**70]}, "/videos/0"),
    ({"images": "some"}, "/images"),
    ({"images": True, "format": "cvat"}, "/images"),
    ({"surprise": 1}, "/surprise"),
]


@pytest.mark.parametrize(("body", "pointer"), BAD)
def test_what_cannot_be_exported(house, refused, everything, body, pointer):
    before = everything(house.service)
    refused(house.http.post(f"/projects/{house.project['id']}/exports", json=body), 422, pointer)
    assert everything(house.service) == before


def test_videos_of_another_project_or_not_readable(house, walker, refused, everything):
    other = house.service.project(COCO_17, "other")
    foreign = house.service.upload(other, walker.path)
    data = walker.path.read_bytes() + b"\x00\x00\x00\x08free"
    waiting = house.http.post(f"/projects/{house.project['id']}/videos", content=data).json()
    before = everything(house.service)
    for video, word in ((foreign, "no video"), (waiting, "ingesting")):
        body = {"videos": [house.video["id"], video["id"]]}
        problem = refused(house.http.post(f"/projects/{house.project['id']}/exports", json=body), 422, "/videos/1")
        assert word in problem["detail"]
    assert everything(house.service) == before


def export(house, **spec):
    job = house.http.post(f"/projects/{house.project['id']}/exports", json=spec).json()
    return f"/exports/{house.service.finished(job)['result']['export_id']}"


def test_a_file_that_is_not_done_yet(house, refused):
    job = house.http.post(f"/projects/{house.project['id']}/exports", json={}).json()
    refused(house.http.get(f"/exports/{job['result']['export_id']}/content"), 409)
    house.service.work()
    assert house.http.get(f"/exports/{job['result']['export_id']}/content").status_code == 200


def test_the_manifest_has_the_digest_of_each_file(house):
    url = export(house, images=True, include=["human"])
    manifest = house.http.get(url).json()["manifest"]
    content = house.http.get(f"{url}/content")
    assert content.headers["content-type"] == "application/zip"
    assert manifest["sha256"] == hashlib.sha256(content.content).hexdigest()
    with zipfile.ZipFile(io.BytesIO(content.content)) as archive:
        found = {name: hashlib.sha256(archive.read(name)).hexdigest() for name in archive.namelist()}
        document = json.loads(archive.read("annotations.json"))
    assert found == {entry["path"]: entry["sha256"] for entry in manifest["files"]}
    assert {image["file_name"] for image in document["images"]} <= found.keys()
    assert len(document["annotations"]) == manifest["annotations"] == 3


def test_an_export_does_not_see_what_comes_after_it(house):
    job = house.http.post(f"/projects/{house.project['id']}/exports", json={"include": ["human"]}).json()
    house.http.put(f"{house.url}/labels", json=house.labels(30))
    ended = house.service.finished(job)
    document = house.http.get(f"/exports/{ended['result']['export_id']}/content").json()
    assert len(document["annotations"]) == 3
    later = house.http.get(f"{export(house, include=['human'])}/content").json()
    assert len(later["annotations"]) == 4


def test_what_is_exported_is_imported_again_as_it_was(house, walker):
    document = house.http.get(f"{export(house, include=['human'], videos=[house.video['id']])}/content").content
    project = house.service.project(walker.skeleton, "copy")
    copy = house.service.upload(project, walker.path)
    answer = house.http.post(f"/videos/{copy['id']}/labels/import", content=document)
    assert answer.status_code == 200, answer.text
    original = house.http.get(f"{house.url}/labels").json()["labels"]
    again = house.http.get(f"/videos/{copy['id']}/labels").json()["labels"]
    assert len(again) == len(original) == answer.json()["written"]
    for theirs, ours in zip(again, original, strict=True):
        assert theirs["frame_index"] == ours["frame_index"]
        for mine, other in zip(theirs["keypoints"], ours["keypoints"], strict=True):
            assert mine == pytest.approx(other, abs=0.006)
