"""Data sets as Ultralytics lays them out."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from formats import yolo
from formats.errors import FormatError
from formats.image_size import image_size
from formats.pictures import video_and_frame

DATA = """
path: tiger-pose # dataset root dir
train: images/train
val: images/val

# Keypoints
kpt_shape: [3, {dims}]
flip_idx: [0, 2, 1]

names:
  0: tiger

kpt_names:
  0:
    - nose
    - left ear
    - right ear
"""


def laid_out(folder, dims=3, ending=".jpg", data=DATA):
    (folder / "data.yaml").write_text(data.format(dims=dims))
    for split, name in (("train", "tiger_000012"), ("val", "tiger_000040")):
        (folder / "images" / split).mkdir(parents=True)
        (folder / "labels" / split).mkdir(parents=True)
        cv2.imwrite(str(folder / "images" / split / f"{name}{ending}"), np.zeros((100, 200, 3), np.uint8))
        points = "0.1 0.2 2 0 0 0 0.5 0.5 1" if dims == 3 else "0.1 0.2 0 0 0.5 0.5"
        (folder / "labels" / split / f"{name}.txt").write_text(f"0 0.3 0.3 0.4 0.4 {points}\n")
    return folder


@pytest.mark.parametrize("ending", [".jpg", ".png"])
def test_the_size_is_that_of_the_pictures(ending, tmp_path):
    found = yolo.read(laid_out(tmp_path, ending=ending))
    assert [(video.name, video.width, video.height) for video in found.videos] == [("tiger", 200, 100)]
    assert found.frame.tolist() == [12, 40]
    assert found.xy[0].tolist() == [[20, 20], [0, 0], [100, 50]]
    assert found.visibility.tolist() == [[2, 0, 1]] * 2
    assert found.skeleton.keypoints == ("nose", "left ear", "right ear")
    assert (found.skeleton.name, found.skeleton.swap) == ("tiger", ((1, 2),))


def test_two_numbers_a_keypoint_say_no_visibility(tmp_path):
    assert yolo.read(laid_out(tmp_path, dims=2)).visibility.tolist() == [[2, 0, 2]] * 2


def test_without_pictures_nobody_knows_where_points_are(tmp_path):
    laid_out(tmp_path)
    (tmp_path / "images" / "val" / "tiger_000040.jpg").unlink()
    (tmp_path / "images" / "train" / "tiger_000012.jpg").write_bytes(b"\xff\xd8\xff\xe0")
    with pytest.raises(FormatError, match=r"tiger_000012\.txt, line 1: the size of the picture is not known"):
        yolo.read(tmp_path)


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ("kpt_shape: [3, {dims}]", "kpt_shape: [4, {dims}]", "kpt_names.*3 names for 4"),
        ("kpt_shape: [3, {dims}]", "kpt_shape: [99999999, {dims}]", "kpt_shape"),
        ("flip_idx: [0, 2, 1]", "flip_idx: [1, 2, 0]", "flip_idx"),
        ("flip_idx: [0, 2, 1]", "flip_idx: [0, 2]", "flip_idx"),
        ("    - nose\n", "    - left ear\n", "kpt_names.*twice"),
        ("names:\n  0: tiger", "names: [", "not YAML"),
    ],
)
def test_a_description_that_contradicts_itself_is_refused(before, after, said, tmp_path):
    laid_out(tmp_path, data=DATA.replace(before, after))
    with pytest.raises(FormatError, match=f"data.yaml, .*{said}"):
        yolo.read(tmp_path)


@pytest.mark.parametrize("line", ["0 1 2", "0 0.3 0.3 0.4 0.4 0.1 0.2 2 0 0 0 nan 0.5 1", "0 a", "0 " * 14 + "7"])
def test_a_wrong_line_is_refused(line, tmp_path):
    laid_out(tmp_path)
    (tmp_path / "labels" / "val" / "tiger_000040.txt").write_text(f"\n{line}\n")
    with pytest.raises(FormatError, match="line 2"):
        yolo.read(tmp_path)


@pytest.mark.parametrize(
    ("name", "video", "frame"),
    [
        ("mouse/frame_000012.jpg", "mouse", 12),
        ("mouse_left_0012.png", "mouse_left", 12),
        ("img7.png", "video", 7),
        ("a/b/cam1-00003.txt", "a/b/cam1", 3),
        ("still.jpg", "still", 0),
        ("trial2_frame_5_labeled.png", "trial2_frame", 5),
    ],
)
def test_a_name_tells_video_and_frame(name, video, frame):
    assert video_and_frame(name) == (video, frame)


@pytest.mark.parametrize(
    "data", [b"", b"\x89PNG\r\n\x1a\n", b"\xff\xd8" + b"\xff" * 100, b"\xff\xd8\xff\xe0\x00\x00", b"GIF89a"]
)
def test_a_broken_picture_has_no_size(data, tmp_path):
    (tmp_path / "p").write_bytes(data)
    assert image_size(tmp_path / "p") is None
