"""A packed run reads as its segments do, shares what it has in common with others, and can be downloaded."""

from __future__ import annotations

import io
import json
import threading
import zipfile

import numpy as np
import pytest
import zarr
from sqlalchemy import delete, func, select
from typer.testing import CliRunner

from app import blobs
from app.database import connect
from app.runs import packing
from app.settings import Settings
from app.storage import open_storage
from app.tables import Job, JobSegment, Run, RunSlab
from cli.main import app
from pose.formats.slab import FRAMES
from pose.skeleton import Skeleton
from pose.video_writer import VideoWriter
from worker.loop import work

LENGTH = 2 * FRAMES + 200
KEYFRAMES = (0, 300, 1000, 1023, 1024, 1500, LENGTH - 1)


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    """A video in which nothing moves."""
    path = tmp_path_factory.mktemp("plain") / "plain.mp4"
    with VideoWriter(path, 30, 64, 48) as writer:
        for index in range(LENGTH):
            writer.write(np.full((48, 64, 3), index % 5, dtype=np.uint8))
    return path


class Lab:
    """A service with that video, and tracks labelled on some frames."""

    def __init__(self, serving, settings, path, tracks):
        self.service = serving(settings)
        self.http = self.service.http
        skeleton = Skeleton(name="three", keypoints=("a", "b", "c"), edges=((0, 1),))
        self.video = self.service.upload(self.service.project(skeleton), path)
        self.url = f"/videos/{self.video['id']}"
        for _ in range(tracks):
            self.service.track(self.video)
        self.label(dict.fromkeys(range(1, tracks + 1), KEYFRAMES))

    def label(self, frames):
        labels = [
            {"frame_index": frame, "track_id": number, "keypoints": [[frame % 50, number, 2], [9, 30.25, 1], [0, 0, 0]]}
            for number, wanted in frames.items()
            for frame in wanted
        ]
        assert self.http.put(f"{self.url}/labels", json={"labels": labels}).status_code == 200

    def ask(self, **body):
        return self.http.post(f"{self.url}/propagations", json={"engine": "linear", **body}).json()

    def run(self, **body):
        ended = self.service.finished(self.ask(**body))
        assert ended["state"] == "succeeded", ended
        return ended["result"]["run_id"]

    def window(self, start=0, stop=LENGTH, layer="pseudo"):
        answer = self.http.get(f"{self.url}/labels", params={"start": start, "stop": stop, "layer": layer})
        assert answer.status_code == 200, answer.text
        return answer.content

    def content(self, run_id):
        answer = self.http.get(f"/runs/{run_id}/content")
        assert answer.status_code == 200, answer.text
        return answer


@pytest.fixture
def database(lab):
    database = connect(lab.service.settings.database)
    yield database
    database.dispose()


@pytest.fixture(params=["folder", "bucket"])
def lab(request, serving, plain, tmp_path):
    """On SQLite with a folder, and on Postgres with a bucket."""
    options = {}
    if request.param == "bucket":
        options["storage_url"] = request.getfixturevalue("bucket")
        options["database_url"] = request.getfixturevalue("new_postgres")()
    return Lab(serving, Settings(data_dir=tmp_path / "data", port=0, **options), plain, 2)


def slabs(database, run_id):
    with database.session(readonly=True) as session:
        query = select(RunSlab).where(RunSlab.run_id == run_id).order_by(RunSlab.chunk, RunSlab.block)
        return {(row.chunk, row.block): row.sha256 for row in session.scalars(query)}


def unpack(database):
    with database.session() as session:
        session.execute(delete(RunSlab))


WINDOWS = ((0, LENGTH), (990, 1060), (FRAMES, 2 * FRAMES), (5, 6), (LENGTH - 3, LENGTH), (700, 1100))


def test_a_packed_run_reads_bit_for_bit_as_its_segments(lab, database):
    """Also where runs lie one over the other, cover different frames and tracks, and one is hidden."""
    runs = [lab.run(), lab.run(tracks=[2], start=500, stop=1400), lab.run(tracks=[1], start=1400), lab.run()]
    lab.http.delete(f"/runs/{runs[-1]}")
    assert all(lab.http.get(f"/runs/{run}").json()["packed"] for run in runs)
    packed = [lab.window(*window, layer) for window in WINDOWS for layer in ("pseudo", "merged")]
    unpack(database)
    assert not any(lab.http.get(f"/runs/{run}").json()["packed"] for run in runs)
    assert [lab.window(*window, layer) for window in WINDOWS for layer in ("pseudo", "merged")] == packed


def test_a_run_that_is_packed_in_part_reads_the_same(lab, database):
    run = lab.run()
    whole = [lab.window(*window) for window in WINDOWS]
    with database.session() as session:
        session.execute(delete(RunSlab).where(RunSlab.chunk == 1))
    assert [lab.window(*window) for window in WINDOWS] == whole
    assert lab.http.get(f"/runs/{run}").json()["packed"] is False
    assert lab.http.get(f"/runs/{run}/content").status_code == 409


def test_a_correction_makes_one_new_slab(lab, database):
    before = slabs(database, lab.run())
    lab.label({2: [1600]})
    after = slabs(database, lab.run())
    assert {place for place in after if after[place] != before[place]} == {(1, 0), (2, 0)}
    lab.label({1: [2]})
    again = slabs(database, lab.run())
    assert {place for place in again if again[place] != after[place]} == {(0, 0)}


