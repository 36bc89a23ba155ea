"""Importing a file writes what people labelled, as one revision, and nothing that the file does not say."""

from __future__ import annotations

import json
from datetime import timedelta

import numpy as np
import pytest

from app import blobs, tables
from app.database import connect
from app.settings import Settings
from app.storage import open_storage
from app.trainings.dependence import dependence
from app.trainings.spans import Spans
from pose.skeleton import Skeleton

MOUSE = Skeleton(name="mouse", keypoints=("nose", "tail"), edges=((0, 1),))


class Lab:
    """A service with one kind of video: a new project and video for each ask."""

    def __init__(self, service, path):
        self.service = service
        self.path = path
        self.count = 0

    def video(self):
        self.count += 1
        return Video(self, self.service.project(MOUSE, f"project {self.count}"))


class Video:
    def __init__(self, lab, project):
        self.lab = lab
        self.http = lab.service.http
        self.project = project
        self.row = lab.service.upload(project, lab.path)
        self.url = f"/videos/{self.row['id']}"

    def send(self, document, key=None, match=None, **query):
        headers = {name: str(value) for name, value in (("Idempotency-Key", key), ("If-Match", match)) if value}
        return self.http.post(f"{self.url}/labels/import", params=query, json=document, headers=headers)

    def imported(self, document, **query):
        answer = self.send(document, **query)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def labels(self, layer="human", **query):
        found = self.http.get(f"{self.url}/labels", params={"layer": layer, **query}).json()["labels"]
        return {(label["frame_index"], label["track_id"]): label for label in found}

    def points(self, **query):
        return {place: label["keypoints"] for place, label in self.labels(**query).items()}

    def revision(self):
        return self.http.get(f"{self.url}/labels").json()["revision"]

    def tracks(self):
        return {track["id"]: track["name"] for track in self.http.get(f"{self.url}/tracks").json()["items"]}

    def export(self, include):
        body = {"include": include, "videos": [self.row["id"]]}
        job = self.lab.service.finished(self.http.post(f"/projects/{self.project['id']}/exports", json=body).json())
        return self.http.get(f"/exports/{job['result']['export_id']}/content").json()

    def propagate(self):
        job = self.http.post(f"{self.url}/propagations", json={"engine": "linear"}).json()
        return self.lab.service.finished(job)


@pytest.fixture(scope="module")
def lab(serving, walker, tmp_path_factory):
    return Lab(serving(Settings(data_dir=tmp_path_factory.mktemp("imports"), port=0)), walker.path)


@pytest.fixture
def video(lab):
    return lab.video()


def document(*poses, images=None, categories=None):
    """A file of poses: frame, first number of the keypoints, and more fields."""
    frames = sorted({frame for frame, _, _ in poses} | {*(images or ())})
    label = {"category_id": 1, "track_id": 1}
    return {
        "images": [{"id": n + 1, "file_name": f"cam1/{n:06d}.png", "frame_index": n} for n in frames],
        "annotations": [
            label | {"id": place, "image_id": frame + 1, "keypoints": [x, 50, 2, x + 9, 60, 1]} | fields
            for place, (frame, x, fields) in enumerate(poses, start=1)
        ],
        "categories": categories or [{"id": 1, "name": "mouse", "keypoints": list(MOUSE.keypoints)}],
    }


def pose(frame, x=60, **fields):
    return frame, x, fields


MACHINE = {"source": "pseudo", "score": 0.6, "keypoint_scores": [0.6, 0.5], "keypoint_radius90": [6, 7], "run_id": 1}


def test_ones_own_export_comes_back_as_the_labels_of_people(video):
    video.imported(document(pose(0), pose(20, 90)))
    video.propagate()
    exported = video.export(["human", "pseudo"])
    assert len(exported["annotations"]) == 45
    other = video.lab.video()
    answer = other.imported(exported)
    assert (answer["written"], answer["skipped"], answer["skipped_kinds"]) == (2, 43, {"pseudo": 43})
    assert "43 annotations are skipped, the first at /annotations/1: a machine's poses" in answer["warnings"]
    assert other.points() == video.points()
    assert other.points(layer="merged") == video.points()
    assert other.imported(exported)["written"] == 2
    assert other.export(["human"])["annotations"] == video.export(["human"])["annotations"]


