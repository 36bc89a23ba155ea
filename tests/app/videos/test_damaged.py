"""One damaged frame costs one frame: the others keep their places, and nobody learns from it."""

from __future__ import annotations

import io
import json
import zipfile

import av
import cv2
import numpy as np
import pytest

from app.database import connect
from app.jobs.params import TrainingParams
from app.settings import Settings
from app.storage import go_on, open_storage
from app.tables import Job
from app.trainings import label_set
from pose.skeleton import Skeleton
from pose.video import VideoReader

FRAMES, BAD = 40, 10
SKELETON = Skeleton(name="point", keypoints=("a",))


def picture(index):
    """Gray of its own for each frame, but for the damaged one's neighbours clearly another."""
    return np.full((48, 64, 3), 20 + 5 * index, dtype=np.uint8)


@pytest.fixture(scope="module")
def damaged(tmp_path_factory):
    """A Motion JPEG file with one damaged frame."""
    path = tmp_path_factory.mktemp("damaged") / "session.avi"
    with av.open(path, "w") as container:
        stream = container.add_stream("mjpeg", rate=30)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuvj420p"
        for index in range(FRAMES):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture(index), format="rgb24")))
        container.mux(stream.encode())
    with av.open(path) as container:
        bad = [packet for packet in container.demux(video=0) if packet.size][BAD]
        start, stop = bad.pos, bad.pos + bad.size
    data = bytearray(path.read_bytes())
    data[start:stop] = bytes(stop - start)
    path.write_bytes(data)
    return path


@pytest.fixture(scope="module")
def session(serving, damaged, tmp_path_factory):
    """A service with that video, labelled on every fourth frame and on the damaged one."""
    service = serving(Settings(data_dir=tmp_path_factory.mktemp("data"), port=0))
    project = service.project(SKELETON)
    service.video = service.upload(project, damaged)
    service.track(service.video)
    labels = [
        {"frame_index": frame, "track_id": 1, "keypoints": [[10 + frame, 20, 2]]}
        for frame in sorted({*range(1, FRAMES, 4), BAD})
    ]
    assert service.http.put("/videos/1/labels", json={"labels": labels}).status_code == 200
    job = service.http.post("/videos/1/propagations", json={"engine": "linear"}).json()
    assert service.finished(job)["state"] == "succeeded"
    return service


def test_the_video_says_which_frame_is_damaged(session):
    video = session.video
    assert (video["status"], video["num_frames"], video["damaged"]) == ("degraded", FRAMES, [[BAD, BAD + 1]])
    assert "Frame 10 of 40 is damaged" in video["reason"]
    assert (video["variable_rate"], video["stream"]) == (False, {"index": 0, "of": 1, "reason": "only"})


def test_frames_keep_their_places_and_the_damaged_one_is_marked(session, tmp_path):
    path = tmp_path / "proxy.mp4"
    path.write_bytes(session.http.get("/videos/1/content").content)
    with VideoReader(path) as proxy:
        shown = [int(frame.mean()) for frame in proxy.frames()]
    for frame, gray in enumerate(shown):
        assert abs(gray - (20 + 5 * (frame if frame != BAD else BAD - 1))) <= 3
    for frame in range(BAD - 1, BAD + 2):
        answer = session.http.get(f"/videos/1/frames/{frame}")
        assert answer.headers.get("x-frame-damaged") == ("true" if frame == BAD else None)
        again = session.http.get(f"/videos/1/frames/{frame}", headers={"If-None-Match": answer.headers["etag"]})
        assert (again.status_code, again.headers.get("x-frame-damaged")) == (304, answer.headers.get("x-frame-damaged"))


def test_times_are_those_of_the_file(session):
    answer = session.http.get("/videos/1/times")
    assert "immutable" in answer.headers["cache-control"]
    np.testing.assert_allclose(answer.json()["times"], np.arange(FRAMES) / 30, atol=1e-6)
    array = np.load(io.BytesIO(session.http.get("/videos/1/times", params={"format": "npy"}).content))
    np.testing.assert_allclose(array, np.arange(FRAMES) / 30)
    assert session.http.get("/videos/1/times", params={"format": "csv"}).status_code == 422


def test_a_machine_is_not_sure_of_a_damaged_frame(session):
    taken = {"frame_index": BAD, "track_id": 1}
    assert session.http.delete("/videos/1/labels", params=taken).status_code == 200
    job = session.http.post("/videos/1/propagations", json={"engine": "linear"}).json()
    assert session.finished(job)["state"] == "succeeded"
    labels = session.http.get("/videos/1/labels", params={"layer": "pseudo"}).json()["labels"]
    scores = {one["frame_index"]: max(one["keypoint_scores"]) for one in labels if one["source"] == "pseudo"}
    assert scores[BAD] <= 0.3
    assert scores[BAD + 2] > 0.3
    back = {"labels": [{**taken, "keypoints": [[10 + BAD, 20, 2]]}]}
    assert session.http.put("/videos/1/labels", json=back).status_code == 200


def test_exports_say_when_frames_are_shown_and_which_are_damaged(session):
    job = session.finished(session.http.post("/projects/1/exports", json={}).json())
    images = session.http.get(f"/exports/{job['result']['export_id']}/content").json()["images"]
    for image in images:
        assert image["time"] == pytest.approx(image["frame_index"] / 30, abs=1e-6)
    assert [image["frame_index"] for image in images if image.get("damaged")] == [BAD]


def test_a_zip_of_stills_becomes_a_video_with_its_gaps(session, refused, everything):
    def packed(*numbers):
        data = io.BytesIO()
        with zipfile.ZipFile(data, "w") as archive:
            for number in numbers:
                archive.writestr(f"cam/img_{number}.png", cv2.imencode(".png", picture(number))[1].tobytes())
        return data.getvalue()

    sent = session.http.post("/projects/1/videos", params={"filename": "cam.zip"}, content=packed(8, 9, 10, 13))
    assert sent.status_code == 201, sent.text
    session.work()
    video = session.http.get(f"/videos/{sent.json()['id']}").json()
    assert (video["status"], video["num_frames"], video["damaged"]) == ("degraded", 6, [[3, 5]])
    assert session.http.get(f"/videos/{video['id']}/frames/4").headers["x-frame-damaged"] == "true"
    before = everything(session)
    problem = refused(session.http.post("/projects/1/videos", content=packed()), 422)
    assert "no numbered images" in problem["errors"][0]["detail"]
    assert everything(session) == before


def test_trainings_neither_learn_from_a_damaged_frame_nor_measure_on_it(session):
    for include in (["human"], ["human", "pseudo"]):
        answer = session.http.post("/projects/1/trainings", json={"include": include})
        assert answer.status_code == 202, answer.text
        session.http.post(f"/jobs/{answer.json()['id']}/cancel")
        database = connect(session.settings.database)
        with database.session(readonly=True) as rows:
            params = rows.get_one(Job, answer.json()["id"]).params
        storage = open_storage(session.settings)
        found = label_set.read(database, storage, 1, TrainingParams.of(json.loads(json.dumps(params))), go_on)
        database.dispose()
        for one in (*found.learnt, *found.held_out):
            assert BAD not in one.poses.frames
        assert found.learnt