def test_packing_again_makes_the_same_objects(lab, database):
    run = lab.run()
    first = slabs(database, run)
    unpack(database)
    with database.session() as session:
        for _ in range(2):
            packing.queue(session, lab.service.settings, session.get_one(Run, run))
    threads = [
        threading.Thread(target=work, args=(lab.service.settings, threading.Event()), kwargs={"until_idle": True})
        for _ in range(2)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert slabs(database, run) == first
    states = [job["state"] for job in lab.http.get("/jobs").json()["items"]]
    assert set(states) == {"succeeded"}


def test_slabs_are_kept_as_long_as_they_are_referred_to(lab, database):
    storage = open_storage(lab.service.settings)
    run = lab.run()
    digests = {*slabs(database, run).values()}
    with database.session(readonly=True) as session:
        assert digests <= {*session.scalars(blobs._referred())}
        assert digests <= {sha256 for found in storage.objects(100) for sha256, *_ in found}
    assert list(blobs.check(database, storage)) == []


def test_a_packed_run_counts_for_its_lab(lab, database):
    before = lab.http.get("/lab").json()["stored_bytes"]
    lab.run()
    once = lab.http.get("/lab").json()["stored_bytes"]
    assert once > before
    lab.run()
    assert lab.http.get("/lab").json()["stored_bytes"] == once


def test_the_download_is_a_zarr_group(lab, database, tmp_path):
    lab.label({2: [40]})
    run = lab.run(start=30, stop=2100)
    answer = lab.content(run)
    assert answer.headers["content-type"] == "application/zip"
    assert f"run-{run}.zarr.zip" in answer.headers["content-disposition"]
    again = lab.content(run)
    assert (again.content, again.headers["etag"]) == (answer.content, answer.headers["etag"])
    path = tmp_path / "run.zarr.zip"
    path.write_bytes(answer.content)
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        assert archive.testzip() is None
        archive.extractall(tmp_path / "run.zarr")
    assert zarr.open_group(tmp_path / "run.zarr", mode="r")["score"].shape == (2, LENGTH, 3)
    with zarr.storage.ZipStore(path, mode="r") as store:
        group = zarr.open_group(store, mode="r")
        about = dict(group.attrs)
        assert (about["tracks"], about["start"], about["stop"]) == ([1, 2], 30, 2100)
        assert about["keypoints"] == ["a", "b", "c"]
        assert about["run"]["id"] == run
        assert group["xy"].shape == (2, LENGTH, 3, 2)
        assert not group["visibility"][:, :30].any()
        assert not group["visibility"][:, 2100:].any()
        shown = json.loads(lab.window(900, 1100))["labels"]
        assert len(shown) == 400
        for label in shown:
            row, frame = about["tracks"].index(label["track_id"]), label["frame_index"]
            x, y, v = np.array(label["keypoints"]).T
            assert np.abs(group["xy"][row, frame] - np.stack([x, y], axis=1)).max() < 1e-4
            assert (group["visibility"][row, frame] == v).all()


def test_what_a_worker_that_was_killed_had_packed_is_kept(lab, database):
    """Another one makes the rest."""
    run = lab.run()
    whole = slabs(database, run)
    with database.session() as session:
        session.execute(delete(RunSlab).where(RunSlab.chunk > 0))
        packing.queue(session, lab.service.settings, session.get_one(Run, run))
    lab.service.work()
    assert slabs(database, run) == whole


def test_runs_of_before_an_upgrade_are_packed_when_asked_for(lab, database):
    runs = [lab.run(), lab.run(tracks=[1])]
    lab.http.post(f"/jobs/{lab.ask()['id']}/cancel")
    whole = [slabs(database, run) for run in runs]
    unpack(database)
    command = ["storage", "pack", "--database-url", lab.service.settings.database]
    assert CliRunner().invoke(app, command).output == "2 runs are going to be packed\n"
    assert CliRunner().invoke(app, command).output == "0 runs are going to be packed\n"
    lab.service.work()
    assert [slabs(database, run) for run in runs] == whole
    assert CliRunner().invoke(app, command).output == "0 runs are going to be packed\n"


def test_a_run_that_failed_is_not_packed(lab, database):
    job = lab.ask()
    lab.http.post(f"/jobs/{job['id']}/cancel")
    lab.service.work()
    with database.session(readonly=True) as session:
        assert session.scalar(select(func.count()).select_from(Job).where(Job.kind == packing.PACK)) == 0
    assert lab.http.get(f"/runs/{job['result']['run_id']}/content").status_code == 409


def test_many_tracks_take_several_slabs_of_the_same_frames(serving, plain, tmp_path):
    lab = Lab(serving, Settings(data_dir=tmp_path / "data", port=0), plain, 10)
    database = connect(lab.service.settings.database)
    run = lab.run(stop=600)
    assert {*slabs(database, run)} == {(0, 0), (0, 1)}
    packed = lab.window(550, 620)
    with database.session(readonly=True) as session:
        assert session.scalar(select(func.count()).select_from(JobSegment)) > 10
    unpack(database)
    assert lab.window(550, 620) == packed
    database.dispose()
