"""An estimate respects what people said to be absent, in what it stores as in what is read."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import zarr
import zarr.storage

from app.database import connect
from app.settings import Settings
from app.tables import JobSegment
from tests.services import needed

checkpoints = needed("models.estimators.checkpoints")
presets = needed("models.estimators.presets")

FRAMES = 45


class Lab:
    """A service with a person who was labelled on two frames, and an estimator that has learnt nothing yet."""

    def __init__(self, serving, walker, folder: Path, plant_checkpoint):
        self.folder = folder
        self.service = serving(Settings(data_dir=folder / "data", port=0))
        self.http = self.service.http
        self.project = self.service.project(walker.skeleton)
        video = self.service.upload(self.project, walker.path)
        self.service.track(video)
        self.url = f"/videos/{video['id']}"
        self.say(*(self.service.label(frame, 1, walker.tracks[1]) for frame in (2, 40)))
        size = presets.configure("single_frame", "tiny", walker.skeleton.size, height=64, width=64)
        network = presets.build("single_frame", size, pretrained=presets.RANDOM)
        path = folder / "random.safetensors"
        checkpoints.save(path, network, "single_frame", walker.skeleton, {})
        number = plant_checkpoint(
            self.service, self.project["id"], promoted=True, weights=path.read_bytes(), estimator="single_frame"
        )
        self.body = {"checkpoint_id": number}

    def say(self, *labels):
        answer = self.http.put(f"{self.url}/labels", json={"labels": labels})
        assert answer.status_code == 200, answer.text
        return answer.json()["revision"]

    def absent(self, **frames):
        """Say of frames what is absent."""
        return self.say(*({"frame_index": int(n[1:]), "track_id": 1, "absent": gone} for n, gone in frames.items()))

    def estimate(self):
        """A new run, and its job."""
        job = self.service.finished(self.http.post(f"{self.url}/estimates", json=self.body).json())
        assert job["state"] == "succeeded", job["error"]
        return job["result"]["run_id"], job["id"]

    def read(self):
        """Frames that have a machine's pose, of a subject and of its first keypoint."""
        labels = self.http.get(f"{self.url}/labels", params={"layer": "pseudo"}).json()["labels"]
        frames = [label["frame_index"] for label in labels]
        return frames, [label["frame_index"] for label in labels if label["keypoints"][0][2]]

    def stored(self, run):
        """The same of a run's file, which knows what was said when it was made."""
        answer = self.http.get(f"/runs/{run}/content")
        assert answer.status_code == 200, answer.text
        path = self.folder / f"{run}.zip"
        path.write_bytes(answer.content)
        with zarr.storage.ZipStore(path, mode="r") as store:
            visibility = zarr.open_group(store, mode="r")["visibility"][0] > 0
        return np.flatnonzero(visibility.any(axis=1)).tolist(), np.flatnonzero(visibility[:, 0]).tolist()


@pytest.fixture
def lab(serving, walker, tmp_path, plant_checkpoint):
    return Lab(serving, walker, tmp_path, plant_checkpoint)


def test_what_is_absent_is_in_no_estimate(lab):
    lab.absent(f10=True, f20=True, f30=[0])
    run, _ = lab.estimate()
    subject, first = [*range(10), *range(21, FRAMES)], [*range(10), *range(31, FRAMES)]
    assert lab.read() == lab.stored(run) == (subject, first)
    later = lab.absent(f42=True)
    assert lab.read() == (subject[:-3], first[:-3])
    assert lab.stored(run) == (subject, first)
    again, _ = lab.estimate()
    assert lab.stored(again) == (subject[:-3], first[:-3])
    # What a run was made without stays away, and what is said later does not: as in propagation.
    assert lab.http.post(f"{lab.url}/labels/revisions/{later}/undo").is_success
    assert lab.read() == (subject[:-3], first[:-3])
    lab.http.delete(f"/runs/{again}")
    assert lab.read() == (subject, first)


def test_scores_fall_towards_an_absence_as_in_propagation(lab):
    lab.absent(f10=True)
    lab.estimate()
    labels = lab.http.get(f"{lab.url}/labels", params={"layer": "pseudo"}).json()["labels"]
    score = {label["frame_index"]: label["score"] for label in labels}
    share = {frame: score[frame] / score[0] for frame in (1, 2, 4, 6, 8, 9, 11, 25, 40, 44)}
    wanted = {1: 1, 2: 1, 4: 0.75, 6: 0.5, 8: 0.25, 9: 0.125, 11: 1 / 30, 25: 0.5, 40: 1, 44: 1}
    assert share == pytest.approx(wanted, abs=0.01)


def test_the_same_absences_are_computed_once(lab):
    jobs = []
    for said in ({"f10": True}, {"f10": True}, {"f12": [1]}):
        lab.absent(**said)
        run, job = lab.estimate()
        jobs.append(job)
        lab.http.delete(f"/runs/{run}")  # its poses would tell the next one where to look
    database = connect(lab.service.settings.database)
    with database.session(readonly=True) as session:
        attempts = [session.query(JobSegment).filter_by(job_id=job).one().attempt for job in jobs]
    database.dispose()
    assert attempts == [1, 0, 1]


def test_who_is_said_to_be_nowhere_is_not_looked_for(lab, walker, plant_checkpoint):
    data = walker.path.read_bytes() + (16).to_bytes(4, "big") + b"free" + b"nobody.."
    video = lab.http.post(f"/projects/{lab.project['id']}/videos", content=data).json()
    lab.service.work()
    lab.url = f"/videos/{video['id']}"
    lab.service.track(video)
    lab.absent(f3=True)
    run, _ = lab.estimate()
    assert lab.read() == lab.stored(run) == ([], [])
