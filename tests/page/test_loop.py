"""A person's way through the page, in a real browser against a real ``posetween up``: from a project to an export."""

from __future__ import annotations

import numpy as np
import pytest
from pycocotools.coco import COCO

FRAMES = (0, 20, 44)
BETWEEN = 10
PROJECT = "Gait <script>alert(1)</script> \N{HEBREW LETTER ALEF}\N{HEBREW LETTER BET}"


def pose(walker, frame):
    track = walker.tracks[1]
    row = list(track.frames).index(frame)
    return [[*xy, int(v)] for xy, v in zip(track.xy[row].tolist(), track.visibility[row].tolist(), strict=True)]


@pytest.fixture
def day(drive, up, walker, tmp_path):
    """What a person saw on the way, and the file that was exported."""
    names = walker.skeleton.keypoints
    poses = [[[x, y, v or 2] for x, y, v in pose(walker, frame)] for frame in FRAMES]
    poses[0][3][2] = 1
    told = {
        "timeout": 90_000,
        "address": up.about["page"],
        "project": PROJECT,
        "keypoints": names,
        "edges": [f"{names[a]} - {names[b]}" for a, b in walker.skeleton.edges],
        "video": str(walker.path),
        "width": walker.width,
        "height": walker.height,
        "frames": FRAMES,
        "poses": poses,
        "engine": "linear",
        "between": BETWEEN,
        "exported": str(tmp_path / "export.json"),
    }
    return drive("browser.mjs", told, timeout=420), poses, tmp_path / "export.json"


def test_three_frames_labelled_by_mouse_become_poses_on_all_and_a_file_for_pycocotools(day, walker):
    seen, poses, exported = day
    assert seen["faults"] == []
    assert seen["heading"] == PROJECT
    assert seen["hash"].startswith("#/videos/")
    names = walker.skeleton.keypoints

    # Between two keyframes straight lines go from one to the other, as the page drew it.
    share = (BETWEEN - FRAMES[0]) / (FRAMES[1] - FRAMES[0])
    first, second = (np.array(pose)[:, :2] for pose in poses[:2])
    drawn = {name: (x, y) for name, x, y in seen["machine"]}
    assert list(drawn) == list(names)
    assert np.abs(np.array([*drawn.values()]) - (first + share * (second - first))).max() < 1

    coco = COCO(str(exported))
    by_frame = {}
    for annotation in coco.anns.values():
        by_frame[coco.imgs[annotation["image_id"]]["frame_index"]] = annotation
    assert sorted(by_frame) == list(range(walker.num_frames))
    for frame, said in zip(FRAMES, poses, strict=True):
        kept = np.array(by_frame[frame]["keypoints"]).reshape(-1, 3)
        assert by_frame[frame]["source"] == "human"
        # A click is as exact as a pixel of the screen.
        assert np.abs(kept[:, :2] - np.array(said)[:, :2]).max() < 1
        assert kept[:, 2].tolist() == [v for _, _, v in said]
    # What was dragged there was taken back.
    assert by_frame[BETWEEN]["source"] == "pseudo"
