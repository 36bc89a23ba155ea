"""Trainings and estimates through the whole service, with a real network that trains for moments only."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from dataclasses import fields
from io import BytesIO
from typing import get_args
from zipfile import ZipFile

import numpy as np
import pytest

from app.database import connect
from app.jobs.params import TrainerSettings
from app.jobs.states import FINISHED
from app.settings import Settings
from app.storage import open_storage
from app.tables import JobSegment
from app.trainings import holdout
from app.trainings.schemas import Estimator, Preset, TrainingIn
from app.trainings.service import FEWEST_LEARNT
from pose.skeleton import Skeleton
from pose.video_writer import VideoWriter
from tests.services import needed

trainer = needed("models.training.train")
estimate = needed("models.estimators.predict")
promotion = needed("models.evaluation.promotion")
report = needed("models.evaluation.report")

pytestmark = pytest.mark.slow

FRAMES = 200
#: An epoch, and not a second: how good a candidate gets does not depend on the machine.
MOMENT = {"epochs": 1, "seed": 1}
QUICK = {"minutes": 0.02, "seed": 1}
HOPELESS = {"minutes": 0.01, "rate": 1e-12, "seed": 2}


def test_the_settings_of_a_training_are_those_of_the_trainer():
    config = {*TrainerSettings.__struct_fields__} - {"pretrained"}
    theirs = {field.name: field.default for field in fields(trainer.TrainConfig)}
    asked = TrainingIn().model_dump()
    assert config <= theirs.keys()
    same = {name for name in config if asked[name] is not None}
    assert {name: asked[name] for name in same} == {name: theirs[name] for name in same}
    assert config - same == {"estimator", "preset"}
    assert asked["backbone"] is None  # settled by the service
    presets = needed("models.estimators.presets")
    assert {*get_args(Estimator)} == {*presets.ESTIMATORS}
    assert {*get_args(Preset)} == {*presets.SIZES}
    assert trainer.FEWEST_LABELS == FEWEST_LEARNT
    bootstrap = needed("models.evaluation.bootstrap")
    assert promotion.FEWEST_POSES == holdout.GATE_POSES
    assert bootstrap.fewest_blocks(0.95) == holdout.GATE_STRETCHES
    assert bootstrap.BLOCK_FRAMES == holdout.STRETCH


class Discs:
    """A video of three discs of different colours that each go their own way: what a network learns in a moment."""

    SKELETON = Skeleton(name="discs", keypoints=("red", "green", "blue"))
    SIZE = np.array([160, 120])

    def __init__(self, path, seed, count):
        rng = np.random.default_rng(seed)
        times = np.arange(count)[:, None, None]
        waves = np.sin(times * rng.uniform(0.02, 0.1, (3, 2)) + rng.uniform(0, 6.28, (3, 2)))
        self.points = (0.5 + 0.4 * waves) * self.SIZE
        self.path = path
        grid = np.stack(np.meshgrid(*map(np.arange, self.SIZE)), axis=-1)
        with VideoWriter(path, 25, *self.SIZE.tolist()) as writer:
            for points in self.points:
                inside = [np.linalg.norm(grid - point, axis=-1) < 9 for point in points]
                writer.write(np.stack(inside, axis=-1).astype(np.uint8) * 200 + 30)

    def labels(self, frames):
        return [
            {"frame_index": frame, "track_id": 1, "keypoints": [[x, y, 2] for x, y in self.points[frame].tolist()]}
            for frame in frames
        ]


class Lab:
    """A service with a video that is labelled on every fourth frame, propagated, and one that nobody labelled."""

    def __init__(self, serving, folder, **options):
        settings = Settings(data_dir=folder / "data", port=0, **{"max_attempts": 1, **options})
        self.service = serving(settings)
        self.http = self.service.http
        self.project = self.service.project(Discs.SKELETON)
        shown, bare = Discs(folder / "discs-1.mp4", 1, FRAMES), Discs(folder / "discs-2.mp4", 2, 20)
        self.video, self.bare = (self.service.upload(self.project, one.path) for one in (shown, bare))
        self.service.track(self.video)
        labels = {"labels": shown.labels(range(0, FRAMES, 4))}
        assert self.http.put("/videos/1/labels", json=labels).status_code == 200
        self.run = self.propagate()

    @property
    def url(self):
        return f"/projects/{self.project['id']}"

    def propagate(self):
        return self.done(self.http.post("/videos/1/propagations", json={"engine": "linear"}))["result"]["run_id"]

    def done(self, answer):
        """The job of an answer, when it has succeeded."""
        assert answer.status_code == 202, answer.text
        ended = self.service.finished(answer.json())
        assert ended["state"] == "succeeded", ended["error"]
        return ended

    def train(self, **body):
        """A checkpoint of a new training, and its job."""
        ended = self.done(self.http.post(f"{self.url}/trainings", json=body or MOMENT))
        return self.http.get(f"/checkpoints/{ended['result']['checkpoint_id']}").json(), ended

    def promoted(self):
        listed = self.http.get(f"{self.url}/checkpoints").json()["items"]
        return [one["id"] for one in listed if one["promoted"]]


@pytest.fixture(scope="module")
def lab(serving, tmp_path_factory):
    return Lab(serving, tmp_path_factory.mktemp("lab"))


@pytest.fixture(scope="module")
def trained(lab):
    return lab.train(epochs=1)


@pytest.fixture(scope="module")
def hopeless(lab, trained):
    """A checkpoint that learnt nothing, while the trained one was the promoted one, and its job."""
    lab.http.post(f"/checkpoints/{trained[0]['id']}/promote")
    return lab.train(**HOPELESS)


def test_the_loop(lab, trained):
    """Label, propagate, train, estimate on another video."""
    checkpoint, job = trained
    assert job["result"]["epochs"] == checkpoint["epochs"]
    assert checkpoint["epochs"][0]["index"] == 0
    assert {"loss", "losses", "validation", "waiting", "seconds", "best"} <= checkpoint["epochs"][0].keys()
    assert 0 < checkpoint["metrics"]["overall"]["mean"] < 1
    pedigree = checkpoint["pedigree"]
    assert pedigree["videos"][0] == {
        "id": 1,
        "revision": 1,
        "runs": [lab.run],
        "reviews": 0,
        "sha256": lab.video["sha256"],
    }
    assert pedigree["labels"]["human"] + pedigree["labels"]["held_out"] == FRAMES // 4
    assert pedigree["labels"]["pseudo"] > pedigree["labels"]["human"]
    assert (pedigree["seed"], pedigree["parent"]) == (0, None)
    assert checkpoint["verdict"]["frames"] >= 10
    assert checkpoint["verdict"]["against"] is None
    assert checkpoint["files"] == ["loss.png", "recipe.json", "report.json", "report.md", "report.png"]
    for name in checkpoint["files"]:
        assert lab.http.get(f"/checkpoints/{checkpoint['id']}/files/{name}").content
    before = lab.http.get(f"/videos/{lab.bare['id']}/labels", params={"layer": "merged"}).json()
    assert before["labels"] == []
    url = f"/videos/{lab.bare['id']}/estimates"
    ended = lab.done(lab.http.post(url, json={"checkpoint_id": checkpoint["id"]}))
    run = lab.http.get(f"/runs/{ended['result']['run_id']}").json()
    assert (run["state"], run["segments"], run["segments_done"]) == ("succeeded", 1, 1)
    assert (run["checkpoint_id"], run["checkpoint_sha256"]) == (checkpoint["id"], checkpoint["sha256"])
    assert run["packed"]
    poses = lab.http.get(f"/videos/{lab.bare['id']}/labels", params={"layer": "merged"}).json()["labels"]
    assert [pose["frame_index"] for pose in poses] == list(range(20))
    assert {pose["source"] for pose in poses} == {"pseudo"}
    assert lab.http.get(f"/runs/{run['id']}/content").status_code == 200
    export = lab.done(lab.http.post(f"{lab.url}/exports", json={"videos": [lab.bare["id"]]}))
    sheet = lab.http.get(f"/exports/{export['result']['export_id']}/content").json()
    assert len(sheet["annotations"]) == 20
    assert {entry["run_id"] for entry in sheet["annotations"]} == {run["id"]}
    lab.http.delete(f"/runs/{run['id']}")
    assert lab.http.get(f"/videos/{lab.bare['id']}/labels", params={"layer": "merged"}).json() == before
    lab.http.post(f"/runs/{run['id']}/restore")


def test_estimating_again_around_the_same_poses_computes_nothing_anew(lab, trained):
    checkpoint, _ = trained
    body = {"checkpoint_id": checkpoint["id"], "start": 10, "stop": 30}
    jobs = []
    for _ in range(2):
        jobs.append(lab.done(lab.http.post("/videos/1/estimates", json=body)))
        shown = lab.http.get("/videos/1/labels", params={"start": 10, "stop": 30, "layer": "pseudo"}).json()["labels"]
        assert {label["run_id"] for label in shown} == {jobs[-1]["result"]["run_id"]}
        assert len(shown) == 20
        lab.http.delete(f"/runs/{jobs[-1]['result']['run_id']}")
    database = connect(lab.service.settings.database)
    with database.session(readonly=True) as session:
        first, second = (session.query(JobSegment).filter_by(job_id=job["id"]).one() for job in jobs)
    database.dispose()
    assert (first.sha256, first.attempt) == (second.sha256, 1)
    assert second.attempt == 0


def test_the_promoted_checkpoint_helps_to_propagate(lab, trained):
    """Discs on waves between labels 40 frames apart: an estimator that learnt them sees what interpolation cannot."""
    checkpoint, _ = trained
    lab.http.post(f"/checkpoints/{checkpoint['id']}/promote")
    asked = {"engine": "stdpose", "keyframes": [0, 40]}
    runs = {}
    for name, wish in (("alone", {"detector": "none"}), ("promoted", {}), ("named", {"detector": checkpoint["id"]})):
        body = {**asked, "start": 0, "stop": 41, **wish}
        ended = lab.done(lab.http.post("/videos/1/propagations", json=body))
        runs[name] = lab.http.get(f"/runs/{ended['result']['run_id']}").json()
    numbers = {name: run["checkpoint_id"] for name, run in runs.items()}
    assert numbers == {"alone": None, "promoted": checkpoint["id"], "named": checkpoint["id"]}
    poses = {}
    for name, run in runs.items():
        with ZipFile(BytesIO(lab.http.get(f"/runs/{run['id']}/content").content)) as archive:
            poses[name] = sorted((entry, archive.read(entry)) for entry in archive.namelist() if "xy/c" in entry)
    assert poses["promoted"] == poses["named"] != poses["alone"]
    for run in runs.values():
        lab.http.delete(f"/runs/{run['id']}")
    refused = lab.http.post("/videos/1/propagations", json={"engine": "linear", "detector": checkpoint["id"]})
    assert (refused.status_code, refused.json()["errors"][0]["pointer"]) == (422, "/detector")


def test_a_worse_candidate_is_kept_and_not_promoted(lab, trained, hopeless):
    good, _ = trained
    bad, job = hopeless
    assert bad["metrics"]["overall"]["mean"] > good["metrics"]["overall"]["mean"]
    assert not bad["promoted"]
    assert (bad["verdict"]["promoted"], bad["verdict"]["against"]) == (False, good["id"])
    assert bad["verdict"]["reason"].startswith("Not promoted: ")
    assert bad["verdict"]["gain"] < 0
    assert job["result"]["verdict"] == bad["verdict"]
    assert lab.promoted() == [good["id"]]
    started = lab.http.post(f"/videos/{lab.bare['id']}/estimates", json={}).json()
    assert started["result"]["checkpoint_id"] == good["id"]
    lab.http.post(f"/jobs/{started['id']}/cancel")


def test_a_better_candidate_takes_over(lab, trained, hopeless):
    (good, _), (bad, _) = trained, hopeless
    lab.http.post(f"/checkpoints/{bad['id']}/promote")
    better, _ = lab.train(base_checkpoint_id=good["id"], epochs=1)
    assert better["verdict"]["promoted"], better["verdict"]
    assert (better["verdict"]["against"], better["parent_id"]) == (bad["id"], good["id"])
    assert better["verdict"]["low"] > 0
    assert lab.promoted() == [better["id"]]
    entry = lab.http.get("/audit", params={"kind": "checkpoint.promote"}).json()["items"][0]
    assert entry["details"] == {"checkpoint_id": better["id"], "gate": True}
    assert (entry["key_id"], entry["via"]) == (1, "key")


def test_a_training_begins_with_a_backbone_of_the_worker(lab):
    transformers = needed("transformers")
    body = {**QUICK, "estimator": "single_frame", "backbone": "resnet-of-the-lab"}
    ended = lab.service.finished(lab.http.post(f"{lab.url}/trainings", json=body).json())
    assert ended["state"] == "failed"
    assert "this worker has no backbone resnet-of-the-lab" in ended["error"]
    sizes = {"embedding_size": 8, "hidden_sizes": [8, 8, 16, 16], "depths": [1, 1, 1, 1], "layer_type": "basic"}
    network = transformers.ResNetModel(transformers.ResNetConfig(**sizes))
    network.save_pretrained(lab.service.settings.backbones / "resnet-of-the-lab")
    checkpoint, _ = lab.train(**body)
    assert checkpoint["pedigree"]["config"]["pretrained"] == "resnet-of-the-lab"
    recipe = lab.http.get(f"/checkpoints/{checkpoint['id']}/files/recipe.json").text
    assert str(lab.service.settings.data_dir) not in recipe
    body = {"checkpoint_id": checkpoint["id"]}
    assert lab.done(lab.http.post(f"/videos/{lab.bare['id']}/estimates", json=body))


def test_weights_that_are_none(lab, trained):
    """A checkpoint whose file was damaged, and one whose file is gone: a sentence, and nothing half-done."""
    checkpoint, _ = lab.train()
    path = open_storage(lab.service.settings).file(checkpoint["sha256"])
    whole = path.read_bytes()
    url, body = f"/videos/{lab.bare['id']}/estimates", {"checkpoint_id": checkpoint["id"]}
    for content, sentence in ((whole[:999], "is damaged"), (b"cos\nsystem\n", "is damaged"), (None, "missing")):
        path.unlink(missing_ok=True)
        if content is not None:
            path.write_bytes(content)
        ended = lab.service.finished(lab.http.post(url, json=body).json())
        assert ended["state"] == "failed"
        assert sentence in ended["error"]
        assert (checkpoint["sha256"] if content else f"checkpoint {checkpoint['id']}") in ended["error"]
        assert lab.http.get(f"/runs/{ended['result']['run_id']}").json()["segments_done"] == 0
    path.write_bytes(whole)


def test_a_video_that_disappeared(serving, tmp_path):
    lab = Lab(serving, tmp_path)
    answer = lab.http.post(f"{lab.url}/trainings", json=MOMENT).json()
    proxy = lab.http.get("/videos/1/content").content
    for path in (lab.service.settings.data_dir / "storage").rglob("*"):
        if path.is_file() and path.read_bytes() == proxy:
            path.unlink()
    ended = lab.service.finished(answer)
    assert ended["state"] == "failed"
    assert "the file of video 1 is missing" in ended["error"]
    assert lab.http.get(f"{lab.url}/checkpoints").json()["items"] == []


class Worker:
    """A worker process of its own."""

    def __init__(self, lab):
        folder = str(lab.service.settings.data_dir)
        command = [sys.executable, "-m", "cli.main", "worker", "--data-dir", folder]
        environment = {**os.environ, "POSETWEEN_LEASE_SECONDS": "3", "POSETWEEN_POLL_SECONDS": "0.1"}
        self.process = subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL)

    def end(self):
        self.process.kill()
        self.process.wait()


def test_a_killed_worker_s_next_attempt_goes_on_and_a_cancelled_one_leaves_nothing(serving, tmp_path, wait):
    lab = Lab(serving, tmp_path, lease_seconds=3, max_attempts=3)
    body = {"estimator": "single_frame", "epochs": 500, "patience": 0}  # whose epochs are short
    job = lab.http.post(f"{lab.url}/trainings", json=body).json()

    def shown():
        return lab.http.get(f"/jobs/{job['id']}").json()

    def epochs():
        return (shown()["result"] or {}).get("epochs", [])

    first = Worker(lab)
    wait(lambda: len(epochs()) >= 1, 300, pause=0.03)
    first.process.send_signal(signal.SIGKILL)
    first.end()
    left = epochs()
    folder = lab.service.settings.scratch_dir / "trainings" / str(job["id"])
    assert (folder / "state.safetensors").exists()
    second = Worker(lab)
    try:
        wait(lambda: len(epochs()) > len(left), 300, pause=0.03)
        assert shown()["attempt"] == 2
        assert epochs()[: len(left)] == left
        assert [row["index"] for row in epochs()] == list(range(len(epochs())))
        lab.http.post(f"/jobs/{job['id']}/cancel")
        ended = wait(lambda: (now := shown())["state"] in FINISHED and now, 300, pause=0.03)
    finally:
        second.end()
    assert ended["state"] == "cancelled"
    assert lab.http.get(f"{lab.url}/checkpoints").json()["items"] == []
    assert not folder.exists()
