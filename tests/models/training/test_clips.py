from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from models.estimators.presets import configure
from models.training.augmentation import Augmentation
from models.training.batches import Batches
from models.training.clips import Clips
from models.training.subjects import Subject
from pose.skeleton import Skeleton
from pose.video import VideoReader


@pytest.fixture
def clips(fly: tuple[Subject, Skeleton], store: Path) -> Clips:
    subject, skeleton = fly
    return Clips([subject], skeleton, configure("stdpose", "tiny", skeleton.size, height=64, width=64), store)


def test_a_clip_shows_the_frames_around_its_centre(clips: Clips, fly: tuple[Subject, Skeleton]) -> None:
    subject, _ = fly
    clip = clips.get(10)
    assert clip.images.shape == (3, 64, 64, 3)
    assert subject.table is not None
    with VideoReader(subject.path, subject.table) as video:
        for image, delta in zip(clip.images, clips.config.deltas, strict=True):
            direct = clip.view.cut(video.read(10 + delta)).astype(float)
            # Small differences: the still was scaled before.
            assert np.abs(image - direct).mean() < 6


def test_labels_of_all_frames_of_a_clip_are_given(clips: Clips, fly: tuple[Subject, Skeleton]) -> None:
    subject, _ = fly
    clip = clips.get(10)
    for place, delta in enumerate(clips.config.deltas):
        expected = clip.view.to_input(subject.track.xy[10 + delta])
        np.testing.assert_allclose(clip.xy[place], expected, atol=1e-3)
    assert (clip.weight[1] == (subject.weight[10] > 0)).all()


def test_at_the_ends_the_centre_frame_stands_in(clips: Clips) -> None:
    first, last = clips.get(0), clips.get(len(clips) - 1)
    assert (first.images[0] == first.images[1]).all()
    assert (first.images[2] != first.images[1]).any()
    assert (last.images[2] == last.images[1]).all()


def test_labels_move_with_the_picture(clips: Clips, fly: tuple[Subject, Skeleton]) -> None:
    _, skeleton = fly
    plain = clips.get(5)
    mirrored = Augmentation(mirrored=1.0, turned=0, scale=0, shift=0, half=0, colour=0, covered=0, blurred=0)
    changed = clips.get(5, mirrored, np.random.default_rng(0))
    np.testing.assert_allclose(changed.images, plain.images[:, :, ::-1], atol=3)
    expected = plain.xy[:, skeleton.mirror()].copy()
    expected[..., 0] = 63 - expected[..., 0]
    np.testing.assert_allclose(changed.xy, expected, atol=1e-3)


def test_a_pseudo_label_counts_by_its_weight(fly: tuple[Subject, Skeleton], store: Path) -> None:
    subject, skeleton = fly
    unsure = replace(subject, weight=subject.weight * np.float32(0.3))
    clips = Clips([unsure], skeleton, configure("single_frame", "tiny", skeleton.size), store)
    assert set(np.unique(clips.get(3).weight)) <= {np.float32(0), np.float32(0.3)}


def test_frames_without_weight_are_no_examples(fly: tuple[Subject, Skeleton], store: Path) -> None:
    subject, skeleton = fly
    weight = subject.weight.copy()
    weight[::2] = 0
    config = configure("single_frame", "tiny", skeleton.size)
    assert len(Clips([replace(subject, weight=weight)], skeleton, config, store)) == 20


def test_another_skeleton_is_refused(fly: tuple[Subject, Skeleton], store: Path) -> None:
    subject, skeleton = fly
    other = Skeleton(name="dot", keypoints=("dot",))
    with pytest.raises(ValueError, match=f"{skeleton.size} keypoints, dot 1"):
        Clips([subject], other, configure("single_frame", "tiny", 1), store)


def test_half_of_a_body_is_cut_out_of_large_skeletons_only() -> None:
    rng, half = np.random.default_rng(0), Augmentation(half=1.0)
    xy = np.stack([np.zeros(12), np.arange(12.0)], axis=-1)
    kept = half.half_body(rng, xy, np.ones(12, bool))
    assert kept.sum() == 6
    assert (np.diff(np.flatnonzero(kept)) == 1).all()
    assert half.half_body(rng, xy[:5], np.ones(5, bool)).all()


def test_batches_are_the_same_in_every_process_and_another_in_every_epoch(clips: Clips) -> None:
    augmentation = Augmentation()

    def epoch(number: int, workers: int) -> list[np.ndarray]:
        batches = Batches(clips, 16, seed=1, epoch=number, augmentation=augmentation, workers=workers)
        return [batch.frames.numpy() for batch in batches]

    first, again, other = epoch(0, 1), epoch(0, 3), epoch(1, 1)
    assert [len(one) for one in first] == [16, 16, 8]
    assert all((one == same).all() for one, same in zip(first, again, strict=True))
    assert any((one != changed).any() for one, changed in zip(first, other, strict=True))


def test_parts_of_an_epoch_make_the_whole(clips: Clips) -> None:
    seen = []
    for part in range(3):
        for batch in Batches(clips, 4, seed=2, augmentation=Augmentation(), part=(part, 3)):
            seen += [clip.row for clip in batch.clips]
    assert len(seen) == 42  # 40 do not divide among three
    assert set(seen) == set(range(40))


def test_few_labels_come_again(clips: Clips) -> None:
    rows = [clip.row for batch in Batches(clips, 16, count=100, augmentation=Augmentation()) for clip in batch.clips]
    assert len(rows) == 100
    assert all(2 <= rows.count(row) <= 3 for row in range(40))


def test_of_many_labels_an_epoch_may_take_some(clips: Clips) -> None:
    epochs = [Batches(clips, 16, count=10, epoch=epoch, augmentation=Augmentation()) for epoch in range(2)]
    rows = [[clip.row for batch in batches for clip in batch.clips] for batches in epochs]
    assert [len(set(one)) for one in rows] == [10, 10]
    assert rows[0] != rows[1]


def test_without_augmentation_clips_come_in_order(clips: Clips) -> None:
    assert [clip.row for batch in Batches(clips, 16) for clip in batch.clips] == list(range(40))


def test_an_epoch_may_be_left_early(clips: Clips) -> None:
    batches = iter(Batches(clips, 4, augmentation=Augmentation()))
    next(batches)
    batches.close()  # type: ignore[attr-defined]
