"""Odd videos and odd browsers, in a real one: a plain sentence, nothing lost, a way on."""

from __future__ import annotations

import struct
import threading
from pathlib import Path

import numpy as np
import pytest

from app.settings import Settings
from tests.page.conftest import Up, ingested
from tests.pose.conftest import write_numbered
from worker.loop import work

BITS = 8
NAMES = ("a", "b", "c", "d")
MANY = 500
LABELLED = (0, 20, 40)

#: Sizes and how many frames.
SHAPES = {
    "plain": (320, 192, 60),
    "upright": (192, 448, 8),
    "single": (160, 96, 1),
    "vast": (3840, 2160, 10),
    "many": (480, 288, 3),
}
#: What the page asks for in a window of 1280 x 800.
FITTING = 1024


def square(frame):
    return [[100 + frame, 90, 2], [160 + frame, 90, 2], [160 + frame, 150, 2], [100 + frame, 150, 1]]


@pytest.fixture(scope="module")
def videos(lab, tmp_path_factory):
    """A video of each shape, and a project without any."""
    folder: Path = tmp_path_factory.mktemp("odd")
    found = {}
    with lab.client() as client:
        schema = {"name": "square", "keypoints": NAMES, "edges": [[0, 1], [1, 2], [2, 3]]}
        dots = {"name": "dots", "keypoints": [f"p{k}" for k in range(MANY)], "edges": []}
        project = client.post("/projects", {"name": "Odd", "skeleton": schema})["id"]
        many = client.post("/projects", {"name": "Many", "skeleton": dots})["id"]
        empty = client.post("/projects", {"name": "Empty", "skeleton": schema})["id"]
        for name, (width, height, frames) in SHAPES.items():
            options = {"preset": "ultrafast", "g": "5"} if name == "vast" else None
            clip = write_numbered(folder / f"{name}.mp4", frames, size=(width, height), options=options)
            number = ingested(client, clip, many if name == "many" else project)
            found[name] = {"id": number, "width": width, "height": height, "frames": frames}
        for name, poses in (
            ("plain", {frame: square(frame) for frame in LABELLED}),
            ("many", {0: [[20 + 10 * (k % 40), 20 + 20 * (k // 40), 2] for k in range(MANY)]}),
        ):
            url = f"/videos/{found[name]['id']}"
            track = client.post(f"{url}/tracks", {"name": "subject"})["id"]
            labels = [{"frame_index": frame, "track_id": track, "keypoints": pose} for frame, pose in poses.items()]
            client.put(f"{url}/labels", {"labels": labels})
    return found, empty


@pytest.fixture(scope="module")
def uploads(tmp_path_factory):
    """A folder with two videos, and two more videos, one of which takes a while to be sent."""
    place = tmp_path_factory.mktemp("uploads")
    folder = place / "folder"
    folder.mkdir()
    clip = write_numbered(folder / "first.mp4", 3).read_bytes()
    write_numbered(folder / "second.mp4", 4)
    write_numbered(place / "dropped.mp4", 5)
    room = 600_000
    (place / "broken.mp4").write_bytes(clip + struct.pack(">I4s", room + 8, b"free") + bytes(room))
    return {"folder": str(folder), "dropped": str(place / "dropped.mp4"), "broken": str(place / "broken.mp4")}


@pytest.fixture(scope="module")
def idle(tmp_path_factory, walker):
    """A service of which no worker runs any more, and a labelled video there."""
    service = Up(tmp_path_factory.mktemp("idle"), "serve")
    try:
        service.begin()
        with service.client() as client:
            schema = {"name": "square", "keypoints": NAMES, "edges": []}
            project = client.post("/projects", {"name": "Idle", "skeleton": schema})["id"]
            video = client.upload(project, walker.path)["id"]
            work(Settings(data_dir=service.folder / "data"), threading.Event(), until_idle=True)
            client.post(f"/videos/{video}/tracks", {"name": "subject"})
            label = {"frame_index": 0, "track_id": 1, "keypoints": square(0)}
            client.put(f"/videos/{video}/labels", {"labels": [label]})
        yield {"address": service.about["address"], "key": service.about["key"], "video": video}
    finally:
        service.end()


@pytest.fixture(scope="module")
def seen(drive, lab, videos, uploads, idle):
    shapes, empty = videos
    told = {"videos": shapes, "empty": empty, "bits": BITS, "uploads": uploads, "idle": idle}
    return drive("odd_days.mjs", {**lab.about, **told})


def near(one, other, far=0.02):
    return np.abs(np.subtract(one, other)).max() < far


def test_nothing_is_thrown_and_axe_finds_nothing(seen):
    # What a network lost, and what the service refused, the browser itself writes down.
    assert [fault for fault in seen["faults"] if "Failed to load resource" not in fault] == []
    assert {place: found for place, found in seen["wrong"].items() if found} == {}


def test_an_upload_that_was_broken_off_goes_on_where_it_was(seen):
    assert seen["offset"] > 0


def test_the_picture_is_the_frame_that_is_named_whatever_its_shape_and_however_slow_the_network(seen):
    upright, *others = seen["number"]
    assert upright[0] == upright[1]
    assert others == [[frame, frame] for frame in (5, 3, 40, 11, 23, 37)]


def test_a_click_is_where_it_was_in_an_upright_video(seen):
    assert near(seen["upright"], (100, 300), 1)


def test_a_video_of_one_frame_can_be_labelled(seen):
    frame, at = seen["single"]
    assert frame == "0"
    assert near(at, (50, 60), 1)


def test_of_very_large_pictures_the_window_shows_small_ones_until_somebody_looks_closer(seen):
    assert set(seen["widths"]) == {FITTING}


def test_few_large_pictures_are_kept(seen):
    """LS#6555, LS#5322."""
    assert 1 < seen["most"] <= 3


def test_five_hundred_keypoints_are_listed_and_each_can_be_moved(seen):
    rows, handles, before, after, kept = seen["many"]
    assert (rows, handles) == (MANY, MANY)
    assert not near(before, after)
    assert near(kept[:2], after)


@pytest.mark.parametrize("network", ["slow", "lossy"])
def test_an_edit_comes_through_a_bad_network(seen, network):
    here, there = seen[network]
    assert near(here, there[:2])


@pytest.mark.parametrize(("place", "word"), [(0, "asks too often"), (1, "no room left")])
def test_a_service_that_is_busy_or_full_says_so_and_gets_the_edit_later(seen, place, word):
    state, said, here, there = seen["busy"][place]
    assert state == "Not saved yet, 1 waiting"
    assert word in said
    assert "kept in this browser" in said
    assert near(here, there[:2])


def test_what_is_too_large_to_be_sent_at_once_is_sent_in_parts(seen):
    assert seen["parts"] == [3, 1, 1, 1]


def test_an_edit_is_saved_though_its_video_was_left(seen):
    before, here, there = seen["left"]
    assert near(before, here)
    assert near(before, there)


def test_two_tabs_label_the_same_pose_and_see_of_each_other(seen):
    here, there = seen["tabs"]
    assert near(here, there)


def test_a_wrong_clock_hinders_nobody(seen):
    here, there = seen["clock"]
    assert near(here, there)


def test_a_browser_that_keeps_nothing_can_be_labelled_in(seen):
    here, there, thrown = seen["bare"]
    assert near(here, there)
    assert thrown == []


def test_a_browser_without_cookies_is_told_what_is_missing(seen):
    assert "allow cookies" in seen["cookies"]


def test_that_no_worker_runs_is_said(seen):
    assert "posetween worker" in seen["idle"]