def test_an_absent_point_of_a_subject_without_another_comes_back_from_an_export(video):
    other = video.lab.video()
    for one in (video, other):
        one.imported(document(pose(0), pose(20)))
    gone = [{"frame_index": frame, "track_id": 1, "absent": absent} for frame, absent in ((9, [1]), (12, True))]
    video.http.put(f"{video.url}/labels", json={"labels": gone})
    exported = video.export(["human"])
    frame = {image["id"]: image["frame_index"] for image in exported["images"]}
    assert sorted(frame.values()) == [0, 9, 12, 20]
    assert [frame[one["image_id"]] for one in exported["annotations"]] == [0, 20]
    assert other.imported(exported, mode="replace")["written"] == 4
    assert (other.labels()[9, 1]["absent"], other.labels()[12, 1]["absent"]) == ([1], True)
    assert other.points() == video.points()


def test_a_machines_poses_can_be_kept_as_a_run(video):
    answer = video.imported(document(pose(0), pose(1, 61, **MACHINE), pose(3, 63, **MACHINE)), pseudo="run")
    assert (answer["written"], answer["skipped"], answer["run_poses"]) == (1, 0, 2)
    shown = video.labels("merged")
    assert {place for place, label in shown.items() if any(v for *_, v in label["keypoints"])} == {
        (0, 1),
        (1, 1),
        (3, 1),
    }
    assert shown[0, 1]["source"] == "human"
    assert (shown[3, 1]["source"], shown[3, 1]["run_id"]) == ("pseudo", answer["run_id"])
    assert shown[3, 1]["keypoint_scores"] == [0.6, 0.5]
    assert shown[3, 1]["keypoint_radius90"] == [6, 7]
    run = video.http.get(f"/runs/{answer['run_id']}").json()
    assert (run["engine"], run["state"], run["start"], run["stop"]) == ("import", "succeeded", 1, 4)
    assert run["label_revision"] == answer["revision"] == 1
    video.lab.service.work()
    assert video.http.get(f"/runs/{answer['run_id']}").json()["packed"]
    assert video.labels("merged") == shown
    assert {a["source"] for a in video.export(["human", "pseudo"])["annotations"]} == {"human", "pseudo"}
    video.http.delete(f"/runs/{answer['run_id']}")
    assert set(video.labels("merged")) == {(0, 1)}


def test_a_file_of_a_machine_alone_is_a_run_and_no_revision(video):
    answer = video.imported(document(pose(1, **MACHINE), pose(15, 61, track_id=2, **MACHINE)), pseudo="run")
    assert (answer["revision"], answer["written"], answer["run_poses"], answer["tracks"]) == (0, 0, 2, [1, 2])
    assert video.revision() == 0
    assert video.labels() == {}


def test_a_file_of_a_machine_alone_labels_nothing_otherwise(video, refused, everything):
    before = everything(video.lab.service)
    problem = refused(video.send(document(pose(1, **MACHINE))), 422, "/annotations")
    assert "1 annotation is skipped, /annotations/0: a machine's pose" in problem["detail"]
    assert everything(video.lab.service) == before
    taken = video.imported(document(pose(1, **MACHINE)), pseudo="human")
    assert taken["warnings"] == ["1 pose of a machine taken for a person's, the first /annotations/0"]
    assert video.labels()[1, 1]["source"] == "human"


def test_nothing_is_learnt_from_an_imported_run_of_a_video_with_held_out_labels(video, lab):
    labels = document(*[pose(frame, 60 + frame) for frame in range(0, 45, 4)])
    video.imported(labels)
    answer = video.imported(document(*[pose(frame, **MACHINE) for frame in range(1, 9)]), pseudo="run")
    database = connect(lab.service.settings.database)
    with database.session(readonly=True) as session:
        run, row = session.get_one(tables.Run, answer["run_id"]), session.get_one(tables.Video, video.row["id"])
        held = Spans.from_json([{"video_id": row.id, "start": 0, "stop": 5}])
        assert dependence(session, run, row, held, np.array([0, 4])).wholly
        assert not dependence(session, run, row, Spans.from_json([]), np.array([], dtype=int)).wholly
    database.dispose()


def test_replace_makes_the_labels_of_the_files_frames_equal_to_the_file(video):
    first = document(pose(0), pose(0, 90, track_id=2), pose(10), pose(20), pose(30))
    video.imported(first)
    before = video.points()
    kept = document(pose(0, 61, keypoints=[61, 50, 2, 0, 0, 0]), images=[10])
    answer = video.imported(kept, mode="replace")
    assert (answer["written"], answer["removed"], answer["revision"]) == (1, 2, 2)
    after = video.points()
    assert set(after) == {(0, 1), (20, 1), (30, 1)}
    assert after[0, 1] == [[61, 50, 2], [0, 0, 0]]
    assert after[20, 1] == before[20, 1]
    assert video.points(revision=1) == before
    undone = video.http.post(f"{video.url}/labels/revisions/2/undo")
    assert undone.status_code == 200
    assert video.points() == before


