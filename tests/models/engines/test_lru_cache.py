"""Remembering what was computed: it saves work and changes nothing."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
import torch

from models.compute.devices import choose
from models.engines import stored_arrays
from models.engines.crop_cache import CropCache
from models.engines.flow import Flow
from models.engines.lru_cache import CacheKey, LruCache
from models.stdpose.descriptors import DescriptorExtractor
from models.stdpose.engine import StdPoseEngine
from models.stdpose.network import StdPose
from pose.crops import Crop
from pose.segments import Segment
from pose.synthetic import Scene, SceneSpec
from pose.track import Track, join


class Named:
    """Frames in memory that have a key; counts those given."""

    key = "a video"

    def __init__(self, images: np.ndarray) -> None:
        self._images = images
        self.num_frames, self.height, self.width = images.shape[:3]
        self.given = 0

    def frames(self, start: int = 0, stop: int | None = None, *, gray: bool = False) -> Iterator[np.ndarray]:
        for image in self._images[start:stop]:
            self.given += 1
            yield image[..., 0] if gray else image


def test_what_was_used_longest_ago_is_forgotten() -> None:
    memory = LruCache(room=10)
    for name in "abc":
        memory.put(name, name.upper(), 4)
        memory.get("a")
    assert [memory.get(name) for name in "abc"] == ["A", None, "C"]
    memory.put("a", "again", 4)
    assert memory.get("c") == "C"
    memory.put("large", "LARGE", 100)
    assert memory.get("large") == "LARGE"


@pytest.mark.slow
def test_a_click_reads_no_frame_again_and_gives_what_a_fresh_engine_gives(network: StdPose) -> None:
    scene = Scene(SceneSpec(seed=4, num_frames=13, width=160, height=120, action="walk"))
    video = Named(np.stack(list(scene.frames())))
    truth = scene.tracks[1]
    keyframes = truth.select(np.array([0, 12]))
    engine = StdPoseEngine(network)
    engine.propagate(video, keyframes, Segment(0, 12))
    assert video.given > 0

    marks = np.zeros((1, truth.num_keypoints, 3), dtype=np.float32)
    marks[0, 4] = (*(truth.xy[5, 4] + 3), 2)
    click = Track.labelled([5], marks)
    corrected = keyframes.over(click)
    video.given = 0
    segments = (Segment(0, 5), Segment(5, 12))
    remembered = join([engine.propagate(video, corrected, segment) for segment in segments])
    assert video.given == 0
    fresh = join([StdPoseEngine(network).propagate(video, corrected, segment) for segment in segments])
    np.testing.assert_array_equal(remembered.xy, fresh.xy)
    np.testing.assert_array_equal(remembered.radius90, fresh.radius90)
    np.testing.assert_array_equal(remembered.xy[5, 4], click.xy[0, 4])


def test_flow_goes_through_the_gaps_beside_a_click_once_and_gives_what_a_fresh_engine_gives() -> None:
    scene = Scene(SceneSpec(seed=4, num_frames=13, width=160, height=120, action="walk"))
    video, truth = Named(np.stack(list(scene.frames()))), scene.tracks[1].xy
    said = np.concatenate([truth[[0, 5, 12]], np.full((3, truth.shape[1], 1), 2)], axis=-1)
    said[1, np.arange(truth.shape[1]) != 3] = 0  # a click on one keypoint
    labels, segments = Track.labelled([0, 5, 12], said), (Segment(0, 5), Segment(5, 12))
    engine = Flow()
    first = engine.propagate(video, labels, segments[0])
    given = video.given
    second = engine.propagate(video, labels, segments[1])
    assert 0 < given == video.given
    for track, segment in zip((first, second), segments, strict=True):
        fresh = Flow().propagate(Named(video._images), labels, segment)
        np.testing.assert_array_equal(track.xy, fresh.xy)
        np.testing.assert_array_equal(track.radius90, fresh.radius90)


class Dictionary:
    """A shelf in memory."""

    def __init__(self) -> None:
        self.lying: dict[str, bytes] = {}

    def get(self, name: str) -> bytes | None:
        return self.lying.get(name)

    def put(self, name: str, data: bytes) -> None:
        self.lying[name] = data


def test_what_lies_on_a_shelf_is_found_by_others_that_compute_alike() -> None:
    shelf, place = Dictionary(), CacheKey("a video", "kind", (1, "two"))
    first, second, other = LruCache(), LruCache(), LruCache()
    for memory, made_by in ((first, "one"), (second, "one"), (other, "another")):
        memory.lay_on(shelf, made_by)
    first.put(place, (np.arange(3),), 24)
    first.put(("no place", 3), (np.arange(3),), 24)
    assert len(shelf.lying) == 1
    np.testing.assert_array_equal(second.get(place)[0], np.arange(3))
    assert second.get(("no place", 3)) is None
    assert other.get(place) is None
    assert LruCache().get(place) is None


def test_names_on_a_shelf_are_those_of_earlier_versions() -> None:
    shelf, memory = Dictionary(), LruCache()
    memory.lay_on(shelf, "stdpose 2")
    memory.put(CacheKey("clip", "gray", (Crop(1, 2, 3, 4, 5, 6), 7, b"x")), (np.arange(3),), 24)
    assert [*shelf.lying] == ["clip/229623f3d8c54e3cb644a860702e8a6ef448c458fcff48d748acba9009b82028"]


def test_arrays_and_tensors_come_back_as_they_were() -> None:
    given = (
        np.arange(6, dtype=np.uint8).reshape(2, 3),
        torch.randn(3, 5, 2),
        torch.randn(7).to(torch.bfloat16),
        torch.tensor([True, False]),
        np.zeros((0, 4)),
        torch.randn(4, 6).T,
    )
    found = stored_arrays.decode("a", stored_arrays.encode("a", given))
    assert found is not None
    for one, other in zip(given, found, strict=True):
        assert (one.dtype, one.shape) == (other.dtype, other.shape)
        assert bool((one == other).all())
    assert stored_arrays.decode("another", stored_arrays.encode("a", given)) is None


def test_what_was_damaged_is_no_array() -> None:
    whole = stored_arrays.encode("a", (np.arange(40),))
    for end in range(len(whole)):
        assert stored_arrays.decode("a", whole[:end]) is None
    for at in range(len(whole)):
        flipped = bytearray(whole)
        flipped[at] ^= 4
        assert stored_arrays.decode("a", bytes(flipped)) is None


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_what_a_frame_looks_like_does_not_depend_on_the_frames_described_with_it(
    network: StdPose, threads: int
) -> None:
    scene = Scene(SceneSpec(seed=4, num_frames=11, width=160, height=120, action="walk"))
    images, before = np.stack(list(scene.frames())), torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        compute = choose("cpu", "fp32")
        extractor = DescriptorExtractor(network, compute, "", mirrored=False)
        crop = Crop(0, 0, 160, 120, 160, 120)

        def looked(frames: list[int]) -> dict[int, list[torch.Tensor]]:
            looks = extractor.extract(CropCache(Named(images), crop, crop, LruCache()), np.array(frames))
            return {frame: [level[row] for level in looks.maps] for row, frame in enumerate(frames)}

        every = looked([*range(11)])
        for frames in ([3], [1, 2, 3, 4, 5], [0, 5, 6, 7, 8, 9, 10]):
            for frame, levels in looked(frames).items():
                assert all(torch.equal(one, other) for one, other in zip(every[frame], levels, strict=True))
    finally:
        torch.set_num_threads(before)


@pytest.mark.slow
def test_a_shelf_changes_no_bit_and_damage_on_it_neither(network: StdPose, monkeypatch: pytest.MonkeyPatch) -> None:
    scene = Scene(SceneSpec(seed=4, num_frames=25, width=160, height=120, action="walk"))
    video = Named(np.stack(list(scene.frames())))
    keyframes = scene.tracks[1].select(np.array([0, 12, 24]))
    shelf, described = Dictionary(), 0
    describe = DescriptorExtractor._describe

    def counted(extractor: DescriptorExtractor, images: np.ndarray) -> list[list[torch.Tensor]]:
        nonlocal described
        described += len(images)
        return describe(extractor, images)

    monkeypatch.setattr(DescriptorExtractor, "_describe", counted)

    def propagated(*, weights: str = "weights") -> tuple[Track, int, int]:
        nonlocal described
        described = video.given = 0
        engine = StdPoseEngine(network, weights)
        engine.lay_on(shelf)
        track = join([engine.propagate(video, keyframes, part) for part in (Segment(0, 12), Segment(12, 25))])
        return track, described, video.given

    plain = StdPoseEngine(network, "weights")
    truth = join([plain.propagate(video, keyframes, part) for part in (Segment(0, 12), Segment(12, 25))])

    def same(track: Track) -> bool:
        names = ("xy", "score", "radius90", "visibility")
        return all(np.array_equal(getattr(track, name), getattr(truth, name)) for name in names)

    first, looked, _ = propagated()
    assert same(first)
    assert looked
    again, looked, read = propagated()
    assert (looked, read) == (0, 0)
    assert same(again)
    before = dict(shelf.lying)
    for number, name in enumerate(before):
        if number % 3:  # some are torn, some have a bit flipped, some stay
            half = before[name][: len(before[name]) // 2]
            shelf.lying[name] = half if number % 3 == 1 else half[:-1] + b"x" + before[name][len(half) :]
    mended, looked, _ = propagated()
    assert same(mended)
    assert looked
    assert shelf.lying == before
    _, looked, _ = propagated(weights="other weights")
    assert looked
    count = len(shelf.lying)
    propagated(weights="")
    assert len(shelf.lying) == count
