"""COCO keypoint files of any kind: stills, videos by number, videos by frame index, many in one file."""

import io
import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from pose.formats.coco import CocoError, VideoInfo, instances, read_coco, write_coco
from pose.formats.coco_videos import read_coco_videos
from pose.frame_table import VideoError
from pose.skeleton import Skeleton
from pose.track import Track

NAMES = ("snout", "left_ear", "right_ear")


def annotation(number, image, shift=0.0, **fields):
    keypoints = [10 + shift, 20, 2, 30 + shift, 40, 1, 0, 0, 0]
    return {"id": number, "image_id": image, "category_id": 1, "keypoints": keypoints, "iscrowd": 0} | fields


def document(images, annotations, **fields):
    categories = [{"id": 1, "name": "mouse", "keypoints": list(NAMES), "skeleton": [[1, 2]]}]
    return {"images": images, "annotations": annotations, "categories": categories} | fields


def read(images, annotations, root=Path("data"), skeleton=None, **fields):
    return read_coco_videos(json.dumps(document(images, annotations, **fields)).encode(), root, skeleton=skeleton)


def refusal(images, annotations, **fields):
    with pytest.raises(CocoError) as caught:
        read(images, annotations, **fields)
    return dict(caught.value.errors)


def test_images_of_no_video_are_stills():
    images = [{"id": 139, "file_name": "val2017/000000000139.jpg"}, {"id": 7, "file_name": "val2017/000000000007.jpg"}]
    annotations = [
        annotation(1, 139),
        annotation(2, 139, 50),
        annotation(3, 139, 90, iscrowd=1),
        annotation(4, 7, keypoints=[0] * 9),
    ]
    (still,) = read(images, annotations)
    assert (still.name, still.file) == ("val2017/000000000139.jpg", None)
    assert still.frames == (Path("data/val2017/000000000139.jpg"),)
    assert still.path == still.frames[0]
    assert sorted(still.tracks) == [1, 2]
    np.testing.assert_array_equal(still.tracks[2].frames, [0])
    np.testing.assert_array_equal(still.tracks[2].xy[0], [[60, 20], [80, 40], [0, 0]])
    np.testing.assert_array_equal(still.tracks[2].visibility, [[2, 1, 0]])
    assert still.skeleton.keypoints == NAMES
    assert still.skeleton.edges == ((0, 1),)


def test_images_of_a_video_are_in_the_order_of_their_numbers():
    images = [{"id": n, "video_id": 3, "file_name": f"mouse_a/{n:04d}.png"} for n in (12, 10, 14)]
    (video,) = read(images, [annotation(1, 14, 4), annotation(2, 10), annotation(3, 12, 2)])
    assert video.name == "3"
    assert [file.name for file in video.frames] == ["0010.png", "0011.png", "0012.png", "0013.png", "0014.png"]
    np.testing.assert_array_equal(video.tracks[1].frames, [0, 2, 4])
    np.testing.assert_array_equal(video.tracks[1].xy[:, 0, 0], [10, 12, 14])


def test_a_file_may_hold_many_videos_with_names_and_files(tmp_path):
    (tmp_path / "a.mp4").write_bytes(b"")
    images = [
        {"id": 1, "video_id": 1, "frame_index": 4, "file_name": "a/000004.jpg"},
        {"id": 2, "video_id": 2, "frame_index": 0, "file_name": "b/000000.jpg"},
        {"id": 3, "video_id": 1, "frame_index": 2, "file_name": "a/000002.jpg"},
    ]
    annotations = [
        annotation(1, 1, track_id=0),
        annotation(2, 3, 1, track_id=0),
        annotation(3, 3, 2, track_id=5),
        annotation(4, 2, track_id=0),
    ]
    videos = [{"id": 1, "name": "first", "file_name": "a.mp4"}, {"id": 2, "file_name": "b.mp4"}]
    first, second = read(images, annotations, root=tmp_path, videos=videos)
    assert (first.name, first.file, first.path) == ("first", tmp_path / "a.mp4", tmp_path / "a.mp4")
    assert (second.name, second.file) == ("b.mp4", None)
    np.testing.assert_array_equal(first.tracks[0].frames, [2, 4])
    np.testing.assert_array_equal(first.tracks[5].frames, [2])
    assert [file.name for file in first.frames] == [f"00000{n}.jpg" for n in range(5)]
    assert second.frames == (tmp_path / "b/000000.jpg",)


def test_our_own_files_are_read_as_read_coco_reads_them():
    rng = np.random.default_rng(2)
    skeleton = Skeleton(name="mouse", keypoints=NAMES, edges=((0, 1),), swap=((1, 2),), sigmas=(0.1, 0.2, 0.2))
    tracks = {}
    for number, frames in ((1, [0, 3, 9]), (2, [3, 4])):
        keypoints = np.full((len(frames), 3, 3), 2.0)
        keypoints[..., :2] = rng.integers(0, 90, (len(frames), 3, 2))
        tracks[number] = Track.labelled(frames, keypoints)
    stream = io.BytesIO()
    write_coco(stream, skeleton, [(VideoInfo(8, "clip", 100, 100, 20), instances(tracks))], info={})
    (video,) = read_coco_videos(stream.getvalue())
    expected = read_coco(stream.getvalue())
    assert video.skeleton == expected.skeleton == skeleton
    assert video.tracks.keys() == expected.tracks.keys()
    for number, track in expected.tracks.items():
        for name in ("frames", "xy", "visibility", "score", "radius90"):
            np.testing.assert_array_equal(getattr(video.tracks[number], name), getattr(track, name))


