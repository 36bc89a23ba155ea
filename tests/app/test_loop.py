"""The whole loop over HTTP: a video and keyframes in, pseudo-labels and a COCO file out."""

from __future__ import annotations

import hashlib
import json

import pytest

from app.settings import Settings
from pose.formats.coco import check_coco, read_coco


@pytest.fixture
def service(serving, database_url, tmp_path):
    """One on each kind of database."""
    return serving(Settings(data_dir=tmp_path / "data", port=0, database_url=database_url))


@pytest.fixture
def labelled(service, walker):
    """A video with every tenth frame and the last labelled on one track."""
    video = service.upload(service.project(walker.skeleton), walker.path)
    track = service.track(video)
    frames = [*range(0, walker.num_frames, 10), walker.num_frames - 1]
    labels = [service.label(frame, track["id"], walker.tracks[1]) for frame in frames]
    answer = service.http.put(f"/videos/{video['id']}/labels", json={"labels": labels})
    assert answer.json() == {"revision": 1, "written": len(frames)}
    return video


def export(service, video, **spec):
    job = service.http.post(f"/projects/{video['project_id']}/exports", json=spec).json()
    return service.http.get(f"/exports/{service.finished(job)['result']['export_id']}/content").content


def test_keyframes_come_back_as_a_pose_on_every_frame(service, walker, labelled):
    assert labelled["status"] == "ready"
    assert labelled["num_frames"] == walker.num_frames
    job = service.http.post(f"/videos/{labelled['id']}/propagations", json={"engine": "flow"})
    assert job.status_code == 202
    assert service.finished(job.json())["state"] == "succeeded"

    data = export(service, labelled)
    assert not [finding for finding in check_coco(data) if finding.severity == "error"]
    poses = read_coco(data).tracks[1]
    truth = walker.tracks[1]
    assert list(poses.frames) == list(range(walker.num_frames))
    by_hand = {entry["id"] for entry in json.loads(data)["annotations"] if entry["source"] == "human"}
    assert len(by_hand) == 6
    for row in (0, 10, 20, 30, 40, walker.num_frames - 1):
        known = truth.visibility[row] > 0
        assert poses.xy[row][known] == pytest.approx(truth.xy[row][known], abs=0.006)


def test_human_labels_export_without_pseudo_labels(service, labelled):
    service.finished(service.http.post(f"/videos/{labelled['id']}/propagations", json={}).json())
    document = json.loads(export(service, labelled, include=["human"]))
    assert len(document["annotations"]) == 6
    assert {entry["source"] for entry in document["annotations"]} == {"human"}


def test_exporting_twice_gives_the_same_bytes(service, labelled):
    service.finished(service.http.post(f"/videos/{labelled['id']}/propagations", json={}).json())
    first, second = export(service, labelled), export(service, labelled)
    assert hashlib.sha256(first).digest() == hashlib.sha256(second).digest()


def test_propagating_again_reuses_segments_whose_keyframes_did_not_change(service, walker, labelled):
    url = f"/videos/{labelled['id']}"
    first = service.finished(service.http.post(f"{url}/propagations", json={}).json())
    service.http.put(f"{url}/labels", json={"labels": [service.label(15, 1, walker.tracks[1])]})
    second = service.finished(service.http.post(f"{url}/propagations", json={}).json())

    def digests(job):
        from app.database import connect
        from app.tables import JobSegment

        database = connect(service.settings.database)
        with database.session(readonly=True) as session:
            rows = session.query(JobSegment).filter_by(job_id=job["id"]).all()
        database.dispose()
        return {(row.start, row.stop): row.sha256 for row in rows}

    before, after = digests(first), digests(second)
    assert (10, 20) in before
    assert {(10, 15), (15, 20)} <= after.keys()
    assert all(after[span] == before[span] for span in before.keys() & after.keys())


def test_a_hidden_run_restores_the_previous_read(service, labelled):
    url = f"/videos/{labelled['id']}"
    before = service.http.get(f"{url}/labels", params={"layer": "merged"}).json()
    job = service.finished(service.http.post(f"{url}/propagations", json={}).json())
    filled = service.http.get(f"{url}/labels", params={"layer": "merged"}).json()
    assert len(filled["labels"]) > len(before["labels"])
    run = f"/runs/{job['result']['run_id']}"
    assert service.http.delete(run).status_code == 200
    assert service.http.get(f"{url}/labels", params={"layer": "merged"}).json() == before
    service.http.post(f"{run}/restore")
    assert service.http.get(f"{url}/labels", params={"layer": "merged"}).json() == filled


def test_fitting_to_the_video_is_on_the_record(service, labelled):
    service.settings = service.settings.model_copy(update={"adapt_steps": 2})
    url = f"/videos/{labelled['id']}/propagations"
    plain = service.finished(service.http.post(url, json={"engine": "stdpose"}).json())
    fitted = service.finished(service.http.post(url, json={"engine": "stdpose", "adapt": True}).json())
    assert (plain["state"], fitted["state"]) == ("succeeded", "succeeded"), fitted["error"]
    runs = [service.http.get(f"/runs/{job['result']['run_id']}").json() for job in (plain, fitted)]
    assert {run["engine"] for run in runs} == {"stdpose"}
    assert {len(run["checkpoint_sha256"]) for run in runs} == {64}
    assert "fit" not in runs[0]["computed"]
    for run in runs:
        assert run["computed"]["device"]
        assert run["computed"]["precision"] in ("fp32", "bf16")
        assert run["computed"]["threads"] >= 1
    fit = runs[1]["computed"]["fit"]
    assert fit["seconds"] > 0
    assert {name: fit[name] for name in ("steps", "planned", "short_of_time")} == {
        "steps": 2,
        "planned": 2,
        "short_of_time": False,
    }
    # Nothing is computed again, and the run says how it once was.
    again = service.finished(service.http.post(url, json={"engine": "stdpose", "adapt": True}).json())
    assert service.http.get(f"/runs/{again['result']['run_id']}").json()["computed"] == runs[1]["computed"]
    for job in (plain, fitted):
        assert job["remaining_seconds"] is None
