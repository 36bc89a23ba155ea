"""Numbered images as the frames of a video."""

import cv2
import numpy as np
import pytest

from pose.frame_table import VideoError
from pose.image_folder import ImageFolder, number_of, numbered_images, open_frames
from pose.video import VideoReader, VideoWriter


def picture(number, width=32, height=24):
    return np.full((height, width, 3), (10, 20, 4 * number), dtype=np.uint8)


def write(folder, numbers, pattern="{:05d}.png", **size):
    folder.mkdir(exist_ok=True)
    for number in numbers:
        # OpenCV writes BGR.
        assert cv2.imwrite(str(folder / pattern.format(number)), picture(number, **size)[..., ::-1])
    return folder


def test_frames_are_read_by_number(tmp_path):
    folder = write(tmp_path / "clip", range(1, 12), "frame_{}.png")
    (folder / "notes.txt").write_text("1")
    (folder / ".00004.png").write_bytes(b"")
    with ImageFolder.of(folder) as video:
        assert (video.num_frames, video.width, video.height, video.key) == (11, 32, 24, None)
        for index in (9, 0, 10):
            np.testing.assert_array_equal(video.read(index), picture(index + 1))
        third, fourth = video.frames(2, 4)
        np.testing.assert_array_equal(third, picture(3))
        np.testing.assert_array_equal(fourth, picture(4))
        assert next(video.frames(3, 4, gray=True)).shape == (24, 32)
        assert video.read(0, (16, 12)).shape == (12, 16, 3)
        assert len(list(video.frames())) == 11


def test_a_missing_number_keeps_its_place(tmp_path):
    folder = write(tmp_path / "clip", [3, 4, 6])
    files = numbered_images(folder)
    assert [file.name for file in files] == ["00003.png", "00004.png", "00005.png", "00006.png"]
    video = ImageFolder(files)
    np.testing.assert_array_equal(video.read(3), picture(6))
    with pytest.raises(VideoError, match=r"00005\.png"):
        video.read(2)


def test_the_number_is_the_last_one_of_a_name():
    names = ("000012.jpg", "cam2_00007.png", "00000003_crop.png", "frame.jpg")
    assert [number_of(name) for name in names] == [12, 7, 3, None]


def test_frames_that_are_not_there_are_refused(tmp_path):
    video = ImageFolder.of(write(tmp_path / "clip", range(3)))
    for ask in (lambda: video.read(3), lambda: video.read(-1), lambda: video.frames(2, 4), lambda: video.frames(2, 1)):
        with pytest.raises(IndexError, match="a video with 3 frames"):
            ask()


def test_what_is_no_video_is_refused_by_name(tmp_path):
    with pytest.raises(VideoError, match="cannot be read"):
        ImageFolder.of(tmp_path / "nowhere")
    (tmp_path / "cover.png").write_bytes(b"")
    with pytest.raises(VideoError, match="no numbered images"):
        ImageFolder.of(tmp_path)
    with pytest.raises(VideoError, match="There are no images"):
        ImageFolder([])
    (tmp_path / "1.png").write_bytes(b"not a picture")
    with pytest.raises(VideoError, match=r"1\.png is no image"):
        ImageFolder.of(tmp_path)
    twice = write(write(tmp_path / "twice", [1]), [1], "{}.jpg")
    with pytest.raises(VideoError, match=r"00001\.png and 1\.jpg are both frame 1"):
        ImageFolder.of(twice)
    far = write(tmp_path / "far", [1, 2_000_000], "{}.png")
    with pytest.raises(VideoError, match="more than a video has"):
        ImageFolder.of(far)


def test_frames_of_another_size_are_refused(tmp_path):
    folder = write(write(tmp_path / "clip", [0]), [1], width=40)
    video = ImageFolder.of(folder)
    with pytest.raises(VideoError, match=r"00001\.png is 40 x 24 pixels large; the first frame is 32 x 24"):
        list(video.frames())


def test_files_folders_and_stills_are_opened_alike(tmp_path):
    file = tmp_path / "clip.mp4"
    with VideoWriter(file, 25, 32, 24) as writer:
        for number in range(5):
            writer.write(picture(number))
    folder = write(tmp_path / "clip", range(4))
    for path, kind, length in (
        (file, VideoReader, 5),
        (folder, ImageFolder, 4),
        (folder / "00002.png", ImageFolder, 1),
    ):
        with open_frames(path) as video:
            assert isinstance(video, kind)
            assert video.num_frames == length
            assert video.read(0).shape == (24, 32, 3)
    with pytest.raises(FileNotFoundError):
        open_frames(tmp_path / "gone.mp4")
