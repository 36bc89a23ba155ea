"""Files as CVAT exports them."""

from __future__ import annotations

import numpy as np
import pytest

from formats import cvat
from formats.dataset import Dataset, Video
from formats.errors import FormatError
from pose.skeleton import Skeleton

NODE = '&lt;circle r="0.75" cx="1" cy="1" data-type="element node" data-element-id="{0}" data-node-id="{0}" {1}&gt;'
DRAWING = (
    '&lt;line x1="1" y1="1" x2="2" y2="2" data-type="edge" data-node-from="1" data-node-to="2"&gt;&lt;/line&gt;\n'
    + NODE.format(1, 'data-label-id="21"')
    + "&lt;/circle&gt;\n"
    + NODE.format(2, 'data-label-name="tail"')
    + "&lt;/circle&gt;"
)
HEAD = """<?xml version="1.0" encoding="utf-8"?>
<annotations>
  <version>1.1</version>
  <meta>
    <{kind}>
      <id>7</id>
      <name>mouse.mp4</name>
      <size>100</size>
      <mode>interpolation</mode>
      <labels>
        <label>
          <name>mouse</name>
          <type>skeleton</type>
          <attributes>
          </attributes>
          <svg>{drawing}</svg>
        </label>
        <label>
          <name>nose</name>
          <type>points</type>
          <parent>mouse</parent>
        </label>
        <label>
          <name>tail</name>
          <type>points</type>
          <parent>mouse</parent>
        </label>
        <label>
          <name>cage</name>
          <type>rectangle</type>
        </label>
      </labels>
      <original_size>
        <width>640</width>
        <height>480</height>
      </original_size>
    </{kind}>
    <dumped>2026-11-02 10:11:12.000000+00:00</dumped>
  </meta>
"""


def shape(frame, keyframe, *points):
    lines = [f'    <skeleton frame="{frame}" keyframe="{keyframe}" z_order="0">']
    for label, key, outside, occluded, xy in points:
        said = f'label="{label}" keyframe="{key}" outside="{outside}" occluded="{occluded}" points="{xy}"'
        lines.append(f"      <points {said}></points>")
    return "\n".join([*lines, "    </skeleton>"])


def file(folder, body, kind="task"):
    path = folder / "annotations.xml"
    path.write_text(HEAD.format(kind=kind, drawing=DRAWING) + body + "\n</annotations>\n")
    return path


def track(number, *shapes):
    return f'  <track id="{number}" label="mouse" source="manual">\n' + "\n".join(shapes) + "\n  </track>"


def test_a_track_has_keyframes_what_lies_between_and_what_is_outside(tmp_path):
    body = track(
        0,
        shape(10, 1, ("nose", 1, 0, 0, "1.50,2.50"), ("tail", 1, 0, 1, "3.00,4.00")),
        shape(11, 0, ("nose", 0, 0, 0, "2.00,3.00"), ("tail", 0, 0, 1, "3.50,4.50")),
        shape(12, 1, ("nose", 1, 0, 0, "2.50,3.50"), ("tail", 1, 1, 0, "4.00,5.00")),
        shape(13, 0, ("nose", 0, 0, 0, "2.50,3.50"), ("tail", 0, 1, 0, "4.00,5.00")),
    )
    found = cvat.read(file(tmp_path, body))
    assert (found.skeleton.name, found.skeleton.keypoints, found.skeleton.edges) == (
        "mouse",
        ("nose", "tail"),
        ((0, 1),),
    )
    video = found.videos[0]
    assert (video.name, video.width, video.height, video.num_frames) == ("mouse.mp4", 640, 480, 100)
    assert found.track.tolist() == [1] * 4
    assert found.frame.tolist() == [10, 11, 12, 13]
    assert found.visibility.tolist() == [[2, 1], [2, 1], [2, 0], [2, 0]]
    assert found.absent.tolist() == [[False, False], [False, False], [False, True], [False, False]]
    assert found.human.tolist() == [[True, True], [False, False], [True, False], [False, False]]
    assert found.score[1].tolist() == [0, 0]


def test_the_end_that_cvat_makes_of_a_pose_on_one_frame_says_nothing(tmp_path):
    pose = shape(10, 1, ("nose", 1, 0, 0, "1,2"), ("tail", 1, 0, 0, "3,4"))
    end = shape(11, 1, ("nose", 1, 1, 0, "1,2"), ("tail", 1, 1, 0, "3,4"))
    assert cvat.read(file(tmp_path, track(0, pose, end))).frame.tolist() == [10]


def test_a_task_of_some_frames_does_not_say_how_many_the_video_has(tmp_path):
    body = track(3, shape(4000, 1, ("nose", 1, 0, 0, "1,2")))
    found = cvat.read(file(tmp_path, body))
    assert found.videos[0].num_frames is None
    assert found.frame.tolist() == [4000]


def test_images_have_subjects_in_their_order(tmp_path):
    body = """  <image id="0" name="a/000.png" width="640" height="480">
  </image>
  <image id="5" name="a/005.png" width="640" height="480">
    <box label="cage" source="manual" occluded="0" xtl="1" ytl="2" xbr="3" ybr="4" z_order="0"></box>
    <skeleton label="mouse" source="manual" z_order="0">
      <points label="tail" source="manual" outside="0" occluded="0" points="3,4"></points>
      <points label="nose" source="manual" outside="0" occluded="1" points="1,2"></points>
    </skeleton>
    <skeleton label="mouse" source="manual" z_order="0">
      <points label="nose" source="manual" outside="0" occluded="0" points="5,6"></points>
    </skeleton>
  </image>"""
    found = cvat.read(file(tmp_path, body))
    assert found.frame.tolist() == [5, 5]
    assert found.track.tolist() == [1, 2]
    assert found.visibility.tolist() == [[1, 2], [2, 0]]


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (track(0, shape(1, 1, ("nose", 1, 0, 0, "1"))), "line [0-9]+: points is '1'"),
        (track(0, shape(1, 1, ("nose", 1, 0, 0, "nan,1"))), "line [0-9]+: points is"),
        (track(0, shape(1, 1, ("nose", 1, 0, 0, "1e999,1"))), "line [0-9]+: points is"),
        (track(0, shape("x", 1, ("nose", 1, 0, 0, "1,1"))), "line [0-9]+: frame is 'x'"),
        (track(0, shape(1, 1, ("nose", 1, 0, 0, "1,1"), ("nose", 1, 0, 0, "1,1"))), "twice"),
        (track(0, *[shape(1, 1, ("nose", 1, 0, 0, "1,1"))] * 2), "line [0-9]+: track 1 is on frame 1"),
        (track(0, shape(10**12, 1, ("nose", 1, 0, 0, "1,1"))), "not in the video"),
        ("<open>", "not XML"),
    ],
)
def test_what_is_wrong_is_told_with_its_line(body, said, tmp_path):
    with pytest.raises(FormatError, match=said):
        cvat.read(file(tmp_path, body))


def test_a_skeleton_that_is_called_by_a_space_keeps_its_points_without_poses(tmp_path):
    poses = Dataset.of(
        Skeleton(name=" ", keypoints=("nose", " tail")),
        (Video(name="mouse", width=64, height=48, num_frames=4),),
        **{name: [] for name in ("video", "frame", "track")},
        xy=np.zeros((0, 2, 2)),
        visibility=np.zeros((0, 2)),
    )
    cvat.write(poses, tmp_path / "labels.xml")
    assert cvat.read(tmp_path / "labels.xml").skeleton == poses.skeleton
