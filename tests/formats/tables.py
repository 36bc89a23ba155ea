"""Data sets at random, and whether two are the same."""

from __future__ import annotations

import os
from dataclasses import replace
from importlib.util import find_spec

import numpy as np
import pytest
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from formats.dataset import COLUMNS, Dataset, Video
from formats.registry import FORMATS
from pose.skeleton import POSETRACK_15, Skeleton

#: The formats by name; without the extra those that need it are passed over, unless everything has to be there.
_LACKING = [name for name in ("h5py", "pynwb", "ndx_pose") if find_spec(name) is None]
WITHOUT_EXTRA = bool(_LACKING) and not os.environ.get("REQUIRE_SERVICES")
FORMAT_NAMES = [
    pytest.param(name, marks=pytest.mark.skipif(form.extra and WITHOUT_EXTRA, reason="the extra is not installed"))
    for name, form in FORMATS.items()
]
HERE = [name for name, form in FORMATS.items() if not (form.extra and WITHOUT_EXTRA)]

NAMES = st.text(st.characters(exclude_categories=("Cc", "Cs", "Cn", "Co", "Zl", "Zp")), min_size=1, max_size=12)
VIDEO_NAMES = st.sampled_from(["mouse", "Mouse", "mäuse/links 1", "老鼠", "mouse-2", "a b", "..", "é" * 90]) | NAMES
PIXELS = st.floats(-50, 700, width=32) | st.integers(0, 640).map(float) | st.just(0.0)
SHARES = st.floats(0, 1, width=32)
FRAMES = 40


@st.composite
def skeletons(draw) -> Skeleton:
    names = draw(st.lists(NAMES.filter(str.strip), min_size=1, max_size=4, unique=True))
    pairs = [(a, b) for a in range(len(names)) for b in range(len(names)) if a != b]
    edges = draw(st.lists(st.sampled_from(pairs), unique=True, max_size=4)) if pairs else []
    swap = draw(st.sampled_from([(), ((0, 1),), ((1, 0),)])) if len(names) > 1 else ()
    sigmas = draw(st.just(()) | st.lists(st.floats(0.01, 1), min_size=len(names), max_size=len(names)).map(tuple))
    return Skeleton(name=draw(NAMES | st.just("")), keypoints=(*names,), edges=(*edges,), swap=swap, sigmas=sigmas)


@st.composite
def videos(draw) -> Video:
    width, height = draw(st.sampled_from([(640, 480), (641, 333), (1, 2000), (None, None)]))
    return Video(
        name=draw(VIDEO_NAMES),
        width=width,
        height=height,
        num_frames=draw(st.sampled_from([FRAMES, 2 * FRAMES, None])),
        empty=tuple(sorted(draw(st.sets(st.integers(0, FRAMES - 1), max_size=3)))),
    )


@st.composite
def datasets(draw, skeleton: st.SearchStrategy[Skeleton] | None = None) -> Dataset:
    """Tables of a few rows: points known, hidden, absent or not known, of people, machines or both."""
    pose = draw(skeletons() if skeleton is None else skeleton)
    listed = tuple(draw(st.lists(videos(), min_size=1, max_size=3)))
    keys = st.tuples(st.integers(0, len(listed) - 1), st.integers(0, FRAMES - 1), st.integers(1, 4))
    rows = [*draw(st.sets(keys, max_size=8))]
    shape = (len(rows), pose.size)
    state = draw(hnp.arrays(np.int64, shape, elements=st.integers(0, 3)))
    machine = draw(st.sampled_from(["none", "all", "some"]))
    human = {
        "none": np.ones(shape, dtype=bool),
        "all": np.zeros(shape, dtype=bool),
        "some": draw(hnp.arrays(bool, shape)),
    }[machine]
    video, frame, track = np.array(rows, dtype=np.int64).reshape(-1, 3).T
    table = Dataset.of(
        pose,
        listed,
        video=video,
        frame=frame,
        track=track,
        xy=draw(hnp.arrays(np.float32, (*shape, 2), elements=PIXELS)),
        visibility=np.where(state == 3, 0, state),
        absent=state == 3,
        score=draw(hnp.arrays(np.float32, shape, elements=SHARES)),
        radius90=draw(hnp.arrays(np.float32, shape, elements=st.floats(0, 200, width=32))),
        human=human,
        run=draw(hnp.arrays(np.int64, (len(rows),), elements=st.integers(0, 2**40))),
    )
    used = {(int(v), int(t)) for v, t in zip(table.video, table.track, strict=True)}
    named = draw(st.booleans())
    return table.with_videos(
        tuple(
            replace(one, tracks={t: draw(NAMES) for v, t in sorted(used) if v == number} if named else {})
            for number, one in enumerate(table.videos)
        )
    )


def differences(expected: Dataset, found: Dataset) -> list[str]:
    """Where two data sets differ; what is not known of an expected video may be anything."""
    told = []
    if _comparable(expected.skeleton, expected) != _comparable(found.skeleton, expected):
        told.append(f"{expected.skeleton} became {found.skeleton}")
    if len(expected.videos) != len(found.videos):
        told.append(f"{expected.videos} became {found.videos}")
    for one, other in zip(expected.videos, found.videos, strict=False):
        for name in ("name", "width", "height", "num_frames", "empty"):
            before, after = getattr(one, name), getattr(other, name)
            if before is not None and before != after:
                told.append(f"{name} of {one.name!r}: {before} became {after}")
        if {**one.tracks} != {**other.tracks}:
            told.append(f"tracks of {one.name!r}: {one.tracks} became {other.tracks}")
    for name in COLUMNS:
        before, after = getattr(expected, name), getattr(found, name)
        if before.dtype != after.dtype or before.shape != after.shape or not np.array_equal(before, after):
            told.append(f"{name}: {before} became {after}")
    return told


def _comparable(skeleton: Skeleton, expected: Dataset) -> Skeleton:
    """A skeleton whose mirrored pairs are in order; one that had no name may have any."""
    swap = tuple(sorted((min(pair), max(pair)) for pair in skeleton.swap))
    return replace(skeleton, swap=swap, name=skeleton.name if expected.skeleton.name else "")


def two_mice(name: str = "") -> Dataset:
    """Two videos with points of people and of a machine, hidden and absent; PoseTrack's joints for ``posetrack``."""
    mouse = Skeleton(name="mouse", keypoints=("nose", "tail"), edges=((0, 1),))
    skeleton = POSETRACK_15 if name == "posetrack" else mouse
    shape = (4, skeleton.size)
    state = np.full(shape, 2)
    state[1, 0], state[2, 1] = 1, 0
    human = np.ones(shape, dtype=bool)
    human[3] = False
    return Dataset.of(
        skeleton,
        (
            Video(name="left", width=640, height=480, num_frames=20, empty=(9,)),
            Video(name="right", width=320, height=240, num_frames=20),
        ),
        video=[0, 0, 0, 1],
        frame=[0, 0, 7, 12],
        track=[1, 2, 1, 1],
        xy=np.arange(8 * skeleton.size).reshape(*shape, 2) * 3.25 + 1,
        visibility=state,
        absent=state == 0,
        score=np.full(shape, 0.75),
        radius90=np.full(shape, 2.5),
        human=human,
        run=[0, 0, 0, 5],
    )