def test_replace_with_an_empty_frame_takes_its_labels_back(video):
    video.imported(document(pose(0), pose(10)))
    answer = video.imported(document(images=[10, 12]), mode="replace")
    assert (answer["written"], answer["removed"], answer["tracks"]) == (0, 1, [])
    assert set(video.points()) == {(0, 1)}
    again = video.imported(document(images=[10, 12]), mode="replace")
    assert (again["removed"], again["revision"], video.revision()) == (0, 2, 2)


def test_add_leaves_what_the_file_does_not_say(video):
    video.imported(document(pose(0), pose(10)))
    video.imported(document(pose(0, 61, keypoints=[61, 50, 2, 0, 0, 0]), images=[10]))
    assert video.points()[0, 1] == [[61, 50, 2], [69, 60, 1]]
    assert set(video.points()) == {(0, 1), (10, 1)}


def test_who_is_absent_is_imported_and_replaced(video):
    given = document(pose(0), images=[10, 20])
    given["images"][1]["absent_tracks"] = [1]
    answer = video.imported(given)
    assert (answer["written"], answer["tracks"]) == (2, [1])
    assert video.labels()[10, 1]["absent"] is True
    assert (20, 1) not in video.labels()
    video.imported(document(pose(10)), mode="replace")
    assert "absent" not in video.labels()[10, 1]
    video.imported(given, mode="replace")
    assert video.labels()[10, 1]["absent"] is True
    gone = video.imported(document(images=[10]), mode="replace")
    assert gone["removed"] == 1
    assert set(video.labels()) == {(0, 1)}


def test_a_stale_replace_writes_nothing(video, refused):
    video.imported(document(pose(0)))
    video.imported(document(pose(10)))
    refused(video.send(document(pose(0, 70)), mode="replace", match=1), 412, "/if-match")
    assert video.revision() == 2


def test_a_machines_poses_of_an_import_that_fails_are_not_kept(video, refused):
    settings = video.lab.service.settings
    storage = open_storage(settings)
    video.imported(document(pose(0)))
    before = {sha256 for found in storage.objects(100) for sha256, *_ in found}
    refused(video.send(document(pose(0), pose(7, 123.75, **MACHINE)), pseudo="run", match=9), 412, "/if-match")
    database = connect(settings.database)
    blobs.discard(database, storage, older_than=-timedelta(minutes=1))
    database.dispose()
    assert {sha256 for found in storage.objects(100) for sha256, *_ in found} == before


@pytest.mark.parametrize(
    "query",
    [
        {},
        {"mode": "replace"},
        {"pseudo": "run"},
        {"frame_from": "file_name"},
        {"frame_pattern": "/([0-9]+)"},
        {"scale": "fit"},
    ],
)
def test_a_dry_run_answers_the_same_and_writes_nothing(video, everything, query):
    video.imported(document(pose(0), pose(7, 80, track_id=2)))
    given = document(pose(0, 61), pose(5, attributes={"x": 1}), pose(7, **MACHINE), pose(9, **MACHINE))
    given["images"][0] |= {"width": 320, "height": 240}
    before = everything(video.lab.service)
    dry = video.imported(given, dry_run=1, key="dry", **query)
    assert everything(video.lab.service) == before
    real = video.imported(given, **query)
    assert dry == real | {"revision": 1, "dry_run": True, "run_id": None}
    assert real["revision"] == 2
    assert dry["frames"]["first"][1] == {"file_name": "cam1/000005.png", "frame_index": 5}
    assert dry["frames"]["images"] == 4


def test_a_dry_run_names_the_tracks_that_would_be_made(video):
    by_category = document(
        pose(0),
        pose(3, category_id=2),
        categories=[
            {"id": n, "name": name, "keypoints": list(MOUSE.keypoints)} for n, name in ((1, "black"), (2, "white"))
        ],
    )
    for annotation in by_category["annotations"]:
        del annotation["track_id"]
    dry = video.imported(by_category, dry_run=True)
    assert (dry["tracks"], dry["identities"], video.tracks()) == ([1, 2], {"black": 1, "white": 2}, {})
    video.imported(by_category)
    assert video.tracks() == {1: "black", 2: "white"}
    assert set(video.points()) == {(0, 1), (3, 2)}


def identified(*said):
    """Poses on frames 0, 1, … of which attributes tell the subject."""
    given = document(*[pose(frame, attributes={"track_id": value}) for frame, value in enumerate(said)])
    for annotation in given["annotations"]:
        del annotation["track_id"]
    return given


