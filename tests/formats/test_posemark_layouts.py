"""PoseMark's label files as its specification has them."""

from __future__ import annotations

import json

import pytest

from formats import posemark
from formats.dataset import Dataset, Video
from formats.errors import FormatError
from formats.recognise import recognise
from formats.registry import write
from formats.sessions import session_names
from tests.formats.tables import two_mice

NAME = "sub-M708149_ses-20200317_cam-topdown"
CATEGORY = {"id": 1, "name": "mouse", "keypoints": ["nose", "tail"], "skeleton": [[1, 2]]}


def image(number, frame, ending=""):
    return {"id": number, "file_name": f"{NAME}_frame-{frame:05d}{ending}", "width": 1300, "height": 1028}


def pose(number, image_id, *keypoints):
    box = {"bbox": [0, 0, 10, 10], "area": 100, "iscrowd": 0}
    return {"id": number, "image_id": image_id, "category_id": 1, "keypoints": [*keypoints], **box}


def laid_out(folder, images, annotations, called):
    place = folder / ("Frames" if "framelabels" in called else "Clips")
    place.mkdir(parents=True, exist_ok=True)
    document = {"images": images, "annotations": annotations, "categories": [CATEGORY]}
    (place / called).write_text(json.dumps(document))
    return place / called


@pytest.fixture
def session(tmp_path):
    """A session with labels of two frames, and of a clip whose first frame is labelled alone too."""
    folder = tmp_path / "SWC-plusmaze" / NAME.rpartition("_")[0]
    frames = [image(1000, 1000, ".png"), image(2300, 2300, ".png")]
    laid_out(folder, frames, [pose(1, 1000, 5, 6, 2, 7, 8, 1)], f"{NAME}_framelabels.json")
    clip = [image(number, 1500 + number) for number in range(3)]
    poses = [pose(number + 1, number, 10 + number, 6, 2, 0, 0, 0) for number in range(3)]
    laid_out(folder, clip, poses, f"{NAME}_start-01500_dur-3_cliplabels.json")
    laid_out(folder, clip[:1], poses[:1], f"{NAME}_start-01500_dur-3_startlabels.json")
    return tmp_path


def test_frames_and_clips_of_a_session_are_one_video(session):
    assert recognise(session) == "posemark"
    found = posemark.read(session)
    assert found.frame.tolist() == [1000, 1500, 1501, 1502]
    assert found.visibility[0].tolist() == [2, 1]
    assert found.xy[1:, 0, 0].tolist() == [10, 11, 12]
    (video,) = found.videos
    assert (video.name, video.width, video.height, video.empty) == (NAME, 1300, 1028, (2300,))
    clip = next(session.rglob("*_cliplabels.json"))
    assert recognise(clip) == "posemark"
    assert posemark.read(clip).frame.tolist() == [1500, 1501, 1502]


def test_what_is_written_is_as_the_specification_asks(tmp_path):
    write(two_mice(), "posemark", tmp_path / "there")
    (left, right) = sorted((tmp_path / "there").rglob("*.json"))
    assert left.relative_to(tmp_path / "there").as_posix() == (
        "sub-left_ses-1/Frames/sub-left_ses-1_cam-1_framelabels.json"
    )
    document = json.loads(left.read_text())
    assert [one["id"] for one in document["images"]] == [0, 7, 9]
    assert document["images"][1]["file_name"] == "sub-left_ses-1_cam-1_frame-0007.png"
    assert [(one["id"], one["image_id"]) for one in document["annotations"]] == [(1, 0), (2, 7)]
    assert json.loads(right.read_text())["categories"][0]["id"] == 1


def test_a_clip_counts_its_images_from_0():
    rows = {"video": [0, 0], "frame": [12, 14], "track": [1, 1]}
    points = {"xy": [[[1, 2], [3, 4]], [[5, 6], [7, 8]]], "visibility": [[2, 2], [0, 1]]}
    poses = Dataset.of(two_mice().skeleton, (Video(name=NAME, width=20, height=10),), **rows, **points)
    found = posemark.labels(poses, 0, NAME, [12, 13, 14])
    assert [one["id"] for one in found["images"]] == [0, 1, 2]
    assert found["images"][2]["file_name"] == f"{NAME}_frame-0014"
    assert [one["image_id"] for one in found["annotations"]] == [0, 2]
    assert found["annotations"][1]["keypoints"] == [0, 0, 0, 7, 8, 1]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"file_name": "frame-12.png"}, "/images/0/file_name: expected a name such as sub-01"),
        ({"file_name": "sub-X_ses-1_cam-1_frame-00001.png"}, "images of several videos"),
        ({"id": 2300}, "image 2300 stands there twice"),
        ({"file_name": f"{NAME}_frame-02300.jpg"}, "frame 2300 is image"),
    ],
)
def test_what_contradicts_itself_is_refused_with_its_place(change, said, session):
    path = next(session.rglob("*_framelabels.json"))
    document = json.loads(path.read_text())
    document["images"][0] |= change
    path.write_text(json.dumps(document))
    with pytest.raises(FormatError, match=said):
        posemark.read(path)


def test_labels_of_one_frame_that_differ_are_refused(session):
    path = next(session.rglob("*_startlabels.json"))
    document = json.loads(path.read_text())
    document["annotations"][0]["keypoints"][0] = 400
    path.write_text(json.dumps(document))
    with pytest.raises(FormatError, match="frame 1500 twice, and differently"):
        posemark.read(session)


def test_names_are_those_of_sessions():
    assert session_names(["Ärger 1", "老鼠", "老鼠", NAME, NAME]) == [
        "sub-Arger1_ses-1_cam-1",
        "sub-video_ses-1_cam-1",
        "sub-video_ses-2_cam-1",
        NAME,
        "sub-subM708149ses20200317camtopdown_ses-2_cam-1",
    ]
