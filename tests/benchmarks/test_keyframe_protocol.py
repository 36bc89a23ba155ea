"""The protocol's choice of frames, and the whole of it on a rendered PoseTrack."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from benchmarks.keyframe_protocol import chosen, longest_run, main, measure, posetrack_clip
from models.engines.linear import Linear
from pose.formats.posetrack import find_posetrack
from pose.posetrack_ap import mean_ap, stand_in
from pose.skeleton import POSETRACK_15

_LENGTH, _WIDTH, _HEIGHT = 31, 64, 48
_NAMES = [*POSETRACK_15.keypoints[:3], "left_ear", "right_ear", *POSETRACK_15.keypoints[3:]]


@pytest.fixture
def posetrack(tmp_path: Path) -> Path:
    """A person who moves evenly for all but the last frame, which has no labels; its head box is missing once."""
    folder = tmp_path / "images" / "val" / "000001_test"
    folder.mkdir(parents=True)
    images, annotations = [], []
    for t in range(_LENGTH):
        picture = np.full((_HEIGHT, _WIDTH, 3), (10, 20, 4 * t), dtype=np.uint8)
        cv2.imwrite(str(folder / f"{t:06d}.png"), picture)
        name = f"images/val/000001_test/{t:06d}.png"
        images.append({"id": t, "frame_id": t, "vid_id": "000001", "file_name": name, "is_labeled": t < _LENGTH - 1})
        if t < _LENGTH - 1:
            points = [(0, 0, 0) if "ear" in name else (10 + t + k, 5 + 2 * k, 1) for k, name in enumerate(_NAMES)]
            head = [] if t == 5 else [10, 5, 6, 8]
            pose = [number for point in points for number in point]
            person = {"id": t, "image_id": t, "track_id": 0, "category_id": 1}
            annotations.append(person | {"keypoints": pose, "bbox_head": head})
    categories = [{"id": 1, "name": "person", "keypoints": _NAMES}]
    file = tmp_path / "annotations" / "val" / "000001_test.json"
    file.parent.mkdir(parents=True)
    file.write_text(json.dumps({"images": images, "annotations": annotations, "categories": categories}))
    return tmp_path


def test_frames_are_chosen_as_in_posewarpers_scripts() -> None:
    run = np.arange(100, 130)
    np.testing.assert_array_equal(chosen(run, 7), [103, 110, 117, 124, 129])
    np.testing.assert_array_equal(chosen(run, 4), [102, 106, 110, 114, 118, 122, 126, 129])
    for length in range(4, 60):
        run = np.arange(length)
        kept = chosen(run, 7)
        assert np.abs(run[:, None] - kept).min(axis=1).max() <= 3
    assert len(chosen(np.arange(3), 7)) == 0


def test_the_longest_run_of_labelled_frames_counts() -> None:
    np.testing.assert_array_equal(longest_run(np.array([0, 4, 8, 9, 10, 14, 15])), [8, 9, 10])
    np.testing.assert_array_equal(longest_run(np.array([3, 4, 8, 9])), [3, 4])


def test_even_motion_between_labels_is_found_and_beyond_them_it_is_not(posetrack: Path) -> None:
    (video,) = find_posetrack(posetrack)
    clip = posetrack_clip(video, "PoseTrack")
    np.testing.assert_array_equal(clip.run, np.arange(30))
    np.testing.assert_allclose(clip.head_size[0], [6.0] * 5 + [stand_in(video.tracks[0])[0]] + [6.0] * 24)
    measured = measure(clip, Linear(), 14)
    assert measured is not None
    everything, between = measured
    # Labels on 7, 21 and 29: held before the first, so frames 0 to 3 are more than 3 pixels off. Frame 5 is 2 off, and
    # more than half of the head size that stands in there.
    assert len(everything.joint) == 30 * 15
    assert len(between.joint) == 27 * 15
    assert everything.correct.mean() == pytest.approx(25 / 30)
    assert between.correct.mean() == pytest.approx(22 / 27)
    results = mean_ap(everything, clip.keypoints), mean_ap(between, clip.keypoints)
    assert results[0].mean > results[1].mean > 0.6


def test_the_page_has_a_table_for_each_interval(
    posetrack: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["keyframe_protocol", "--posetrack", str(posetrack), "--engines", "linear", "--intervals", "4,40"]
    monkeypatch.setattr(sys, "argv", arguments)
    main()
    page = capsys.readouterr().out
    assert "| engine | frames | Head | Shou | Elb | Wri | Hip | Knee | Ankl | Mean |" in page
    assert "| linear | all | 100.0 |" in page
    assert "label every 40 frames" in page