def test_subjects_keep_their_tracks_from_file_to_file(video):
    assert video.imported(identified(0, 1, 0))["identities"] == {"track_id 0": 1, "track_id 1": 2}
    assert video.imported(identified(1, 1))["identities"] == {"track_id 1": 2}
    assert video.imported(identified("x", 0))["identities"] == {"track_id 0": 1, "x": 3}
    assert video.tracks() == {1: "track_id 0", 2: "track_id 1", 3: "x"}


def test_subjects_are_never_put_on_tracks_of_others(video):
    video.http.post(f"{video.url}/tracks", json={"name": "mine"})
    video.http.post(f"{video.url}/tracks", json={"name": "track_id 5"})
    answer = video.imported(identified(0, 5))
    assert answer["identities"] == {"track_id 0": 3, "track_id 5": 2}
    clash = video.imported(identified(2, 5))
    assert clash["identities"]["track_id 5"] == 2
    assert clash["identities"]["track_id 2"] not in (1, 2, 3)
    assert video.imported(identified(2, 5))["identities"] == clash["identities"]


def test_labels_at_another_size_are_refused_or_fitted(video, refused):
    given = document(pose(0, 120))
    given["images"][0] |= {"width": 640, "height": 480}
    problem = refused(video.send(given), 422, "/images/0/width")
    assert "scale=fit" in problem["detail"]
    answer = video.imported(given, scale="fit")
    assert "are scaled to the video's 320 x 240" in answer["warnings"][0]
    assert video.points()[0, 1] == [[59.75, 24.75, 2], [64.25, 29.75, 1]]


@pytest.mark.parametrize(
    ("query", "pointer", "location"),
    [
        ({"frame_from": "file_name", "frame_pattern": "([0-9]+)"}, "/images/0/file_name", "body"),
        ({"frame_from": "file_name", "frame_pattern": "frame([0-9]+)"}, "/images/0/file_name", "body"),
        ({"frame_pattern": "([0-9]+"}, "/frame_pattern", "query"),
        ({"frame_pattern": "([0-9]+)([0-9]+)"}, "/frame_pattern", "query"),
        ({"frame_pattern": "(x)" * 100}, "/frame_pattern", "query"),
        ({"frame_from": "field", "frame_pattern": "([0-9]+)"}, "/frame_pattern", "query"),
        ({"frame_from": "field", "frame_offset": "1"}, "/frame_offset", "query"),
        ({"frame_from": "name"}, "/frame_from", "query"),
        ({"frame_offset": "-1"}, "/frame_offset", "query"),
        ({"frame_offset": "4"}, "/images/0/file_name", "body"),
        ({"mode": "merge"}, "/mode", "query"),
        ({"scale": "2"}, "/scale", "query"),
        ({"pseudo": "keep"}, "/pseudo", "query"),
        ({"dry_run": "maybe"}, "/dry_run", "query"),
    ],
)
def test_a_wrong_query_is_named(lab, refused, query, pointer, location):
    if not hasattr(lab, "spare"):
        lab.spare = lab.video()
    problem = refused(lab.spare.send(document(pose(0)), **query), 422, pointer)
    assert {entry["location"] for entry in problem["errors"]} == {location}


def test_a_repeated_key_is_about_the_same_question(video, refused):
    first = video.imported(document(pose(0)), key="import once")
    assert video.imported(document(pose(0)), key="import once") == first
    refused(video.send(document(pose(0)), key="import once", mode="replace"), 422, "/idempotency-key")
    assert video.revision() == 1


def test_too_much_of_a_machine_for_one_run_is_refused(video, refused, monkeypatch, everything):
    monkeypatch.setattr("app.runs.imported.MAX_SEGMENTS", 1)
    before = everything(video.lab.service)
    given = document(pose(0, **MACHINE), pose(0, track_id=2, **MACHINE))
    problem = refused(video.send(given, pseudo="run"), 422, "/annotations")
    assert "too many for one run" in problem["detail"]
    assert everything(video.lab.service) == before


def test_foreign_annotations_are_counted(video):
    given = document(pose(0), pose(1, iscrowd=1), pose(2, keypoints=[]), pose(3, keypoints=None, bbox=[1, 1, 9, 9]))
    answer = video.imported(json.loads(json.dumps(given)))
    assert (answer["written"], answer["skipped"]) == (1, 3)
    assert answer["skipped_kinds"] == {"crowd": 1, "empty": 1, "box": 1}
    assert len(answer["warnings"]) == 3
