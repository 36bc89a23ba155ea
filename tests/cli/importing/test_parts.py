"""What is sent for a video."""

from __future__ import annotations

import json

import numpy as np

from cli.importing import parts
from formats import coco
from formats.dataset import Dataset, Video
from pose.skeleton import Skeleton
from tests.formats.tables import two_mice

SIZE = {"width": 640, "height": 480, "num_frames": 20}


def test_people_come_first_and_a_machine_apart(tmp_path):
    mixed = two_mice().with_columns(human=np.array([[True, False], [True, True], [True, True], [False, False]]))
    people, machine = parts.parts(mixed, 0, **SIZE)
    assert (people.human, people.poses, machine.human, machine.poses) == (True, 3, False, 1)
    for part, known in ((people, mixed.human[:3]), (machine, mixed.machine[:1])):
        (tmp_path / "part.json").write_bytes(part.coco)
        read = coco.read(tmp_path / "part.json")
        assert np.array_equal(read.known, known)
        assert read.videos[0].name == "video"
    assert json.loads(people.coco)["images"][0]["width"] == 640
    assert "absent" not in machine.coco.decode()


def test_the_same_labels_are_the_same_bytes():
    assert [*parts.parts(two_mice(), 1, **SIZE)] == [*parts.parts(two_mice(), 1, **SIZE)]


def test_many_labels_go_in_pieces_that_cut_no_frame(monkeypatch):
    monkeypatch.setattr(parts, "MAX_LABELS", 5)
    count = 24
    table = Dataset.of(
        Skeleton(name="", keypoints=("nose",)), (Video(name="v"),),
        video=[0] * count, frame=np.arange(count) // 2, track=np.arange(count) % 2 + 1,
        xy=np.ones((count, 1, 2)), visibility=np.full((count, 1), 2),
    )  # fmt: skip
    pieces = [*parts.parts(table, 0, **SIZE)]
    assert [piece.poses for piece in pieces] == [4] * 6
    frames = [[image["frame_index"] for image in json.loads(piece.coco)["images"]] for piece in pieces]
    assert [frame for some in frames for frame in some] == [*range(12)]


def test_a_frame_that_shows_nobody_makes_every_subject_absent():
    table = parts.with_empty_frames(two_mice())
    rows = (table.video == 0) & (table.frame == 9)
    assert table.track[rows].tolist() == [1, 2]
    assert table.absent[rows].all()
    assert table.videos[0].empty == ()
    assert len(table) == len(two_mice()) + 2
