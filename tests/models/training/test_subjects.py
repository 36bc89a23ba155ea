from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.training.subjects import Subject, hold_out
from pose.track import Track


def subject(name: str, video: str, frames: int) -> Subject:
    keypoints = np.concatenate(
        [np.random.default_rng(0).uniform(0, 90, (frames, 3, 2)), np.full((frames, 3, 1), 2)], -1
    )
    return Subject.labelled(name, Path(f"{video}.mp4"), Track.labelled(np.arange(frames) * 3, keypoints), video=video)


def test_whole_videos_are_kept_aside_where_there_are_enough() -> None:
    subjects = [subject(f"{video}/{track}", f"v{video}", 10) for video in range(10) for track in range(2)]
    learnt, measured = hold_out(subjects, 0.2, seed=1)
    assert len({one.video for one in measured}) == 2
    assert not {one.video for one in measured} & {one.video for one in learnt}
    assert len(learnt) + len(measured) == 20


@given(st.integers(2, 200), st.integers(0, 5), st.floats(0.1, 0.5))
def test_of_few_videos_blocks_of_time_are_kept_aside(frames: int, seed: int, share: float) -> None:
    whole = subject("one", "v", frames)
    learnt, measured = hold_out([whole], share, seed)
    ours, theirs = (np.concatenate([one.track.frames for one in part] or [np.zeros(0)]) for part in (learnt, measured))
    assert not np.intersect1d(ours, theirs).size
    assert theirs.size
    assert ours.size
    if frames >= 32:
        # No frame that is learnt from is next to one that is measured.
        assert np.abs(ours[:, None] - theirs[None]).min() > 2 * 3


def test_the_same_seed_draws_the_same() -> None:
    subjects = [subject(str(video), f"v{video}", 5) for video in range(6)]
    drawn = [[one.name for one in hold_out(subjects, 0.3, seed)[1]] for seed in (1, 1, 2, 3, 4)]
    assert drawn[0] == drawn[1]
    assert any(one != drawn[0] for one in drawn[2:])


@pytest.mark.parametrize("share", [0.0, 1.0, -0.2])
def test_a_share_is_a_share(share: float) -> None:
    with pytest.raises(ValueError, match="between 0 and 1"):
        hold_out([subject("one", "v", 9)], share, 0)


def test_weights_fit_labels() -> None:
    one = subject("one", "v", 4)
    with pytest.raises(ValueError, match="do not fit"):
        Subject("x", "v", one.path, None, one.track, np.ones((4, 2), np.float32))
