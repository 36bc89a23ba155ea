"""Labelled pictures without a video become one."""

from __future__ import annotations

import zipfile
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from cli.importing import stills
from cli.importing.numbering import Placed, renumbered
from cli.importing.sources import Source, SourceError
from formats.dataset import Dataset, Video
from formats.media import Media
from pose.decoder import Limits
from pose.image_archive import open_source
from pose.skeleton import Skeleton
from tests.formats.tables import two_mice


@pytest.fixture
def picture(tmp_path):
    def write(name, level=0, size=(64, 48)):
        file = tmp_path / name
        cv2.imwrite(str(file), np.full((size[1], size[0], 3), level, dtype=np.uint8))
        return file

    return write


def test_the_archive_is_a_video_in_the_order_of_the_frames_and_always_the_same_bytes(picture, tmp_path):
    pictures = {250: picture("img0250.png", 200), 7: picture("img0007.png", 100), 31: picture("img0031.png", 150)}
    source = Source(0, "stills", None, Media(pictures=pictures))
    for name in ("one.zip", "two.zip"):
        stills.write_archive(source, tmp_path / name)
    assert (tmp_path / "one.zip").read_bytes() == (tmp_path / "two.zip").read_bytes()
    assert stills.places(source) == {7: 0, 31: 1, 250: 2}
    shown = open_source(tmp_path / "one.zip", Limits.none()).frames()
    levels = [round(found.frame.to_ndarray(format="rgb24").mean()) for found in shown]
    assert levels == [100, 150, 200]
    assert zipfile.ZipFile(tmp_path / "one.zip").namelist()[2] == "frame00000250-00000002.png"


def test_a_labelled_frame_without_a_picture_and_pictures_of_two_sizes_are_refused(picture):
    one, other = picture("img0.png"), picture("img7.png", size=(32, 32))
    with pytest.raises(SourceError, match=r"video 'left': .* these labelled frames have no picture: 7, 9"):
        stills.check(two_mice(), Source(0, "stills", None, Media(pictures={0: one})))
    pictures = {0: one, 7: other, 9: one}
    with pytest.raises(SourceError, match=r"several sizes \(.*img0.png has 64 x 48 pixels, .*img7.png 32 x 32\)"):
        stills.check(two_mice(), Source(0, "stills", None, Media(pictures=pictures)))


def test_a_machines_poses_on_frames_without_a_picture_are_left_out(picture):
    table = two_mice().with_columns(
        human=two_mice().human & (two_mice().frame != 7)[:, None], absent=two_mice().absent & False
    )
    table = table.with_videos(tuple(replace(video, empty=()) for video in table.videos))
    source = Source(0, "stills", None, Media(pictures={0: picture("img0.png")}))
    assert stills.check(table, source) == {7}
    left = renumbered(table, [Placed(source, gone=frozenset({7}))])
    assert left.frame.tolist() == [0, 0, 12]


def test_single_stills_of_one_size_become_one_video(picture):
    videos = tuple(Video(name=name, width=w, height=48, num_frames=1) for name, w in (("a", 64), ("b", 32), ("c", 64)))
    xy = np.arange(4, dtype=float).reshape(4, 1, 1) + np.zeros((4, 1, 2))
    table = Dataset.of(
        Skeleton(name="", keypoints=("nose",)), videos,
        video=[0, 0, 1, 2], frame=[0] * 4, track=[1, 2, 1, 1], xy=xy, visibility=np.full((4, 1), 2),
    )  # fmt: skip
    media = [Media(pictures={0: Path(f"{video.name}.png")}) for video in videos]
    together, said = stills.gathered(table, media, "set")
    assert [(video.name, video.num_frames) for video in together.videos] == [("set 64x48", 2), ("set 32x48", 1)]
    assert [dict(one.pictures) for one in said] == [{0: Path("a.png"), 1: Path("c.png")}, {0: Path("b.png")}]
    assert together.video.tolist() == [0, 0, 0, 1]
    assert together.frame.tolist() == [0, 0, 1, 0]
    assert together.xy[:, 0, 0].tolist() == [0, 1, 3, 2]


def test_videos_stay_as_they_are():
    media = [Media(), Media()]
    assert stills.gathered(two_mice(), media, "set")[0] is not None
    assert stills.gathered(two_mice(), media, "set")[0].videos == two_mice().videos
