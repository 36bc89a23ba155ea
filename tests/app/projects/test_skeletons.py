"""A keypoint that was added by mistake goes away again: removed where it was never labelled, retired where it was."""

from __future__ import annotations

import numpy as np
import pytest

from app.database import connect
from app.jobs.params import TrainingParams
from app.settings import Settings
from app.storage import open_storage
from app.trainings import label_set
from pose.skeleton import Skeleton

SKELETON = {"name": "s", "keypoints": ["a", "b"], "edges": [[0, 1]], "swap": [[0, 1]]}
WITH_TYPO = {**SKELETON, "keypoints": ["a", "b", "typo"], "edges": [[0, 1], [1, 2]]}


class Lab:
    """A project of two keypoints, with a video that is labelled enough to train."""

    def __init__(self, service, path):
        self.service, self.http = service, service.http
        self.url = f"/projects/{self.http.post('/projects', json={'name': 'p', 'skeleton': SKELETON}).json()['id']}"
        self.video = service.upload({"id": int(self.url.split("/")[2])}, path)["id"]
        self.labels = f"/videos/{self.video}/labels"
        service.track({"id": self.video})
        assert self.label(2).is_success

    def label(self, size, frames=range(0, 45, 3), point=(50, 40)):
        labels = [
            {"frame_index": frame, "track_id": 1, "keypoints": [[point[0] + 9 * k, point[1], 2] for k in range(size)]}
            for frame in frames
        ]
        return self.http.put(self.labels, json={"labels": labels})

    def patch(self, **body):
        return self.http.patch(self.url, json=body)

    def coco(self, **spec):
        job = self.service.finished(self.http.post(f"{self.url}/exports", json=spec).json())
        return self.http.get(f"/exports/{job['result']['export_id']}/content").json()


@pytest.fixture
def lab(serving, walker, tmp_path):
    return Lab(serving(Settings(data_dir=tmp_path / "data", port=0)), walker.path)


def test_an_unlabelled_keypoint_is_removed_and_the_project_trains(lab, refused):
    assert lab.patch(skeleton=WITH_TYPO).json()["skeleton_version"] == 2
    problem = refused(lab.http.post(f"{lab.url}/trainings", json={}), 409)
    assert "typo is labelled on no frame" in problem["detail"]
    assert "retired" in problem["detail"]
    removed = lab.patch(skeleton=SKELETON)
    assert (removed.status_code, removed.json()["skeleton"]["keypoints"]) == (200, ["a", "b"])
    assert lab.http.post(f"{lab.url}/trainings", json={}).status_code == 202
    # Another one in the same place starts without labels.
    lab.label(2, [1])
    assert lab.patch(skeleton={**WITH_TYPO, "keypoints": ["a", "b", "c"]}).is_success
    shown = lab.http.get(lab.labels).json()["labels"]
    assert {tuple(label["keypoints"][2]) for label in shown} == {(0, 0, 0)}


def test_an_unlabelled_keypoint_is_retired_and_the_project_trains(lab):
    lab.patch(skeleton=WITH_TYPO)
    shown = lab.patch(retired=["typo"]).json()
    assert (shown["skeleton"]["keypoints"], shown["skeleton"]["retired"]) == (["a", "b", "typo"], ["typo"])
    assert lab.http.post(f"{lab.url}/trainings", json={}).status_code == 202


def test_what_was_ever_labelled_is_not_removed_but_retired_and_comes_back(lab, refused):
    lab.patch(skeleton=WITH_TYPO)
    before = lab.coco()
    assert lab.label(3, [0, 3]).is_success
    lab.http.delete(lab.labels, params={"frame_index": 0, "track_id": 1, "keypoint": 2})
    lab.http.delete(lab.labels, params={"frame_index": 3, "track_id": 1, "keypoint": 2})
    problem = refused(lab.patch(skeleton=SKELETON), 422, "/skeleton/keypoints")
    assert f"it was labelled, in video {lab.video}" in problem["detail"]
    assert lab.label(3, [6]).is_success
    labelled = lab.coco()
    assert lab.patch(skeleton={**WITH_TYPO, "retired": ["typo"]}).is_success
    retired = lab.coco()
    (category,) = retired["categories"]
    assert (category["keypoints"], category["skeleton"]) == (["a", "b"], [[1, 2]])
    assert {len(one["keypoints"]) for one in retired["annotations"]} == {6}
    assert retired["annotations"][0]["keypoints"] == before["annotations"][0]["keypoints"][:6]
    assert lab.coco() == retired
    # Named anew in place, and not said to be retired: it stays so.
    renamed = lab.patch(skeleton={**WITH_TYPO, "keypoints": ["a", "b", "error"]}).json()["skeleton"]
    assert renamed["retired"] == ["error"]
    lab.patch(skeleton=WITH_TYPO)
    assert lab.patch(retired=[]).json()["skeleton"]["retired"] == []
    assert lab.coco() == labelled


