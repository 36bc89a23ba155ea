"""COCO files at the command line: what is odd about one is said, and what contradicts the video is refused."""

from __future__ import annotations

import json

import numpy as np
import pytest
import typer
from typer.testing import CliRunner

from cli.files import read_poses
from cli.options import UsageError
from cli.propagate import propagate
from cli.subjects import by_hand, read_subjects
from pose.formats.coco import Reading
from pose.video import VideoReader
from pose.video_writer import VideoWriter

FRAMES, WIDTH, HEIGHT = 30, 96, 64


class Files:
    def __init__(self, folder):
        self.folder = folder
        self.video = folder / "clip.mp4"
        with VideoWriter(self.video, 25, WIDTH, HEIGHT) as writer:
            for number in range(FRAMES):
                writer.write(np.full((HEIGHT, WIDTH, 3), 4 * number, dtype=np.uint8))

    def write(self, *annotations, size=(WIDTH, HEIGHT), indexed=True, name="poses.json"):
        """A file of annotations: frame, first coordinate and more fields of each."""
        frames = sorted({frame for frame, _, _ in annotations})
        images = [
            {"id": frame + 1, "file_name": f"clip/{frame:05d}.png", "width": size[0], "height": size[1]}
            | ({"frame_index": frame} if indexed else {})
            for frame in frames
        ]
        label = {"category_id": 1, "track_id": 1}
        listed = [
            label | {"id": place, "image_id": frame + 1, "keypoints": [x, 20, 2, x + 9, 30, 1]} | fields
            for place, (frame, x, fields) in enumerate(annotations, start=1)
        ]
        document = {
            "images": images,
            "annotations": listed,
            "categories": [{"id": 1, "name": "m", "keypoints": ["a", "b"]}],
        }
        path = self.folder / name
        path.write_text(json.dumps(document))
        return path


@pytest.fixture
def files(tmp_path):
    return Files(tmp_path)


def invoke(files, keyframes, *options):
    app = typer.Typer()
    app.command()(propagate)
    output = files.folder / "out.json"
    output.unlink(missing_ok=True)
    words = [files.video, keyframes, "-o", output, "--engine", "linear", *options]
    result = CliRunner().invoke(app, [str(word) for word in words])
    if result.exit_code:
        assert result.exit_code == 2, result.output
        assert not output.exists()
        return result, None
    made = json.loads(output.read_bytes())
    frame = {image["id"]: image["frame_index"] for image in made["images"]}
    human = {
        (frame[one["image_id"]], one["track_id"]): one["keypoints"]
        for one in made["annotations"]
        if one["source"] == "human"
    }
    return result, human


MACHINE = {"source": "pseudo", "score": 1.0, "keypoint_scores": [1.0, 1.0]}


def test_a_machines_poses_are_no_keyframes(files):
    keyframes = files.write((0, 40, {}), (5, 44, MACHINE), (9, 47, {"score": 0.4}), (10, 50, {"source": "human"}))
    result, human = invoke(files, keyframes)
    assert set(human) == {(0, 1), (10, 1)}
    assert "1 annotation is skipped, /annotations/1: a machine's pose" in result.stderr
    result, human = invoke(files, keyframes, "--pseudo", "human")
    assert set(human) == {(0, 1), (5, 1), (9, 1), (10, 1)}
    assert "2 poses of a machine taken for a person's" in result.stderr


def test_a_file_of_a_machine_alone_is_refused(files):
    result, _ = invoke(files, files.write((5, 44, MACHINE)))
    assert "no labelled point on any frame; 1 annotation is skipped, /annotations/0: a machine's pose" in result.stderr


def test_a_file_of_absences_alone_is_refused(files):
    path = files.write((5, 44, {"keypoints": []}))
    document = json.loads(path.read_text())
    document["images"][0]["absent_tracks"] = [1]
    path.write_text(json.dumps(document))
    result, _ = invoke(files, path)
    assert "no labelled point on any frame" in result.stderr


def test_absent_points_go_through_propagation_as_they_were(files):
    half = {"keypoints": [10, 10, 2, 0, 0, 0]}
    path = files.write((0, 40, {}), (5, 40, half), (12, 40, half), (29, 40, {}))
    given = json.loads(path.read_text())
    last = given["annotations"].pop()
    given["images"][1] |= {"absent_keypoints": [{"track_id": 1, "absent": [1]}]}
    given["images"][2] |= {"absent_keypoints": [{"track_id": 1, "absent": [0]}]}
    given["annotations"] = [given["annotations"][0], last]
    path.write_text(json.dumps(given))
    _, human = invoke(files, path)
    assert set(human) == {(0, 1), (29, 1)}
    made = json.loads((files.folder / "out.json").read_bytes())
    frame = {image["id"]: image["frame_index"] for image in made["images"]}
    absent = {frame[one["image_id"]]: one["absent"] for one in made["annotations"] if "absent" in one}
    assert absent == {5: [1], 12: [0]}
    # Where nothing else is known of the subject the image says it.
    given["images"][1]["absent_keypoints"] = given["images"][2]["absent_keypoints"] = []
    given["images"][1]["absent_tracks"], given["images"][2]["absent_tracks"] = [1], [1]
    given["images"].append({**given["images"][2], "id": 90, "file_name": "clip/00008.png", "frame_index": 8})
    del given["images"][-1]["absent_tracks"]
    given["images"][-1]["absent_keypoints"] = [{"track_id": 1, "absent": [1]}]
    path.write_text(json.dumps(given))
    invoke(files, path)
    made = json.loads((files.folder / "out.json").read_bytes())
    said = {image["frame_index"]: image["absent_keypoints"] for image in made["images"] if "absent_keypoints" in image}
    assert said == {8: [{"track_id": 1, "category_id": 1, "absent": [1]}]}


