"""The ``dataset_info`` of mmpose holds the skeleton."""

from __future__ import annotations

import runpy

import pytest

from formats import mmpose_info
from pose.skeleton import COCO_17, Skeleton

ODD = Skeleton(name="", keypoints=("it's", 'a"b', "老鼠🐭", "\\n"), edges=((2, 0),), swap=((3, 1),))


@pytest.mark.parametrize("skeleton", [COCO_17, ODD], ids=["coco17", "odd"])
def test_it_is_a_configuration_with_what_mmpose_asks_for(skeleton, tmp_path):
    mmpose_info.write(skeleton, tmp_path / "info.py")
    info = runpy.run_path(str(tmp_path / "info.py"))["dataset_info"]
    assert {"dataset_name", "keypoint_info", "skeleton_info", "joint_weights", "sigmas"} <= {*info}
    names = tuple(info["keypoint_info"][k]["name"] for k in range(skeleton.size))
    assert names == skeleton.keypoints
    # What mmpose makes of it: mirrored points by name, itself where there is none.
    mirrored = [names.index(one["swap"] or one["name"]) for one in info["keypoint_info"].values()]
    assert mirrored == skeleton.mirror().tolist()
    links = [tuple(map(names.index, one["link"])) for one in info["skeleton_info"].values()]
    assert tuple(links) == skeleton.edges
    assert info["sigmas"] == skeleton.oks_sigmas().tolist()
    assert info["joint_weights"] == [1.0] * skeleton.size
    assert info["dataset_name"]
