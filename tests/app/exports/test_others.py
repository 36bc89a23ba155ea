"""Exports in the formats of other tools hold what COCO does, but for what their report counts."""

from __future__ import annotations

import io
import json
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import get_args

import cv2
import numpy as np
import pytest

from app.exports import others
from app.exports.schemas import WITH_IMAGES, Format
from formats import coco
from formats.losses import forget
from formats.registry import FORMATS, write
from tests.formats.tables import HERE, differences, two_mice

OTHERS = [name for name in HERE if name not in ("coco", "posetrack")]


@pytest.fixture
def busy(desk):
    """A desk with labels, some of them hidden or absent, and a machine's poses."""
    desk.label(1, 0, 20)
    desk.put((0, 2, [[300, 20, 2], [310, 30, 1]]))
    absent = {"frame_index": 30, "track_id": 2, "absent": [1], "keypoints": [[50, 60, 2], [0, 0, 0]]}
    assert desk.http.put(f"{desk.url}/labels", json={"labels": [absent]}).is_success
    desk.propagate(tracks=[1])
    return desk


def made(desk, **spec):
    """The archive and the manifest of an export."""
    job = desk.http.post(f"/projects/{desk.project['id']}/exports", json=spec).json()
    ended = desk.service.finished(job)
    assert ended["state"] == "succeeded", ended
    path = f"/exports/{ended['result']['export_id']}"
    answer = desk.http.get(f"{path}/content")
    assert answer.headers["content-type"] == "application/zip"
    return zipfile.ZipFile(io.BytesIO(answer.content)), desk.http.get(path).json()["manifest"]


def test_every_format_that_is_read_and_written_can_be_asked_for():
    assert {*get_args(Format)} == {*FORMATS}
    assert {*WITH_IMAGES} < {*FORMATS}


@pytest.mark.parametrize("name", OTHERS)
def test_an_export_is_what_the_coco_export_is_but_for_its_losses(name, busy, tmp_path):
    (tmp_path / "all.json").write_bytes(busy.export())
    archive, manifest = made(busy, format=name)
    expected = coco.read(tmp_path / "all.json")
    archive.extractall(tmp_path / "export")
    report = json.loads((tmp_path / "export" / "losses.json").read_text())
    (tmp_path / "export" / "losses.json").unlink()
    form = FORMATS[name]
    place = tmp_path / "export" if form.kind == "folder" else tmp_path / "export" / f"poses{form.ending}"
    found = form.read(place)
    assert manifest["annotations"] == len(expected) == manifest["images"] + 2  # two frames show two subjects
    assert {kind: one["count"] for kind, one in report["losses"].items()} == manifest["losses"]
    assert report["format"] == name
    assert {file["path"] for file in manifest["files"]} == {*archive.namelist()}
    # Names, lengths and decimals are what COCO loses of it.
    kinds = (*form.loses, *coco.LOSES, "sizes", "skeleton_name", "track_numbers")
    videos = tuple(video for video in expected.videos if video.name)
    told = differences(forget(expected.with_videos(videos), kinds), forget(found, kinds))
    assert [one for one in told if not one.startswith(("name of", "run"))] == []


def test_the_same_snapshot_is_the_same_bytes(busy):
    one, other = (busy.export(format="dlc") for _ in range(2))
    assert one == other


def test_tracks_keep_their_names(busy, tmp_path):
    archive, _ = made(busy, format="dlc-predictions")
    (table,) = [name for name in archive.namelist() if name.endswith(".csv")]
    assert "anna" in archive.read(table).decode().splitlines()[1]


@pytest.mark.parametrize(
    ("name", "picture"),
    [
        ("yolo", "images/train/{}/frame_000020.jpg"),
        ("dlc", "labeled-data/{}/img0020.png"),
        ("lightning-pose", "labeled-data/{}/img00000020.png"),
    ],
)
def test_frames_lie_where_readers_of_the_format_look(name, picture, busy):
    archive, manifest = made(busy, format=name, images=True, include=["human"])
    stem = busy.video["filename"].rpartition(".")[0]
    files = {one for one in archive.namelist() if one.endswith((".jpg", ".png"))}
    assert picture.format(stem) in files
    assert len(files) == manifest["images"] == 3
    shown = cv2.imdecode(np.frombuffer(archive.read(picture.format(stem)), dtype=np.uint8), cv2.IMREAD_COLOR)
    assert shown.shape == (240, 320, 3)


@pytest.mark.parametrize("name", ["dlc", "lightning-pose"])
def test_labels_of_long_videos_name_the_pictures_that_lie_there(name, tmp_path):
    table = two_mice()
    left, right = table.videos
    table = table.with_videos((replace(left, num_frames=20_000), replace(right, num_frames=20_000)))
    table = table.with_columns(frame=[0, 0, 7, 12_345])
    write(table, name, tmp_path / "poses")
    sheets = "".join(file.read_text() for file in (tmp_path / "poses").rglob("*.csv")).replace(",", "/")
    for folder, frame in (("left", 7), ("right", 12_345)):
        assert others._place(name, folder, frame)[0] in sheets


def test_what_a_format_cannot_hold_at_all_fails_with_its_sentence(busy):
    job = busy.http.post(f"/projects/{busy.project['id']}/exports", json={"format": "posetrack"}).json()
    ended = busy.service.finished(job)
    assert ended["state"] == "failed"
    assert ended["error"].startswith("PoseTrack18 and 21 cannot hold this: PoseTrack has the joints")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no disk that is always full")
def test_a_disk_that_is_full_is_tried_again(busy, monkeypatch):
    full = replace(FORMATS["cvat"], write=lambda dataset, target: Path("/dev/full").write_bytes(b"x"))
    monkeypatch.setitem(FORMATS, "cvat", full)
    asked = busy.http.post(f"/projects/{busy.project['id']}/exports", json={"format": "cvat"}).json()
    busy.service.work()
    job = busy.http.get(f"/jobs/{asked['id']}").json()
    busy.http.post(f"/jobs/{asked['id']}/cancel").raise_for_status()
    assert job["state"] == "queued", job
    assert "No space left" in job["error"]
    assert "cannot hold" not in job["error"]


def test_too_much_for_one_file_fails_with_what_to_do(busy, monkeypatch):
    monkeypatch.setattr("app.exports.table.MAX_POINTS", 4)
    job = busy.http.post(f"/projects/{busy.project['id']}/exports", json={"format": "cvat"}).json()
    ended = busy.service.finished(job)
    assert (ended["state"], "export fewer videos at a time, or COCO" in ended["error"]) == ("failed", True)
