"""Radii as a basis reads them: alike wherever somebody looks, and for ever where somebody accepted or exported them."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from cachetools import LRUCache
from sqlalchemy import select

from app import blobs
from app.exports.build import build
from app.jobs.params import Computed, Fit
from app.labels.machines import Machine
from app.runs import basis as bases
from app.runs.keyframes import keyframes_of
from app.tables import Export, Job, Measurement, Run, Video
from pose.formats import hidden as files
from pose.track import blank
from posetween.poses import decode
from tests.app.runs.lab import FRAMES, Lab

DIAGONAL = float(np.hypot(320, 240))


class Reader(Lab):
    """Somebody who reads what was propagated."""

    def labels(self, **query):
        answer = self.http.get(f"{self.url}/labels", params={"layer": "merged", **query})
        assert answer.status_code == 200, answer.text
        self.etag = answer.headers["ETag"]
        return {one["frame_index"]: one for one in answer.json()["labels"]}

    def block(self, **query):
        return self.http.get(f"{self.url}/poses", params=query)

    def machine(self):
        """The poses on frames that nobody labelled."""
        return {frame: one for frame, one in self.labels().items() if frame not in FRAMES}

    def radii(self):
        return np.array([one["keypoint_radius90"] for one in self.machine().values()])

    def unmeasured(self):
        """Forget what was measured; gives what was there."""
        with self.database.session() as session:
            rows = session.scalars(select(Measurement).where(Measurement.video_id == self.number)).all()
            for row in rows:
                session.delete(row)
            return rows

    def harder(self, factor, engine="linear"):
        """Let the video have been measured again, with larger errors."""
        with self.database.session() as session:
            row = session.get_one(Measurement, (self.number, engine))
            known = files.decode(self.storage.get(row.sha256))
            worse = [replace(one, errors=replace(one.errors, error=factor * one.errors.error)) for one in known]
            stored = self.storage.put(files.encode(worse))
            blobs.record(session, self.storage, stored)
            row.sha256 = stored.sha256

    def reviewed(self, **body):
        answer = self.http.post(f"{self.url}/reviews", json={"start": 0, "stop": 45, "verdict": "accept", **body})
        assert answer.status_code == 201, answer.text
        return answer.json()

    def accepted(self):
        """Points that are accepted, by frame."""
        found = {}
        for frame, one in self.machine().items():
            sources = one.get("keypoint_sources") or [one["source"]] * len(one["keypoints"])
            found[frame] = [source == "accepted" for source in sources]
        return found

    def present(self):
        with self.database.session(readonly=True) as session:
            return bases.present(session, self.storage, session.get_one(Video, self.number))

    def export(self, **spec):
        job = self.http.post(f"/projects/{self.project['id']}/exports", json=spec).json()
        ended = self.service.finished(job)
        assert ended["state"] == "succeeded", ended
        return ended["result"]["export_id"]

    def content(self, number):
        return self.http.get(f"/exports/{number}/content").content


@pytest.fixture(scope="module")
def kind():
    return Reader


def test_windows_are_read_as_the_calibration_says_and_points_of_people_stay(lab):
    run = lab.run()
    read, named = lab.labels(), lab.present()
    assert lab.unmeasured()
    as_given = lab.labels()
    for frame in FRAMES:
        assert read[frame] == as_given[frame]
    with lab.database.session(readonly=True) as session:
        row, video = session.get_one(Run, run), session.get_one(Video, lab.number)
        keyframes = keyframes_of(session, session.get_one(Job, row.job_id), row, video)[1]
    calibration = named.engines["linear"]
    # The engine's own radii are what storage holds; the window shows them rounded.
    machine = [frame for frame in as_given if frame not in FRAMES]
    raw = np.array([as_given[frame]["keypoint_radius90"] for frame in machine])
    shown = np.array([read[frame]["keypoint_radius90"] for frame in machine])
    assert not np.allclose(raw, shown)
    poses = blank(np.array(machine), raw.shape[1])
    poses.visibility[:] = [[v for *_, v in as_given[frame]["keypoints"]] for frame in machine]
    poses.radius90[:] = raw
    told = calibration.apply(poses, keyframes, DIAGONAL)
    np.testing.assert_allclose(shown, told.radius90, rtol=0.02, atol=0.02)
    scores = np.array([read[frame]["keypoint_scores"] for frame in machine])
    np.testing.assert_allclose(scores, told.score, atol=0.02)
    assert ((scores >= 0) & (scores <= 1)).all()
    assert (shown[poses.visibility > 0] > 0).all()
    places = [[point[:2] for point in read[frame]["keypoints"]] for frame in machine]
    assert places == [[point[:2] for point in as_given[frame]["keypoints"]] for frame in machine]


def test_states_stand_beside_radii_with_the_keyframes_behind_them(lab):
    run = lab.run()
    between = lab.between(run)
    for one in lab.machine().values():
        assert (one["radius90_state"], one["radius90_keyframes"]) == ("provisional", between["keyframes"])
        assert "keypoint_radius90_states" not in one
    assert not any("radius90_state" in lab.labels()[frame] for frame in FRAMES)
    (first, *_) = lab.http.get(f"{lab.url}/review-queue").json()["items"]
    assert (first["radius90_state"], first["radius90_keyframes"]) == ("provisional", between["keyframes"])
    assert f"(provisional, by {between['keyframes']} hidden labels)" in first["reason"]
    lab.unmeasured()
    assert not any("radius90_state" in one for one in lab.labels().values())
    (first, *_) = lab.http.get(f"{lab.url}/review-queue").json()["items"]
    assert (first["radius90_state"], first["radius90_keyframes"]) == ("prior", 0)
    assert "hidden labels" not in first["reason"]


def test_with_one_hidden_keyframe_everything_stays_as_the_engine_gave_it(lab):
    lab.run(keyframes=[0, 16, 44])
    with lab.database.session(readonly=True) as session:
        row = session.get_one(Measurement, (lab.number, "linear"))
    # Of one keyframe with labels on both sides nothing follows; of those with labels on one side, more were hidden.
    states = {one["regime"]: (one["state"], one["keyframes"]) for one in lab.told(row.run_id)["regimes"]}
    assert states["between"] == ("prior", 1)
    read = lab.machine()
    lab.unmeasured()
    assert read == lab.machine()


def test_a_fitted_run_stays_as_it_is(lab):
    run = lab.run()
    calibrated = lab.radii()
    with lab.database.session() as session:
        fit = Fit(steps=2, planned=2, seconds=1.0, short_of_time=False)
        computed = Computed(device="cpu", precision="float32", threads=1, fit=fit)
        session.get_one(Run, run).computed = computed.to_row()
    as_given = lab.radii()
    assert not np.allclose(calibrated, as_given)
    lab.unmeasured()
    np.testing.assert_array_equal(lab.radii(), as_given)


def test_blocks_hold_what_windows_hold_and_their_tags_change_with_the_measurement(lab):
    lab.run()
    labels, answer = lab.labels(), lab.block(states=True)
    size, frames = lab.walker.skeleton.size, 45
    states = np.frombuffer(answer.content[-4 * frames * size :], "<u4").reshape(frames, size)
    assert answer.content[: -4 * frames * size] == lab.block().content
    poses, _ = decode(lab.block().content)
    for frame, one in labels.items():
        mine = poses.source[0, frame] == 3
        if one["source"] == "human":
            assert not states[frame].any()
            continue
        np.testing.assert_allclose(poses.radius90[0, frame][mine], np.array(one["keypoint_radius90"])[mine], atol=0.006)
        np.testing.assert_allclose(poses.score[0, frame][mine], np.array(one["keypoint_scores"])[mine], atol=6e-5)
        assert ((states[frame] > 0) == mine).all()
        assert {*states[frame][mine].tolist()} == {one["radius90_keyframes"] << 2 | 1}
    # A tag names the revision, so that it serves as If-Match, and what radii were read by.
    tag = answer.headers["ETag"]
    assert tag == lab.etag
    assert tag.startswith('"1-')
    lab.harder(4)
    assert lab.block().headers["ETag"] != tag
    assert lab.block(layer="human").headers["ETag"] == '"1"'
    label = lab.service.label(4, 1, lab.walker.tracks[1])
    for tag, status in ((lab.etag, 200), ('"1-zz"', 422), ('"-00000000"', 422), (lab.etag, 412)):
        answer = lab.http.put(f"{lab.url}/labels", json={"labels": [label]}, headers={"If-Match": tag})
        assert answer.status_code == status, answer.text


def test_timelines_curves_and_queues_read_alike(lab):
    lab.run()
    for _ in range(2):
        read = lab.machine()
        widest = {frame: max(one["keypoint_radius90"]) for frame, one in read.items()}
        least = {frame: min(one["keypoint_scores"]) for frame, one in read.items()}
        timeline = lab.http.get(f"{lab.url}/timeline").json()
        assert timeline["basis"] == lab.present().sha256
        (lane,) = timeline["lanes"]
        assert len(lane["score"]) == 45
        curve = lab.http.get(f"{lab.url}/curves", params={"track_id": 1}).json()
        for frame in read:
            assert lane["radius90"][frame] == pytest.approx(widest[frame], abs=0.011)
            assert lane["score"][frame] == pytest.approx(least[frame], abs=2e-4)
            assert curve["high"][frame] == pytest.approx(widest[frame], abs=0.011)
        queue = lab.http.get(f"{lab.url}/review-queue").json()["items"]
        assert [one["score"] for one in queue] == sorted(one["score"] for one in queue)
        for one in queue:
            assert one["score"] == pytest.approx(least[one["frame_index"]], abs=2e-4)
        tag = lab.http.get(f"{lab.url}/timeline").headers["ETag"]
        lab.harder(3)
        assert lab.http.get(f"{lab.url}/timeline").headers["ETag"] != tag


def test_what_was_accepted_stays_accepted_whatever_is_measured_later(lab):
    lab.run()
    before = lab.radii()
    bound = float(np.median(before))
    made = lab.reviewed(max_radius90=bound)
    assert made["basis"] == lab.present().sha256
    accepted = lab.accepted()
    points = np.array([*accepted.values()])
    assert 0 < points.sum() < points.size
    np.testing.assert_array_equal(points, before <= bound + 0.005)
    seen = lab.http.get(f"{lab.url}/timeline").json()["lanes"][0]["flags"]
    exported = lab.content(lab.export(include=["accepted"]))
    for factor in (20, 0.001):
        lab.harder(factor)
        assert not np.allclose(lab.radii(), before)
        assert lab.accepted() == accepted
        assert lab.http.get(f"{lab.url}/timeline").json()["lanes"][0]["flags"] == seen
        rows = json.loads(lab.content(lab.export(include=["accepted"])))["annotations"]
        first = json.loads(exported)["annotations"]
        assert [row["keypoints"] for row in rows] == [row["keypoints"] for row in first]
    lab.unmeasured()
    assert lab.accepted() == accepted


def test_reviews_from_before_anything_was_measured_go_by_the_engines_radii(lab):
    lab.run()
    rows = lab.unmeasured()
    given = lab.radii()
    made = lab.reviewed(max_radius90=float(np.median(given)))
    assert made["basis"] is None
    accepted = lab.accepted()
    with lab.database.session() as session:
        session.add_all(
            Measurement(
                video_id=row.video_id, engine=row.engine, run_id=row.run_id, keyframes=row.keyframes, sha256=row.sha256
            )
            for row in rows
        )
    assert not np.allclose(lab.radii(), given)
    assert lab.accepted() == accepted
    assert lab.http.get(f"{lab.url}/timeline").json()["lanes"][0]["flags"]


def test_an_export_names_its_basis_and_gives_the_same_bytes_for_ever(lab):
    lab.run()
    number = lab.export(include=["human", "pseudo"])
    content, about = lab.content(number), lab.http.get(f"/exports/{number}").json()
    named = lab.present()
    (video,) = about["snapshot"]["videos"]
    assert video["basis"] == named.sha256
    (told,) = about["manifest"]["radii"]
    assert (told["video_id"], told["basis"]) == (lab.number, named.sha256)
    assert told["engines"]["linear"]["between"] == {"state": "provisional", "keyframes": 4}
    read = lab.labels()
    document = json.loads(content)
    frames = {image["id"]: image["frame_index"] for image in document["images"]}
    for row in document["annotations"]:
        one = read[frames[row["image_id"]]]
        if row["source"] == "human":
            assert "keypoint_radius90_states" not in row
            continue
        known = np.array(row["keypoints"])[2::3] > 0
        np.testing.assert_allclose(np.array(row["keypoint_radius90"])[known], np.array(one["keypoint_radius90"])[known])
        assert {*row["keypoint_radius90_states"]} <= {"provisional", None}
    lab.harder(5)
    with lab.database.session(readonly=True) as session:
        row = session.get_one(Export, number)
    with lab.storage.scratch_file() as target:
        build(lab.database, lab.storage, row, Path(target), lambda done, total: None)
        assert Path(target).read_bytes() == content
    # Those asked for later are read by what is known later, and by that alone.
    assert lab.content(lab.export(include=["human", "pseudo"])) != content
    (human,) = lab.http.get(f"/exports/{lab.export(include=['human'])}").json()["snapshot"]["videos"]
    assert "basis" not in human


def test_a_manifest_tells_of_no_engine_whose_radii_are_as_it_gave_them(lab):
    run = lab.run()
    with lab.database.session() as session:
        job = session.get_one(Job, session.get_one(Run, run).job_id)
        job.params = {**job.params, "checkpoint_id": 7}
    about = lab.http.get(f"/exports/{lab.export(include=['human', 'pseudo'])}").json()
    assert about["snapshot"]["videos"][0]["basis"] == lab.present().sha256
    assert about["manifest"]["radii"] == []


def test_poses_are_read_once_where_a_review_was_made_by_the_same_basis(lab, monkeypatch):
    lab.run()
    lab.reviewed(max_radius90=float(np.median(lab.radii())))
    reads, read = [], Machine.read

    def noted(*what, **how):
        reads.append(what)
        return read(*what, **how)

    monkeypatch.setattr(Machine, "read", noted)
    lab.accepted()
    assert len(reads) == 1
    lab.harder(5)
    reads.clear()
    lab.accepted()
    assert len(reads) == 2


def test_a_measurement_of_another_video_of_the_project_is_heard_of(lab):
    lab.run()
    named, read = lab.present(), lab.radii()
    lab.run(lab.video())
    assert lab.present() != named
    assert lab.present().engines["linear"].told[0].videos == 1
    assert not np.array_equal(lab.radii(), read)


def test_a_measurement_that_cannot_be_read_leaves_radii_as_they_are(lab, monkeypatch):
    monkeypatch.setattr(bases, "_objects", LRUCache(8))  # other tests' videos are measured alike
    monkeypatch.setattr(bases, "_worked_out", LRUCache(8))
    lab.run(engine="flow")
    with lab.database.session(readonly=True) as session:
        sha256 = session.get_one(Measurement, (lab.number, "flow")).sha256
    data = lab.storage.get(sha256)
    lab.storage.discard(sha256)
    as_given = lab.radii()
    assert lab.present() is None
    lab.storage.put(data)
    assert lab.present() is not None
    assert not np.allclose(lab.radii(), as_given)
