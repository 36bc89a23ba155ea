"""Labelled pictures tell which frame they are."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from app.exchange.proof import ProofError, prove
from pose.synthetic import SceneSpec
from pose.video import VideoReader
from tests.conftest import render


@pytest.fixture(scope="module")
def scene(tmp_path_factory):
    """A walker for 150 frames."""
    return render(tmp_path_factory.mktemp("long"), SceneSpec(seed=4, num_frames=150, width=192, height=144))


@pytest.fixture
def pictures(scene, tmp_path):
    """Writes frames of the video as pictures that say to be other ones."""

    def write(frames, crop=None, ending=".png"):
        files = {}
        x, y, width, height = crop or (0, 0, scene.width, scene.height)
        with VideoReader(scene.path) as video:
            for said, shown in frames.items():
                picture = cv2.cvtColor(video.read(shown), cv2.COLOR_RGB2BGR)[y : y + height, x : x + width]
                files[said] = tmp_path / f"img{said:04d}{ending}"
                cv2.imwrite(str(files[said]), picture)
        return files

    return write


@pytest.fixture
def folder(tmp_path):
    place = tmp_path / "child"
    place.mkdir()
    return place


@pytest.mark.parametrize("ending", [".png", ".jpg"])
def test_pictures_of_the_frames_that_they_say_are_proved(scene, pictures, folder, ending):
    proof = prove(scene.path, pictures({0: 0, 31: 31, 149: 149}, ending=ending), folder)
    assert proof.frames == {0: 0, 31: 31, 149: 149}
    assert (proof.moved, proof.unlike, proof.cropped) == ({}, [], False)
    assert (proof.num_frames, proof.width, proof.height) == (150, 192, 144)


def test_pictures_that_say_other_frames_are_found_nearby(scene, pictures, folder):
    proof = prove(scene.path, pictures({10: 12, 40: 42, 60: 60, 120: 40}), folder)
    assert proof.frames == {10: 12, 40: 42, 60: 60, 120: 40}
    assert proof.moved == {-80: 1, 2: 2}


def test_a_picture_that_is_too_far_away_or_of_something_else_is_like_none(scene, pictures, folder, tmp_path):
    files = pictures({149: 20, 400: 5})
    other = tmp_path / "noise.png"
    cv2.imwrite(str(other), np.random.default_rng(0).integers(0, 255, (scene.height, scene.width, 3), dtype=np.uint8))
    proof = prove(scene.path, {**files, 50: other}, folder)
    assert proof.frames[400] is None
    assert proof.frames[50] is None
    assert proof.frames[149] != 20
    assert {50, 400} <= {*proof.unlike}


def test_pictures_of_a_crop_are_compared_with_that_part(scene, pictures, folder):
    crop = (16, 24, 100, 80)
    proof = prove(scene.path, pictures({30: 30, 70: 73}, crop), folder, crop=crop)
    assert proof.cropped
    assert proof.frames == {30: 30, 70: 73}


def test_pictures_of_another_size_are_refused(scene, pictures, folder):
    files = pictures({30: 30}, (0, 0, 100, 80))
    with pytest.raises(ProofError, match=r"img0030\.png: this picture has 100 x 80 pixels, and its video 192 x 144"):
        prove(scene.path, files, folder)


def test_what_cannot_be_read_is_named(scene, folder, tmp_path):
    (tmp_path / "img0001.png").write_text("nothing")
    with pytest.raises(ProofError, match=r"img0001\.png: this picture cannot be read"):
        prove(scene.path, {1: tmp_path / "img0001.png"}, folder)
    (tmp_path / "walk.mp4").write_text("nothing")
    with pytest.raises(ProofError):
        prove(tmp_path / "walk.mp4", {1: tmp_path / "img0001.png"}, folder)
