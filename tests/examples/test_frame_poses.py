"""Poses of a running service by the names of pictures."""

from __future__ import annotations

import numpy as np
import pytest

from examples.frame_poses import FramePoses, connected
from pose.synthetic import SceneSpec
from posetween import Client
from tests.conftest import render


@pytest.mark.parametrize("name", ["{}/frame_000020.jpg", "some/folder/{}/img020.png", "{}_0020.png"])
def test_a_picture_is_found_by_video_and_frame(name, poses, walker):
    found = poses.of(name.format(walker.path.stem))
    truth = walker.tracks[1]
    row = list(truth.frames).index(20)
    shown = truth.visibility[row] > 0
    assert (found.frame.tolist(), found.videos[0].tracks) == ([20], {int(found.track[0]): "anna"})
    assert found.human[0, shown].all()
    np.testing.assert_allclose(found.xy[0, shown], truth.xy[row][shown], atol=0.01)
    between = poses.of(f"{walker.path.stem}/frame_000010.jpg")
    assert between.machine.any()
    assert between.score[between.machine].max() < 1


def test_what_is_no_frame_of_the_project_has_no_poses(poses, walker):
    assert poses.of(f"{walker.path.stem}/frame_000045.jpg") is None
    assert poses.of("another/frame_000001.jpg") is None


def test_a_project_that_is_not_there_is_said(labelled, address, monkeypatch):
    with Client(address, labelled.key) as client, pytest.raises(LookupError, match="0 projects are called 'cats'"):
        FramePoses(client, "cats")
    monkeypatch.delenv("POSETWEEN_KEY", raising=False)
    with pytest.raises(LookupError, match="POSETWEEN_KEY"):
        connected("walks")


def test_retired_keypoints_stay_out(labelled, address, walker):
    project = labelled.http.get("/projects", params={"name": "walks"}).json()["items"][0]
    gone = walker.skeleton.keypoints[0]
    retire = {"skeleton": {**project["skeleton"], "retired": [gone]}}
    assert labelled.http.patch(f"/projects/{project['id']}", json=retire).is_success
    with Client(address, labelled.key) as client:
        poses = FramePoses(client, "walks")
        found = poses.of(f"{walker.path.stem}/frame_000020.jpg")
    back = {"skeleton": {**project["skeleton"], "retired": []}}
    assert labelled.http.patch(f"/projects/{project['id']}", json=back).is_success
    assert poses.skeleton.keypoints == found.skeleton.keypoints == walker.skeleton.keypoints[1:]
    assert found.xy.shape[1] == walker.skeleton.size - 1


@pytest.fixture
def films(walker, tmp_path):
    """Two videos of the same name."""
    made = []
    for seed, place in enumerate(("left", "right")):
        (tmp_path / place).mkdir()
        one = render(tmp_path / place, SceneSpec(seed=seed, num_frames=4, width=64, height=48))
        made.append(one.path.rename(one.path.with_name("Film 1.mp4")))
    return made


def test_a_file_that_two_videos_are_named_by_tells_neither(labelled, address, walker, films):
    project = labelled.project(walker.skeleton, "cameras")
    with Client(address, labelled.key) as client:
        poses = FramePoses(client, "cameras")
        assert labelled.upload(project, films[0])["slug"] == "film-1"
        assert poses.of("Film 1/frame_000003.jpg").videos[0].name == "film-1"
        assert labelled.upload(project, films[1])["slug"] == "film-1-2"
        poses = FramePoses(client, "cameras")
        assert poses.of("Film 1/frame_000003.jpg") is None
        assert poses.of("film-1/frame_000003.jpg").videos[0].name == "film-1"
        assert poses.of("film-1-2/frame_000003.jpg").videos[0].name == "film-1-2"


def test_a_video_that_is_still_being_counted_is_looked_for_again(labelled, address, walker, films):
    project = labelled.project(walker.skeleton, "waiting")
    with Client(address, labelled.key) as client:
        poses = FramePoses(client, "waiting")
        url = f"/projects/{project['id']}/videos"
        sent = labelled.http.post(url, params={"filename": "film.mp4"}, content=films[0].read_bytes())
        assert (sent.status_code, sent.json()["num_frames"]) == (201, None)
        assert poses.of("film/frame_000003.jpg") is None
        labelled.work()
        assert poses.of("film/frame_000003.jpg").videos[0].num_frames == 4
