"""What is written is read again, up to what the loss report says."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from formats.losses import LOSSES, forget, report
from formats.registry import FORMATS, write
from pose.skeleton import POSETRACK_15, Skeleton
from tests.formats.tables import FORMAT_NAMES, datasets, differences


@st.composite
def posetracks(draw) -> Skeleton:
    """PoseTrack's joints, as it has them or in another order and joined otherwise."""
    names = tuple(draw(st.permutations(POSETRACK_15.keypoints)))
    other = Skeleton(name=draw(st.sampled_from(["", "person"])), keypoints=names, edges=((0, 1),), swap=((2, 3),))
    return draw(st.sampled_from([POSETRACK_15, other]))


#: Formats of one skeleton.
SKELETONS = {"posetrack": posetracks()}


def can_hold(name: str, dataset) -> bool:
    """Whether a format can hold such a data set at all."""
    left = forget(dataset, FORMATS[name].loses)
    if FORMATS[name].needs_sizes and any(video.width is None for video in dataset.videos):
        return False
    if name == "nwb":
        return len(left) > 0
    if name in ("posetrack", "posemark"):
        return len(left.videos) > 0
    return name != "label-studio" or len(left) > 0 or any(video.empty for video in left.videos)


def written(dataset, name: str, folder: Path) -> Path:
    target = folder / f"poses{FORMATS[name].ending}"
    write(dataset, name, target)
    return target


@pytest.mark.parametrize("name", FORMAT_NAMES)
@settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(data=st.data())
def test_reading_what_was_written_gives_all_but_the_losses(name, data):
    dataset = data.draw(datasets(SKELETONS.get(name)))
    assume(can_hold(name, dataset))
    folder = Path(tempfile.mkdtemp())
    try:
        found = FORMATS[name].read(written(dataset, name, folder))
    finally:
        shutil.rmtree(folder)
    assert differences(forget(dataset, FORMATS[name].loses), found) == []


@settings(max_examples=60)
@given(dataset=datasets())
def test_what_is_forgotten_is_counted_and_counted_once(dataset):
    for kind in LOSSES:
        left = forget(dataset, [kind])
        assert differences(left, forget(left, [kind])) == []
        assert report(left, [kind]) == {}
        if not report(dataset, [kind]):
            assert differences(dataset, left) == []


@pytest.mark.parametrize("name", FORMAT_NAMES)
def test_losses_have_a_name(name):
    assert {*FORMATS[name].loses} <= {*LOSSES}
    assert len(FORMATS[name].loses) == len({*FORMATS[name].loses})