def test_another_size_is_refused_or_fitted(files):
    keyframes = files.write((0, 40, {}), size=(192, 128))
    result, _ = invoke(files, keyframes)
    assert "labelled on 192 x 128 pixels, but the video shows 96 x 64; --scale fit scales" in result.stderr
    result, human = invoke(files, keyframes, "--scale", "fit")
    assert human == {(0, 1): [19.75, 9.75, 2, 24.25, 14.75, 1]}
    assert "are scaled to the video's 96 x 64" in result.stderr


def test_frames_are_read_from_file_names(files):
    keyframes = files.write((0, 40, {}), (10, 50, {}), indexed=False)
    result, _ = invoke(files, keyframes)
    assert "--frame-from file_name reads it from the file name" in result.stderr
    result, human = invoke(files, keyframes, "--frame-from", "file_name")
    assert set(human) == {(0, 1), (10, 1)}
    assert "2 images by file name: clip/00000.png is frame 0, clip/00010.png is frame 10" in result.stderr
    assert set(invoke(files, keyframes, "--frame-pattern", "/([0-9]+)")[1]) == {(0, 1), (10, 1)}
    later = files.write((11, 50, {}), indexed=False)
    assert set(invoke(files, later, "--frame-offset", "1")[1]) == {(10, 1)}
    first = files.write((1, 9, {}), indexed=False, name="first.json")
    assert "--frame-offset 1 if they count from 1" in invoke(files, first, "--frame-from", "file_name")[0].stderr
    for pattern, sentence in (("(", "--frame-pattern: not a regular"), ("x(.)", "matches nothing in 'clip/00011.png'")):
        assert sentence in invoke(files, later, "--frame-pattern", pattern)[0].stderr


def test_foreign_annotations_and_odd_points_are_told_of(files):
    keyframes = files.write((0, 40, {}), (3, 0, {"keypoints": [], "bbox": [1, 1, 9, 9]}), (4, 5000, {}))
    result, human = invoke(files, keyframes)
    assert set(human) == {(0, 1), (4, 1)}
    assert "a box without keypoints" in result.stderr
    assert "2 points with v > 0 outside the video's 96 x 64 pixels, the first a (5000, 20)" in result.stderr


def test_subjects_by_attribute_are_tracks(files):
    said = [{"track_id": None, "attributes": {"track_id": number}} for number in (0, 0, 1)]
    keyframes = files.write(*[(frame, 40, fields) for frame, fields in zip((0, 10, 20), said, strict=True)])
    result, human = invoke(files, keyframes)
    assert set(human) == {(0, 1), (10, 1), (20, 2)}
    assert "tells the 2 subjects apart" in result.stderr


def test_a_machines_certain_point_is_still_a_machines(files):
    labels = files.write((0, 40, {}), (5, 44, MACHINE))
    skeleton, (subject,) = read_subjects([files.video, labels], pseudo_weight=0.25)
    np.testing.assert_allclose(subject.weight, [[1, 1], [0.25, 0.25]])
    (human,) = by_hand([subject])
    assert list(human.track.frames) == [0]
    _, (left,) = read_subjects([files.video, labels], skeleton, reading=Reading(machine="skip"))
    assert list(left.track.frames) == [0]


def test_absences_are_labels_of_people(files):
    labels = files.write((0, 40, {}), (5, 44, MACHINE), (9, 44, {"keypoints": [9, 9, 2, 0, 0, 0], "absent": [1]}))
    document = json.loads(labels.read_text())
    document["images"][1]["absent_tracks"] = [2]
    document["images"].append({**document["images"][0], "id": 90, "file_name": "clip/00012.png", "frame_index": 12})
    document["images"][-1]["absent_keypoints"] = [{"track_id": 1, "absent": [0]}]
    labels.write_text(json.dumps(document))
    _, (one, other) = read_subjects([files.video, labels], pseudo_weight=0.25)
    assert list(one.track.frames) == [0, 5, 9, 12]
    np.testing.assert_allclose(one.weight, [[1, 1], [0.25, 0.25], [1, 1], [1, 0]])
    np.testing.assert_array_equal(one.negative, [[0, 0], [0, 0], [0, 1], [1, 0]])
    np.testing.assert_array_equal(other.negative, [[1, 1]])
    human, absent = by_hand([one, other])
    assert list(human.track.frames) == [0, 9, 12]
    assert (human.labels, absent.labels, len(absent.track)) == (2, 0, 1)


def test_poses_to_look_around_may_be_a_machines(files):
    with VideoReader(files.video) as video:
        poses = read_poses(files.write((5, 44, MACHINE)), video)
        assert list(poses.tracks[1].frames) == [5]
        with pytest.raises(UsageError):
            read_poses(files.write((FRAMES, 44, {})), video)