def test_what_is_retired_is_neither_learnt_nor_asked_for(lab):
    lab.patch(skeleton=WITH_TYPO)
    lab.label(3, range(0, 45, 3))
    lab.label(3, [1], point=(60, 50))
    lab.patch(retired=["a"])
    job = lab.http.post(f"{lab.url}/trainings", json={"include": ["human"]})
    assert job.status_code == 202, job.text
    database = connect(lab.service.settings.database)
    with database.session(readonly=True) as session:
        from app.tables import Job

        params = session.get_one(Job, job.json()["id"]).params
    found = label_set.read(
        database,
        open_storage(lab.service.settings),
        int(lab.url.split("/")[2]),
        TrainingParams.of(params),
        lambda: None,
    )
    database.dispose()
    assert found.skeleton.keypoints == ("b", "typo")
    assert found.skeleton.edges == ((0, 1),)
    assert found.skeleton.swap == ()
    for one in (*found.learnt, *found.held_out):
        assert one.poses.num_keypoints == 2
        assert np.array_equal(one.poses.xy[0, :, 0] - one.poses.xy[0, 0, 0], [0, 9])


def test_one_s_own_export_without_retired_keypoints_can_be_imported(lab):
    lab.patch(skeleton=WITH_TYPO)
    lab.label(3)
    lab.patch(retired=["typo"])
    coco = lab.coco()
    for mode in ("add", "replace"):
        answer = lab.http.post(f"{lab.labels}/import", params={"mode": mode}, json=coco)
        assert answer.is_success, answer.text
    lab.patch(retired=[])
    assert {label["keypoints"][2][2] for label in lab.http.get(lab.labels).json()["labels"]} == {2}


def test_a_keypoint_in_the_middle_of_what_is_labelled_can_only_be_retired(lab, refused):
    lab.patch(skeleton={**SKELETON, "keypoints": ["a", "b", "typo", "c"]})
    lab.label(4, [0])
    problem = refused(lab.patch(skeleton={**SKELETON, "keypoints": ["a", "b", "c"]}), 422, "/skeleton/keypoints")
    assert '{"retired": ["typo"]}' in problem["detail"]


def test_while_nothing_is_labelled_a_keypoint_is_removed_from_anywhere(lab):
    skeleton = {"name": "s", "keypoints": ["a", "typo", "b"], "edges": [[0, 2]]}
    url = f"/projects/{lab.http.post('/projects', json={'name': 'new', 'skeleton': skeleton}).json()['id']}"
    changed = lab.http.patch(url, json={"skeleton": SKELETON})
    assert (changed.status_code, changed.json()["skeleton"]["keypoints"]) == (200, ["a", "b"])


@pytest.mark.parametrize("retired", [["c"], ["a", "b"], ["a", "a"], [""]])
def test_names_that_cannot_be_retired(lab, refused, retired):
    refused(lab.patch(retired=retired), 422)
    assert lab.http.get(lab.url).json()["skeleton_version"] == 1


def test_runs_of_before_a_removal_are_read(lab):
    lab.patch(skeleton=WITH_TYPO)
    job = lab.http.post(f"/videos/{lab.video}/propagations", json={"engine": "linear"}).json()
    assert lab.service.finished(job)["state"] == "succeeded"
    assert lab.patch(skeleton=SKELETON).is_success
    merged = lab.http.get(lab.labels, params={"layer": "merged"}).json()["labels"]
    assert len(merged) == 45
    assert {len(label["keypoints"]) for label in merged} == {2}


def test_a_skeleton_without_its_retired_keypoints():
    skeleton = Skeleton(
        name="s",
        keypoints=("a", "b", "c", "d"),
        edges=((0, 1), (1, 2), (2, 3)),
        swap=((0, 1), (2, 3)),
        sigmas=(0.1, 0.2, 0.3, 0.4),
        retired=("b",),
    )
    assert skeleton.points.tolist() == [0, 2, 3]
    active = Skeleton(name="s", keypoints=("a", "c", "d"), edges=((1, 2),), swap=((1, 2),), sigmas=(0.1, 0.3, 0.4))
    assert skeleton.active() == active
    assert active.active() is active
