"""Uploads that are no videos, or not the ones that were promised, leave nothing behind."""

from __future__ import annotations

import base64
import hashlib
import io
import socket
import struct
import tempfile
import threading
import time
import wave
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from app.settings import Settings
from pose.video import VideoReader

LIMIT = 2**20


def encoded(codec="libx264", size=(64, 48), frames=30, container="mp4", pix_fmt="yuv420p") -> bytes:
    """A short video of noise, which does not compress away."""
    rng = np.random.default_rng(1)
    target = io.BytesIO()
    with av.open(target, "w", format=container) as file:
        stream = file.add_stream(codec, rate=25)
        stream.width, stream.height, stream.pix_fmt = *size, pix_fmt
        for _ in range(frames):
            picture = rng.integers(0, 255, (size[1], size[0], 3), dtype=np.uint8)
            file.mux(stream.encode(av.VideoFrame.from_ndarray(picture)))
        file.mux(stream.encode())
    return target.getvalue()


def index_first(frames: int = 60) -> bytes:
    """The same with the index in front of the frames, as cameras and editors write it for the web."""
    with tempfile.NamedTemporaryFile(suffix=".mp4") as file:
        with (
            av.open(io.BytesIO(encoded(frames=frames))) as source,
            av.open(file.name, "w", container_options={"movflags": "faststart"}) as target,
        ):
            stream = target.add_stream_from_template(source.streams.video[0])
            for packet in source.demux(video=0):
                if packet.dts is not None:
                    packet.stream = stream
                    target.mux(packet)
        return Path(file.name).read_bytes()


def sound() -> bytes:
    target = io.BytesIO()
    with av.open(target, "w", format="mp4") as file:
        stream = file.add_stream("aac", rate=8000)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 8000), dtype=np.float32), format="fltp", layout="mono")
        frame.sample_rate = 8000
        file.mux(stream.encode(frame))
        file.mux(stream.encode())
    return target.getvalue()


