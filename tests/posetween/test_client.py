"""The client against a real service."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import numpy as np
import pytest

from posetween import ApiError, Client, JobError, uploads
from posetween.connection import Connection
from posetween.poses import HUMAN, PSEUDO


@pytest.fixture
def client(service):
    with Client(address(service), service.key) as client:
        yield client


def address(service):
    return str(service.http.base_url).removesuffix("/").removesuffix("/api/v1")


def skeleton(scene):
    return {"name": "person", "keypoints": [*scene.skeleton.keypoints], "edges": [*scene.skeleton.edges]}


def test_from_a_video_to_poses_and_an_export(service, client, walker, tmp_path):
    project = client.create_project("walking", skeleton(walker))
    assert client.projects("walking") == [project]
    assert client.projects("walk") == []
    video = client.upload(project["id"], walker.path)
    service.work()
    client.wait(video["ingest_job_id"])
    video = client.video(video["id"])
    assert (video["status"], video["num_frames"]) == ("ready", walker.num_frames)

    track = client.create_track(video["id"], "walker")
    truth = walker.tracks[1]
    labels = [service.label(frame, track["id"], truth) for frame in (0, 20, 44)]
    assert client.put_labels(video["id"], labels)["written"] == 3
    client.rename_track(video["id"], track["id"], "somebody")
    assert [one["name"] for one in client.tracks(video["id"])] == ["somebody"]

    job = client.propagate(video["id"], engine="linear")
    service.work()
    run = client.wait(job["id"])["result"]["run_id"]
    assert [one["id"] for one in client.runs(video["id"])] == [run]
    poses = client.poses(video["id"])
    assert poses.xy.shape == (1, walker.num_frames, truth.num_keypoints, 2)
    shown = truth.visibility[20] > 0
    assert set(poses.source[0, 20][shown].tolist()) == {HUMAN}
    np.testing.assert_allclose(poses.xy[0, 20][shown], truth.xy[20][shown], atol=0.01)
    assert PSEUDO in poses.source[0, 10]
    assert client.poses(video["id"], 5, 9, layer="human").xy.shape[1] == 4

    job = client.export(project["id"], include=["human"])
    service.work()
    export = client.download(client.wait(job["id"]), tmp_path / "labels.json")
    assert export["manifest"]["annotations"] == 3
    assert len(json.loads((tmp_path / "labels.json").read_bytes())["annotations"]) == 3
    assert [*tmp_path.glob(".*")] == []


def test_the_same_file_is_the_same_video_and_is_not_sent_again(service, client, walker):
    project = client.create_project("twice", skeleton(walker))
    first = client.upload(project["id"], walker.path, name="one.mp4")
    told = []
    again = client.upload(project["id"], walker.path, sent=lambda done, of: told.append(done))
    assert again["id"] == first["id"]
    assert again["filename"] == "one.mp4"
    assert told == []


def test_an_upload_goes_on_where_it_broke_off(service, client, walker):
    project = client.create_project("cut", skeleton(walker))
    data, sha256 = walker.path.read_bytes(), uploads.digest(walker.path)
    half = len(data) // 2
    connection = Connection(address(service), service.key)
    place = uploads.begin(
        connection, project["id"], "walk.mp4", len(data), uploads.key_of(project["id"], sha256, "walk.mp4")
    )
    headers = {"Tus-Resumable": "1.0.0", "Upload-Offset": "0", "Content-Type": "application/offset+octet-stream"}
    connection.send("PATCH", place, content=data[:half], headers=headers)
    connection.close()

    told = []
    video = client.upload(project["id"], walker.path, name="walk.mp4", sent=lambda done, of: told.append((done, of)))
    assert told[0] == (half, len(data))
    assert told[-1] == (len(data), len(data))
    assert video["sha256"] == sha256
    service.work()
    assert client.video(video["id"])["status"] == "ready"


def test_a_file_that_is_cut_while_it_is_sent_ends_the_upload(service, client, walker, tmp_path, monkeypatch):
    monkeypatch.setattr(uploads, "_PAUSES", (0.0, 0.0))
    project = client.create_project("cut short", skeleton(walker))
    path = tmp_path / "walk.mp4"
    path.write_bytes(walker.path.read_bytes())
    size = path.stat().st_size

    def cut(done, of):
        if path.stat().st_size == size:
            with path.open("r+b") as file:
                file.truncate(size // 2)

    with pytest.raises(ApiError, match=f"no byte arrives, .*{size // 2} of {size} bytes of .* arrived"):
        client.upload(project["id"], path, sent=cut)


def test_an_upload_that_was_terminated_begins_anew(service, client, walker):
    project = client.create_project("ended", skeleton(walker))
    sha256, size = uploads.digest(walker.path), walker.path.stat().st_size
    connection = Connection(address(service), service.key)
    place = uploads.begin(
        connection, project["id"], "walk.mp4", size, uploads.key_of(project["id"], sha256, "walk.mp4")
    )
    connection.send("DELETE", place, headers={"Tus-Resumable": "1.0.0"})
    connection.close()
    assert client.upload(project["id"], walker.path, name="walk.mp4")["sha256"] == sha256


def test_what_is_no_video_is_refused_with_the_sentence_of_the_service(service, client, walker, tmp_path):
    project = client.create_project("text", skeleton(walker))
    (tmp_path / "notes.txt").write_text("no video at all " * 50)
    with pytest.raises(ApiError, match="video") as refused:
        client.upload(project["id"], tmp_path / "notes.txt")
    assert refused.value.status == 422
    assert client.videos(project["id"]) == []


def test_a_refusal_names_the_place(service, client):
    with pytest.raises(ApiError, match="/skeleton/keypoints") as refused:
        client.create_project("nothing", {"name": "nothing", "keypoints": []})
    assert refused.value.status == 422
    with pytest.raises(ApiError, match="GET /videos/9") as refused:
        client.video(9)
    assert refused.value.status == 404


def test_a_job_that_was_cancelled_says_so(service, client, walker):
    project = client.create_project("called off", skeleton(walker))
    video = client.upload(project["id"], walker.path)
    client.post(f"/jobs/{video['ingest_job_id']}/cancel", None)
    with pytest.raises(JobError, match="cancelled"):
        client.wait(video["ingest_job_id"])


def test_a_wrong_key_and_what_is_no_address(service):
    with Client(address(service), "ptw_wrong") as client, pytest.raises(ApiError) as refused:
        client.projects()
    assert refused.value.status == 401
    with pytest.raises(ApiError, match="begins with http"):
        Client("localhost:8000", "key")
    with pytest.raises(ApiError, match="no key"):
        Client("http://127.0.0.1:8000", "two words")


class Stranger(BaseHTTPRequestHandler):
    """Answers as what is no service of ours does: a page for everything, or a way to elsewhere."""

    def do_GET(self):
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        moved = self.server.moved
        self.send_response(301 if moved else 200)
        self.send_header("Location", "https://example.org/") if moved else self.send_header("Content-Type", "text/html")
        body = b"<!doctype html><p>Welcome"
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_POST = do_PUT = do_GET

    def log_message(self, *words):
        """Print nothing."""


@pytest.fixture
def stranger():
    server = HTTPServer(("127.0.0.1", 0), Stranger)
    server.moved = False
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.parametrize("moved", [False, True])
def test_somebody_else_at_the_address(stranger, moved, tmp_path):
    stranger.moved = moved
    at = f"http://127.0.0.1:{stranger.server_port}"
    said = "leads to https://example.org/" if moved else "the answer is text/html"
    connection = Connection(at, "key")
    with Client(at, "key") as client:
        calls = [
            client.projects,
            lambda: client.post("/projects", {}, key="once"),
            lambda: client.import_labels(1, b"{}"),
            lambda: client.poses(1),
            lambda: client.download({"result": {"export_id": 1}}, tmp_path / "labels.json"),
            lambda: uploads.begin(connection, 1, "walk.mp4", 9, "key"),
        ]
        for call in calls:
            with pytest.raises(ApiError, match=rf"{said}.*; is {at} the address of the service\?"):
                call()
    assert [*tmp_path.iterdir()] == []
    connection.close()


def test_a_service_that_is_not_there(monkeypatch):
    monkeypatch.setattr("posetween.connection._PAUSES", (0.0, 0.0))
    with Client("http://127.0.0.1:9", "key") as client, pytest.raises(ApiError, match="does not answer") as refused:
        client.projects()
    assert refused.value.status == 0