def test_frames_without_a_video_are_of_one_and_may_have_no_images():
    images = [{"id": 1, "frame_index": 5}, {"id": 2, "frame_index": 1, "file_name": "x/odd.jpg"}]
    (video,) = read(images, [annotation(1, 1), annotation(2, 2)])
    assert video.frames == ()
    np.testing.assert_array_equal(video.tracks[1].frames, [1, 5])
    for ask in (video.open, lambda: video.path):
        with pytest.raises(VideoError, match="do not say where the frames are"):
            ask()


def test_keypoints_come_in_the_order_wanted():
    wanted = Skeleton(name="mouse", keypoints=("tail", "right_ear", "left_ear", "snout"))
    (still,) = read([{"id": 1, "file_name": "a.jpg"}], [annotation(1, 1)], skeleton=wanted)
    assert still.skeleton is wanted
    np.testing.assert_array_equal(still.tracks[1].visibility, [[0, 0, 1, 2]])
    np.testing.assert_array_equal(still.tracks[1].xy[0, 3], [10, 20])


def test_frames_are_opened_and_a_folder_that_begins_earlier_is_not_mistaken(tmp_path):
    folder = tmp_path / "mouse_a"
    folder.mkdir()
    for number in range(10, 14):
        cv2.imwrite(str(folder / f"{number:04d}.png"), np.full((8, 8, 3), number, dtype=np.uint8))
    images = [{"id": n, "video_id": 3, "file_name": f"mouse_a/{n:04d}.png"} for n in (10, 12)]
    (video,) = read(images, [annotation(1, 10), annotation(2, 12)], root=tmp_path)
    with video.open() as frames:
        assert frames.num_frames == 3
        assert frames.read(2)[0, 0, 0] == 12
    assert video.path == folder
    cv2.imwrite(str(folder / "0009.png"), np.zeros((8, 8, 3), dtype=np.uint8))
    with pytest.raises(VideoError, match=r"begins with 0009\.png, the labels with 0010\.png"):
        _ = video.path


@pytest.mark.parametrize(
    ("images", "annotations", "pointer", "sentence"),
    [
        ([{"id": 1}, {"id": 1}], [], "/images/1/id", "stands there twice"),
        ([{"id": 1, "video_id": 1, "file_name": "a.png"}], [], "/images/0/file_name", "has no number"),
        ([{"id": 1, "frame_index": 1}, {"id": 2}], [], "/images/1/frame_index", "missing, while other images"),
        ([{"id": 1, "frame_index": -1}], [], "/images/0/frame_index", "count from 0"),
        ([{"id": 1, "frame_index": 3}, {"id": 2, "frame_index": 3}], [], "/images/1/frame_index", "is image 1 already"),
        ([{"id": 1, "file_name": "/etc/1.jpg"}], [], "/images/0/file_name", "does not lie in the folder"),
        ([{"id": 1, "file_name": "a/../../1.jpg"}], [], "/images/0/file_name", "does not lie in the folder"),
        ([{"id": 1}], [annotation(1, 2)], "/annotations/0/image_id", "there is no image 2"),
        ([{"id": 1}], [annotation(1, 1, keypoints=[1, 2])], "/annotations/0/keypoints", "2 numbers"),
        ([{"id": 1}], [annotation(1, 1, track_id=-1)], "/annotations/0/track_id", "count from 0"),
        ([{"id": 1}], [annotation(1, 1, track_id=3), annotation(2, 1)], "/annotations/1/track_id", "missing"),
        (
            [{"id": 1, "frame_index": 2}],
            [annotation(1, 1), annotation(2, 1)],
            "/annotations/1/track_id",
            "frame 2 shows two subjects",
        ),
        (
            [{"id": 1, "frame_index": 2}],
            [annotation(1, 1, track_id=4), annotation(2, 1, track_id=4)],
            "/annotations/1/track_id",
            "track 4 has a pose on frame 2 already",
        ),
        ([{"id": 1, "frame_index": "two"}], [annotation(1, 1)], "/images/0/frame_index", "'two' is no frame"),
        ([{"id": 1, "frame_index": []}], [], "/images/0/frame_index", "expected"),
    ],
)
def test_what_is_wrong_is_said_where_it_stands(images, annotations, pointer, sentence):
    assert sentence in refusal(images, annotations)[pointer]


def test_a_video_file_lies_in_the_folder_of_the_data_set():
    images = [{"id": 1, "video_id": 4, "frame_index": 0}]
    faults = refusal(images, [annotation(1, 1)], videos=[{"id": 4, "file_name": "../secret.mp4"}])
    assert "does not lie in the folder" in faults["/videos/0/file_name"]