def waveform() -> bytes:
    target = io.BytesIO()
    with wave.open(target, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(8000)
        file.writeframes(bytes(16000))
    return target.getvalue()


def still(suffix: str) -> bytes:
    return cv2.imencode(suffix, np.zeros((48, 64, 3), dtype=np.uint8))[1].tobytes()


def huge() -> bytes:
    """An AVI of motion JPEG whose headers, those of the pictures too, claim 20 000 x 20 000 pixels."""
    data = encoded("mjpeg", frames=2, container="avi", pix_fmt="yuvj420p")
    before = struct.pack("<II", 64, 48)
    assert before in data
    data = data.replace(before, struct.pack("<II", 20_000, 20_000))
    start_of_frame = b"\xff\xc0\x00\x11\x08" + struct.pack(">HH", 48, 64)
    assert start_of_frame in data
    return data.replace(start_of_frame, start_of_frame[:5] + struct.pack(">HH", 20_000, 20_000))


NO_VIDEOS = {
    "text": lambda: b"this is not a video " * 100,
    "random": lambda: np.random.default_rng(0).bytes(5000),
    "one byte": lambda: b"\x00",
    "jpeg": lambda: still(".jpg"),
    "png": lambda: still(".png"),
    "webp": lambda: still(".webp"),
    "sound": sound,
    "wave": waveform,
    "moov cut off": lambda: encoded()[:-1500],
    "only a header": lambda: index_first()[:700],
    "20 000 x 20 000": huge,
    "playlist": lambda: b"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nfile:///etc/passwd\n#EXT-X-ENDLIST\n",
    "concat": lambda: b"ffconcat version 1.0\nfile /etc/passwd\n",
    "svg": lambda: b'<svg xmlns="http://www.w3.org/2000/svg" width="20000" height="20000"/>',
    "zip": lambda: b"PK\x05\x06" + bytes(18),
}


@pytest.fixture(scope="module")
def studio(serving, tmp_path_factory, walker):
    service = serving(Settings(data_dir=tmp_path_factory.mktemp("studio"), port=0, max_upload_bytes=LIMIT))
    service.project(walker.skeleton)
    return service


@pytest.fixture
def unchanged(studio, everything):
    before = everything(studio)
    yield
    deadline = time.monotonic() + 10
    while everything(studio) != before and time.monotonic() < deadline:
        time.sleep(0.05)  # what a broken connection leaves is cleared a moment later
    assert everything(studio) == before


def send(service, data, **headers):
    return service.http.post("/projects/1/videos", content=data, headers=headers)


def described(data: bytes) -> str:
    return f"sha-256=:{base64.b64encode(hashlib.sha256(data).digest()).decode()}:"


@pytest.mark.usefixtures("unchanged")
@pytest.mark.parametrize("name", NO_VIDEOS)
def test_what_is_no_video_is_refused(studio, refused, name):
    problem = refused(send(studio, NO_VIDEOS[name]()), 422, "")
    assert len(problem["detail"]) > 20


@pytest.mark.usefixtures("unchanged")
def test_nothing_is_refused(studio, refused):
    refused(send(studio, b""), 422, "")


@pytest.mark.usefixtures("unchanged")
def test_bytes_that_differ_from_their_digest_are_refused(studio, refused):
    refused(send(studio, encoded(), **{"Content-Digest": described(b"others")}), 422, "/content-digest")


@pytest.mark.usefixtures("unchanged")
@pytest.mark.parametrize("header", ["sha-256", "sha-256=:YQ==:", "sha-256=:%%:", "md5=:YQ==:", ":", "x" * 2000])
def test_digests_that_cannot_be_read_are_refused(studio, refused, header):
    refused(send(studio, encoded(), **{"Content-Digest": header}), 422, "/content-digest")


@pytest.mark.usefixtures("unchanged")
def test_too_many_bytes_are_refused_whether_announced_or_not(studio, refused):
    refused(send(studio, bytes(LIMIT + 1)), 413)
    refused(send(studio, (bytes(2**16) for _ in range(LIMIT // 2**16 + 1))), 413)


@pytest.mark.usefixtures("unchanged")
def test_an_upload_to_a_project_that_is_not_there(studio, refused):
    refused(studio.http.post("/projects/99/videos", content=encoded()), 404)


@pytest.mark.usefixtures("unchanged")
@pytest.mark.parametrize("name", ["", "x" * 256])
def test_a_name_that_is_empty_or_too_long(studio, refused, name):
    answer = studio.http.post("/projects/1/videos", params={"filename": name}, content=encoded())
    refused(answer, 422, "/filename")


@pytest.mark.usefixtures("unchanged")
@pytest.mark.parametrize("chunked", [False, True])
def test_a_client_that_breaks_off_leaves_nothing(studio, chunked):
    address = (studio.http.base_url.host, studio.http.base_url.port)
    head = f"POST /api/v1/projects/1/videos HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {studio.key}\r\n"
    body = encoded()[:5000]
    with socket.create_connection(address) as connection:
        if chunked:
            connection.sendall(head.encode() + b"Transfer-Encoding: chunked\r\n\r\n")
            connection.sendall(f"{len(body):x}\r\n".encode() + body + b"\r\n")
        else:
            connection.sendall(head.encode() + b"Content-Length: 100000\r\n\r\n" + body)
        scratch = studio.settings.scratch_dir
        while not any(path.stat().st_size == len(body) for path in scratch.iterdir()):
            time.sleep(0.01)


def test_a_video_cut_in_half_is_read_as_far_as_it_goes(studio, everything):
    whole = index_first()
    answer = send(studio, whole[: len(whole) // 2])
    assert answer.status_code == 201
    studio.work()
    video = studio.http.get(f"/videos/{answer.json()['id']}").json()
    assert video["status"] == "degraded"
    assert 10 < video["num_frames"] < 45
    assert video["reason"]
    assert studio.http.get(f"/videos/{video['id']}/frames/{video['num_frames'] - 1}").status_code == 200
    assert studio.http.get(f"/videos/{video['id']}/frames/{video['num_frames']}").status_code == 404
    left = [name for name, _ in everything(studio)["files"] if name.startswith("scratch")]
    assert all(name.startswith("scratch/frames/") for name in left)


def test_the_same_bytes_in_the_same_project_are_the_same_video(studio):
    data = encoded(frames=4)
    first = send(studio, data, **{"Content-Digest": f"sha-512=:YQ==:, {described(data)}"})
    assert first.status_code == 201
    assert first.json()["sha256"] == hashlib.sha256(data).hexdigest()
    again = send(studio, data)
    assert (again.status_code, again.json()) == (200, first.json())


def test_the_same_bytes_sent_many_times_at_once_become_one_video(studio):
    data, answers = encoded(frames=5), []
    threads = [threading.Thread(target=lambda: answers.append(send(studio, data))) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(answer.status_code for answer in answers) == [200] * 5 + [201]
    assert len({answer.json()["id"] for answer in answers}) == 1


def test_a_cancelled_ingest_starts_again_with_the_next_upload(studio, refused):
    data = encoded(frames=7)
    video = send(studio, data).json()
    assert video["status"] == "ingesting"
    assert studio.http.post(f"/jobs/{video['ingest_job_id']}/cancel").json()["state"] == "cancelled"
    shown = studio.http.get(f"/videos/{video['id']}").json()
    assert (shown["status"], "cancelled" in shown["reason"]) == ("rejected", True)
    refused(studio.http.get(f"/videos/{video['id']}/frames/0"), 409)
    assert send(studio, data).json()["status"] == "ingesting"
    studio.work()
    assert studio.http.get(f"/videos/{video['id']}").json()["status"] == "ready"


def test_names_are_only_shown(studio):
    slugs = set()
    for index, name in enumerate(["../../etc/passwd", "Ünïcode \N{CAT}.mp4", 'a"b; X: y.mp4', "a"]):
        data = encoded(frames=8 + index)
        video = studio.http.post("/projects/1/videos", params={"filename": name}, content=data).json()
        assert video["filename"] == name
        assert set(video["slug"]) <= set("abcdefghijklmnopqrstuvwxyz0123456789-")
        slugs.add(video["slug"])
        original = studio.http.get(f"/videos/{video['id']}/content", params={"original": True})
        assert original.content == data
        assert "x" not in original.headers
    assert len(slugs) == 4


def test_an_upload_survives_as_it_was(studio, tmp_path):
    data = encoded(frames=12)
    video = send(studio, data).json()
    studio.work()
    assert studio.http.get(f"/videos/{video['id']}/content", params={"original": 1}).content == data
    proxy = tmp_path / "proxy.mp4"
    proxy.write_bytes(studio.http.get(f"/videos/{video['id']}/content").content)
    with VideoReader(proxy) as reader:
        assert reader.num_frames == 12
