"""What a hostile lab and a decaying disk do to a service, while another lab works on."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from random import Random
from typing import Any

import httpx2

from app.jobs.states import FINISHED
from app.labels.schemas import MAX_LABELS
from app.main import PREFIX
from app.tables import Video
from benchmarks.chaos.clients import Client
from benchmarks.chaos.journal import Journal
from benchmarks.chaos.load import FRAMES, HEIGHT, WIDTH
from benchmarks.chaos.moment import Moment

_AT_ONCE = 4  # requests without a body for each route: more than write at a time on either kind of database
_READERS = 3
_HEARD_SECONDS = 10.0  # within which a cancellation is: two seconds on a machine that does nothing else
_FRAMES_SEEN = (0, FRAMES // 3, FRAMES // 2, FRAMES - 1)

#: Files that would have a decoder fetch something.
_LURES = (
    b"#EXTM3U\n#EXT-X-VERSION:3\n#EXTINF:1,\nhttp://127.0.0.1:1/a.ts\n#EXT-X-ENDLIST\n",
    b"ffconcat version 1.0\nfile 'http://127.0.0.1:1/a.mp4'\n",
)


@contextmanager
def withhold_bodies(moment: Moment) -> Iterator[None]:
    """Writes of every kind are begun, and their bodies never come."""
    attacker = moment.attacker
    video = attacker.bring(moment.load.clip(moment.rng))
    revision = _write(attacker.client, video, range(0, FRAMES, 4))
    routes = (
        ("POST", f"/videos/{video}/labels/revisions/{revision}/undo"),
        ("PUT", f"/videos/{video}/labels"),
        ("POST", f"/videos/{video}/labels/import"),
        ("POST", f"/videos/{video}/tracks"),
        ("PATCH", f"/videos/{video}/tracks/1"),
        ("POST", f"/videos/{video}/tracks/split"),
        ("POST", f"/videos/{video}/propagations"),
        ("POST", f"/projects/{attacker.project_id}/exports"),
        ("POST", f"/projects/{attacker.project_id}/videos"),
        ("POST", "/projects"),
    )
    with moment.bystander.writing(), ExitStack() as held:
        for method, path in routes:
            for begun in (b"", b"{") * (_AT_ONCE // 2):
                held.enter_context(_unfinished(moment, method, path, begun))
                moment.checked["bodies withheld"] += 1
        yield
    found = attacker.client.ask("GET", f"/videos/{video}/labels", params={"start": 0, "stop": 1})["revision"]
    if found != revision:
        moment.violations.append(f"attack: bodies that never came took video {video} from {revision} to {found}")
    attacker.throw_away(video)


@contextmanager
def poison(moment: Moment) -> Iterator[None]:
    """A video of as many tracks and labels as may be, read and exported without end; and files that are no videos."""
    attacker = moment.attacker
    video = attacker.bring(moment.load.clip(moment.rng))
    url = f"/videos/{video}/labels"
    sheet = json.dumps(_coco(moment.installation.settings.max_tracks - 1, MAX_LABELS)).encode()
    request = {"content": sheet, "headers": {"Content-Type": "application/json"}}
    with moment.bystander.writing(), _reading_on(moment, url):
        answer = attacker.client.try_once("POST", f"{url}/import", **request)
        if answer is None or answer.status_code != 200:
            moment.violations.append(f"attack: an import of {MAX_LABELS} labels was answered {_said(answer)}")
        job = attacker.client.start(f"/projects/{attacker.project_id}/exports", {"videos": [video], "images": True})
        for data in _hostile(moment):
            answer = attacker.client.try_once("POST", f"/projects/{attacker.project_id}/videos", content=data)
            if answer is None or answer.status_code >= 500:
                moment.violations.append(f"attack: a hostile file of {len(data)} bytes was answered {_said(answer)}")
            moment.checked["hostile files"] += 1
        yield
        attacker.client.try_once("POST", f"/jobs/{job}/cancel")  # refused where it has ended
        began = time.monotonic()
        attacker.wait(f"/jobs/{job}", "state", tuple(FINISHED))
        if time.monotonic() - began > _HEARD_SECONDS:
            moment.violations.append(f"attack: it took {time.monotonic() - began:.0f} s until job {job} was cancelled")
    attacker.throw_away(video)


@contextmanager
def flip_object(moment: Moment) -> Iterator[None]:
    """A bit of a stored video flips; that is told, no picture is made of it, and afterwards it is put back."""
    attacker, installation = moment.attacker, moment.installation
    video = attacker.bring(moment.load.another_clip(moment.rng))  # a proxy that is nobody else's
    _write(attacker.client, video, (0, FRAMES // 2))
    with installation.database.session(readonly=True) as session:
        sha256 = session.get_one(Video, video).proxy_sha256
    assert sha256 is not None
    whole = installation.storage.get(sha256)
    damaged = bytearray(whole)
    damaged[moment.rng.randrange(len(damaged))] ^= 1 << moment.rng.randrange(8)
    with moment.bystander.writing():
        installation.overwrite(sha256, bytes(damaged))
        try:
            exports = f"/projects/{attacker.project_id}/exports"
            job = attacker.client.start(exports, {"videos": [video], "images": True})
            _expect_no_picture(moment, video, sha256)
            yield
            _expect_no_picture(moment, video, sha256)
            if not any(sha256 in line for line in installation.check_storage()):
                moment.violations.append(f"flipped: `posetween storage check` does not name {sha256}")
            if attacker.client.ask("GET", f"/jobs/{job}")["state"] == "succeeded":
                moment.violations.append(f"flipped: export {job} was made of the damaged {sha256}")
        finally:
            installation.overwrite(sha256, whole)
    for index in _FRAMES_SEEN:
        if (status := _look(moment, f"/videos/{video}/frames/{index}").status_code) != 200:
            moment.violations.append(f"flipped: {sha256} was put back, and frame {index} is answered {status}")
    if attacker.client.content(f"/videos/{video}/content") != whole:
        moment.violations.append(f"flipped: {sha256} was put back, and other bytes are served")
    shown = attacker.wait(f"/jobs/{job}", "state", tuple(FINISHED))  # it is tried again
    if shown["state"] != "succeeded" and sha256 not in str(shown["error"]):
        moment.violations.append(f"flipped: export {job} is {shown['state']}: {shown['error']}")
    moment.checked["objects flipped"] += 1
    attacker.throw_away(video)


def _expect_no_picture(moment: Moment, video: int, sha256: str) -> None:
    """Everything that would show a damaged file says that it is, unless one is sent to the store itself."""
    for path in (*(f"/videos/{video}/frames/{index}" for index in _FRAMES_SEEN), f"/videos/{video}/content"):
        answer = _look(moment, path)
        if answer.status_code == 307:  # what is fetched there is not verified by the service, as SECURITY.md says
            continue
        if answer.status_code != 503 or sha256 not in answer.json()["detail"]:
            moment.violations.append(f"flipped: {path} of the damaged {sha256} was answered {answer.status_code}")
        moment.checked["looks at a flipped object"] += 1


def _look(moment: Moment, path: str) -> httpx2.Response:
    headers = {"Authorization": f"Bearer {moment.attacker.key}"}
    return httpx2.get(f"{moment.installation.address}{path}", headers=headers, timeout=60)


def _write(client: Client, video: int, frames: Iterable[int]) -> int:
    labels = [{"frame_index": frame, "track_id": 1, "keypoints": [[20, 20, 2], [30, 30, 2]]} for frame in frames]
    return int(client.ask("PUT", f"/videos/{video}/labels", json={"labels": labels})["revision"])


@contextmanager
def _unfinished(moment: Moment, method: str, path: str, begun: bytes) -> Iterator[None]:
    head = (
        f"{method} {PREFIX}{path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {moment.attacker.key}\r\n"
        "Content-Type: application/json\r\nContent-Length: 1000\r\n\r\n"
    )
    with socket.create_connection(("127.0.0.1", moment.installation.settings.port), timeout=20) as connection:
        connection.sendall(head.encode() + begun)
        yield


@contextmanager
def _reading_on(moment: Moment, url: str) -> Iterator[None]:
    """Some readers who ask for all of something again and again."""
    ended = threading.Event()

    def read() -> None:
        journal = moment.load.journal
        told = Journal(answers=journal.answers, mistakes=journal.mistakes)
        reader = Client(moment.installation.address, moment.attacker.key, told, Random(0))
        while not ended.is_set():
            if reader.try_once("GET", url) is not None:
                moment.checked["reads of a poisoned video"] += 1
        reader.close()

    readers = [threading.Thread(target=read, name="reader") for _ in range(_READERS)]
    for reader in readers:
        reader.start()
    try:
        yield
    finally:
        ended.set()
        for reader in readers:
            reader.join()


def _hostile(moment: Moment) -> Iterator[bytes]:
    """Files that break off, lie about themselves, or are something else."""
    rng, clip = moment.rng, moment.load.clip(moment.rng)
    yield from _LURES
    yield clip[: rng.randrange(len(clip) // 8, len(clip) // 2)]
    table = clip.find(b"moov")
    spoilt = bytearray(clip)
    for _ in range(20):
        spoilt[table + rng.randrange(1000)] = rng.randrange(256)
    yield bytes(spoilt)
    lying = bytearray(clip)
    scale = clip.find(b"mdhd") + 16
    lying[scale : scale + 4] = b"\0\0\0\1"  # one tick a second
    yield bytes(lying)


def _coco(tracks: int, labels: int) -> dict[str, Any]:
    images = [
        {"id": frame + 1, "file_name": f"{frame}.jpg", "frame_index": frame, "width": WIDTH, "height": HEIGHT}
        for frame in range(FRAMES)
    ]
    annotations = [
        {
            "id": number + 1,
            "image_id": number // tracks + 1,
            "category_id": 1,
            "track_id": number % tracks + 1,
            "keypoints": [12.5, 20.0, 2, 20.0, 30.0, 2],
            "num_keypoints": 2,
        }
        for number in range(labels)
    ]
    category = {"id": 1, "name": "subject", "keypoints": ["a", "b"], "skeleton": []}
    return {"images": images, "annotations": annotations, "categories": [category]}


def _said(answer: httpx2.Response | None) -> str:
    return "not at all" if answer is None else f"{answer.status_code} {answer.text[:200]}"
