"""Files that are written and never read back hold no retired keypoints."""

from __future__ import annotations

import json
import runpy
from dataclasses import replace

import pytest

from formats import coco
from formats.one_way import ONE_WAY, write
from formats.registry import FORMATS
from tests.formats.tables import two_mice


def test_no_name_is_one_of_a_format():
    assert not {*ONE_WAY} & {*FORMATS}


@pytest.mark.parametrize("name", ONE_WAY)
def test_retired_keypoints_stay_out(name, tmp_path):
    poses = two_mice()
    coco.write(poses, tmp_path / "truth.json")
    retired = replace(poses, skeleton=replace(poses.skeleton, retired=("tail",)))
    write(retired, name, tmp_path / "out", tmp_path / "truth.json")
    if name == "mmpose-info":
        info = runpy.run_path(str(tmp_path / "out"))["dataset_info"]
        assert [one["name"] for one in info["keypoint_info"].values()] == ["nose"]
    else:
        found = json.loads((tmp_path / "out").read_text())
        assert {tuple(one["keypoints"][3:]) for one in found} == {(0, 0, 0)}
