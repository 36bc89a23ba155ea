"""Trainings that cannot be done as asked are refused at once, as far as that can be known."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from app.storage import open_storage
from app.tables import HeldOut, Job

BAD = [
    ({"estimator": "magic"}, "/estimator"),
    ({"preset": "giant"}, "/preset"),
    ({"backbone": "../../etc"}, "/backbone"),
    ({"backbone": ""}, "/backbone"),
    ({"epochs": 0}, "/epochs"),
    ({"epochs": 1.5}, "/epochs"),
    ({"batch": 0}, "/batch"),
    ({"rate": 0}, "/rate"),
    ({"rate": "fast"}, "/rate"),
    ({"seed": -1}, "/seed"),
    ({"seed": 2**40}, "/seed"),
    ({"minutes": -1}, "/minutes"),
    ({"patience": -1}, "/patience"),
    ({"include": []}, "/include"),
    ({"include": ["ghosts"]}, "/include/0"),
    ({"pseudo_weight": 1.1}, "/pseudo_weight"),
    ({"pseudo_weight": -0.1}, "/pseudo_weight"),
    ({"videos": []}, "/videos"),
    ({"videos": [1, 99]}, "/videos/1"),
    ({"base_checkpoint_id": 99}, "/base_checkpoint_id"),
    ({"base_checkpoint_id": 0}, "/base_checkpoint_id"),
    ({"device": "cuda"}, "/device"),
]


@pytest.mark.parametrize(("body", "pointer"), BAD)
def test_what_cannot_be_trained(house, refused, everything, body, pointer):
    before = everything(house.service)
    refused(house.http.post(f"/projects/{house.project['id']}/trainings", json=body), 422, pointer)
    assert everything(house.service) == before


def test_too_few_labels_are_told_at_once(house, refused, everything):
    before = everything(house.service)
    problem = refused(house.http.post(f"/projects/{house.project['id']}/trainings", json={}), 409)
    assert "needs 5 labelled poses" in problem["detail"]
    assert "there are 3" in problem["detail"]
    assert everything(house.service) == before


def test_too_few_to_learn_from_without_pseudo_labels(labelled, refused):
    project = labelled(range(0, 45, 5))
    problem = refused(project.train(), 409)
    assert "at least 8" in problem["detail"]
    assert "propagate" in problem["detail"]
    project.propagate()
    assert project.train().status_code == 202
    refused(project.train(include=["human"]), 409)


def test_a_keypoint_that_nobody_labelled_is_named(project, refused, walker):
    names = walker.skeleton.keypoints
    skeleton = project.http.get(project.url).json()["skeleton"]
    skeleton["keypoints"] += ["tail", "fin"]
    assert project.http.patch(project.url, json={"skeleton": skeleton}).status_code == 200
    problem = refused(project.train(), 409)
    assert "tail, fin are labelled on no frame" in problem["detail"]
    assert names[0] not in problem["detail"]


def test_a_training_knows_what_was_there_when_it_was_asked_for(project):
    run = project.propagate()
    params = project.params(epochs=2, seed=5, estimator="cmpose", pseudo_weight=0.5)
    assert params["config"] == {
        "estimator": "cmpose",
        "preset": "tiny",
        "pretrained": "shipped",
        "epochs": 2,
        "batch": 16,
        "rate": 1e-3,
        "seed": 5,
        "minutes": 0,
        "patience": 8,
    }
    assert params["snapshot"] == {
        "skeleton_version": 1,
        "videos": [{"id": 1, "revision": 1, "runs": [run], "reviews": 0}],
    }
    assert params["include"] == ["accepted", "human", "pseudo"]
    assert params["pseudo_weight"] == 0.5
    assert params["base_checkpoint_id"] is None
    assert params["by"] == {"key_id": 1, "session_id": None}
    answer = project.train().json()
    labels = answer["result"]["labels"]
    assert (answer["kind"], answer["state"], answer["video_id"]) == ("train", "queued", None)
    assert labels["human"] + labels["held_out"] == 12


def test_what_is_held_out_stays_so_for_later_trainings(project, walker):
    first = project.params(seed=1)["held_out"]
    assert first
    assert project.params(seed=2)["held_out"] == first
    project.label([project.service.label(frame, 1, walker.tracks[1]) for frame in range(45)])
    later = project.params(seed=3)["held_out"]
    assert [span for span in later if span in first] == first
    assert len(later) > len(first)
    with project.database.session(readonly=True) as session:
        rows = session.query(HeldOut).all()
        assert sorted([row.video_id, row.start, row.stop] for row in rows) == later
        assert {session.get_one(Job, row.job_id).kind for row in rows} == {"train"}


def test_trainings_that_are_asked_for_at_the_same_time_hold_out_the_same(labelled, database_url):
    project = labelled(database_url=database_url)
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda seed: project.train(seed=seed), range(4)))
    assert {answer.status_code for answer in answers} == {202}
    with project.database.session(readonly=True) as session:
        held = [session.get_one(Job, answer.json()["id"]).params["held_out"] for answer in answers]
        assert held[0]
        assert all(spans == held[0] for spans in held)
        assert session.query(HeldOut).count() == len(held[0])


def test_a_training_that_is_refused_holds_nothing_out(labelled, refused):
    project = labelled(range(0, 45, 5))
    refused(project.train(), 409)
    with project.database.session(readonly=True) as session:
        assert session.query(HeldOut).count() == 0


def test_asking_twice_with_the_same_key_starts_one_training(project, refused):
    send = {"json": {"epochs": 3}, "headers": {"Idempotency-Key": "train once"}}
    first, again = (project.http.post(f"{project.url}/trainings", **send) for _ in range(2))
    assert first.status_code == again.status_code == 202
    assert first.json() == again.json()
    refused(project.http.post(f"{project.url}/trainings", **{**send, "json": {}}), 422, "/idempotency-key")


def test_trainings_and_estimates_count_as_waiting_jobs(labelled, plant_checkpoint, refused):
    project = labelled(max_queued_jobs=2)
    plant_checkpoint(project.service, project.video["project_id"], promoted=True)
    assert project.train().status_code == 202
    url = f"/videos/{project.video['id']}/estimates"
    assert project.http.post(url, json={}).status_code == 202
    refused(project.train(), 429)
    refused(project.http.post(url, json={}), 429)


def test_going_on_from_a_checkpoint_takes_its_estimator_and_size(project, plant_checkpoint):
    number = plant_checkpoint(project.service, project.video["project_id"], estimator="jmpose", preset="small")
    params = project.params(base_checkpoint_id=number)
    assert params["base_checkpoint_id"] == number
    assert (params["config"]["estimator"], params["config"]["preset"]) == ("jmpose", "small")
    assert project.params(base_checkpoint_id=number, estimator="cmpose")["config"]["estimator"] == "cmpose"


@pytest.mark.parametrize(
    ("body", "pretrained"),
    [
        ({"preset": "base"}, "base"),
        ({"preset": "base", "backbone": "random"}, "random"),
        ({"backbone": "dinov2-small"}, "dinov2-small"),
    ],
)
def test_a_training_begins_with_the_backbone_of_its_preset_or_a_named_one(project, body, pretrained):
    assert project.params(**body)["config"]["pretrained"] == pretrained


def test_a_backbone_that_cannot_be_begun_with_is_refused(project, plant_checkpoint, refused):
    refused(project.train(preset="base", backbone="shipped"), 422, "/backbone")
    number = plant_checkpoint(project.service, project.video["project_id"], preset="small")
    refused(project.train(base_checkpoint_id=number, backbone="small"), 422, "/backbone")
    assert project.params(base_checkpoint_id=number)["config"]["pretrained"] == "shipped"


def test_a_checkpoint_of_another_size_or_skeleton_is_refused(project, plant_checkpoint, refused, walker, pair):
    number = plant_checkpoint(project.service, project.video["project_id"], estimator="jmpose", preset="small")
    refused(project.train(base_checkpoint_id=number, preset="tiny"), 422, "/preset")
    flies = project.service.project(pair.skeleton, "flies")
    other = plant_checkpoint(project.service, flies["id"])
    problem = refused(project.train(base_checkpoint_id=other), 422, "/base_checkpoint_id")
    assert pair.skeleton.keypoints[0] in problem["detail"]
    walkers = project.service.project(walker.skeleton, "more walkers")
    assert project.train(base_checkpoint_id=plant_checkpoint(project.service, walkers["id"])).status_code == 202


def test_videos_of_the_project_that_are_not_named_are_left_alone(project, pair, refused):
    other = project.service.project(pair.skeleton, "other")
    foreign = project.service.upload(other, pair.path)
    refused(project.train(videos=[project.video["id"], foreign["id"]]), 422, "/videos/1")
    more = project.service.upload(project.http.get(project.url).json(), pair.path)
    assert [part["id"] for part in project.params()["snapshot"]["videos"]] == [project.video["id"], more["id"]]
    named = project.params(videos=[project.video["id"]])
    assert [part["id"] for part in named["snapshot"]["videos"]] == [project.video["id"]]


def test_a_lab_s_checkpoints_take_its_room(project, plant_checkpoint):
    before = project.http.get("/lab").json()["stored_bytes"]
    number = plant_checkpoint(project.service, project.video["project_id"])
    storage = open_storage(project.service.settings)
    shown = project.http.get(f"/checkpoints/{number}").json()
    files = [project.http.get(f"/checkpoints/{number}/files/{name}").content for name in shown["files"]]
    added = len(storage.get(shown["sha256"])) + sum(map(len, files))
    assert project.http.get("/lab").json()["stored_bytes"] - before == added
