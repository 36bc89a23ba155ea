"""A small steady load: uploads, labels, mended tracks, propagations, exports, cancellations and deletions."""

from __future__ import annotations

import hashlib
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from random import Random

import numpy as np
from sqlalchemy import select

from app.exports.service import EXPORT
from app.jobs.states import FINISHED, RUNNING, SUCCEEDED
from app.runs.service import PROPAGATE
from app.tables import Job
from app.videos.service import INGEST
from benchmarks.chaos.clients import Client, NoAnswer
from benchmarks.chaos.installation import Installation
from benchmarks.chaos.journal import Erased, Journal
from benchmarks.chaos.mending import SUBJECT, SUBJECTS, Mending
from pose.video_writer import VideoWriter

FRAMES, WIDTH, HEIGHT = 160, 64, 48
KEYFRAME_EVERY = 4

UPLOAD = "upload"
#: What may be under way when a fault comes.
STAGES = (UPLOAD, INGEST, PROPAGATE, EXPORT)

_CANCELLED_SHARE = 0.15
_ABSENT_SHARE = 0.1
_LOOK_SECONDS = 0.2
_JOB_PATIENCE = 120.0
_VIDEOS = 6  # the latest, which are labelled, propagated and exported


class Lost(Exception):
    """Something is gone that should be there."""


@dataclass(frozen=True)
class Known:
    """A video that can be worked on."""

    video_id: int
    track: int


class Load:
    """The clients, each in a thread of its own.

    Args:
        installation: What they ask.
        folder: For the clip that they upload.
        rng: For what they do at random.

    Attributes:
        journal: What they were told; may be changed for another while they rest.
        sending: How many uploads are under way.
        troubles: What no client should have met, as sentences.
    """

    def __init__(self, installation: Installation, folder: Path, rng: Random) -> None:
        self.journal = Journal()
        self.sending: Counter[str] = Counter()
        self.troubles: list[str] = []
        self._installation = installation
        self._rng = rng
        self._folder = folder
        self._clip = _clip(folder / "clip.mp4", rng)
        self._known: deque[Known] = deque(maxlen=_VIDEOS)
        self._resting = threading.Event()
        self._ended = threading.Event()
        self._busy: Counter[str] = Counter()
        self._mending: Mending | None = None
        self._threads: list[threading.Thread] = []
        with self._client(rng) as client:
            skeleton = {"name": "pair", "keypoints": ["a", "b"]}
            self._project = int(client.ask("POST", "/projects", json={"name": "chaos", "skeleton": skeleton})["id"])
            self._bring(client, client.upload)

    def start(self) -> None:
        """Begin."""
        acts: dict[str, tuple[Callable[[Client], None], float]] = {
            "labels": (self._label, 0.1),
            "uploads in pieces": (lambda client: self._bring(client, client.upload_in_pieces), 1.0),
            "plain uploads": (lambda client: self._bring(client, client.upload), 2.0),
            "propagations": (self._propagate, 0.3),
            "exports": (self._export, 0.5),
            "deletions": (self._throw_away, 1.0),
            "tracks": (self._mend, 0.5),
        }
        for name, (act, pause) in acts.items():
            seed = self._rng.getrandbits(64)
            self._threads.append(threading.Thread(target=self._run, args=(name, act, pause, Random(seed)), name=name))
            self._threads[-1].start()

    def end(self) -> None:
        """End every thread."""
        self._ended.set()
        for thread in self._threads:
            thread.join()

    def rest(self, patience: float) -> list[str]:
        """Begin nothing new, and wait until what was begun is done; names the clients that are not done."""
        self._resting.set()
        deadline = time.monotonic() + patience
        while any(self._busy.values()) and time.monotonic() < deadline:
            time.sleep(0.05)
        return [name for name, busy in self._busy.items() if busy]

    def go_on(self) -> None:
        """Begin anew after a rest, with a new journal."""
        self.journal = Journal()
        self._resting.clear()

    def under_way(self) -> Counter[str]:
        """What is being done at this moment."""
        with self._installation.database.session(readonly=True) as session:
            running = Counter(session.scalars(select(Job.kind).where(Job.state == RUNNING)))
        return running + Counter({UPLOAD: self.sending[UPLOAD]})

    def clip(self, rng: Random) -> bytes:
        """A video with bytes of its own, in a box that players skip."""
        filling = rng.randbytes(rng.randrange(60_000, 160_000))
        return self._clip + (len(filling) + 8).to_bytes(4, "big") + b"free" + filling

    def another_clip(self, rng: Random) -> bytes:
        """A video with pictures of its own, so that no other has the same proxy."""
        path = self._folder / f"clip-{rng.getrandbits(64):x}.mp4"
        try:
            return _clip(path, rng)
        finally:
            path.unlink(missing_ok=True)

    @contextmanager
    def _client(self, rng: Random) -> Iterator[Client]:
        client = Client(self._installation.address, self._installation.key, self.journal, rng)
        try:
            yield client
        finally:
            client.close()

    def _run(self, name: str, act: Callable[[Client], None], pause: float, rng: Random) -> None:
        with self._client(rng) as client:
            while not self._ended.wait(rng.uniform(0.5, 1.5) * pause):
                self._busy[name] = 1
                if not self._resting.is_set():
                    client.journal = self.journal
                    try:
                        act(client)
                    except NoAnswer as error:
                        self.troubles.append(f"{name}: nobody answered {error}")
                    except Exception as error:
                        self.troubles.append(f"{name}: {type(error).__name__} {error}")
                self._busy[name] = 0

    def _label(self, client: Client) -> None:
        known = client.rng.choice(self._known)
        frame = client.rng.randrange(0, FRAMES, KEYFRAME_EVERY)
        if client.rng.random() < _ABSENT_SHARE:
            client.say_absent(known.video_id, known.track, frame)
            return
        client.label(known.video_id, known.track, [frame], WIDTH, HEIGHT)

    def _bring(self, client: Client, upload: Callable[[int, bytes], int]) -> None:
        """Upload a video, wait for its ingest, and label it."""
        data = self.clip(client.rng)
        self.sending[UPLOAD] += 1
        try:
            video_id = upload(self._project, data)
        finally:
            self.sending[UPLOAD] -= 1
        video = self._wait(client, f"/videos/{video_id}", lambda video: video["status"] != "ingesting")
        if video["status"] != "ready":
            return  # the auditor looks into why
        track = int(client.ask("POST", f"/videos/{video_id}/tracks", json={"name": "one"})["id"])
        client.label(video_id, track, list(range(0, FRAMES, KEYFRAME_EVERY)), WIDTH, HEIGHT)
        self._known.append(Known(video_id, track))

    def _throw_away(self, client: Client) -> None:
        """Delete a video of one's own while it is ingested, propagated or exported; restore it, or have it erased."""
        told, client.journal = client.journal, Journal(answers=client.journal.answers, mistakes=client.journal.mistakes)
        data = self.clip(client.rng)
        video_id = client.upload(self._project, data)
        exports = self._work_on(client, video_id) if client.rng.random() < 0.7 else ()
        time.sleep(client.rng.random())
        purge = client.rng.random() < 0.5
        client.delete(video_id, purge=purge)
        if not purge:
            time.sleep(client.rng.random())
            if not client.restore(video_id):
                raise Lost(f"video {video_id} was deleted and could not be restored")
            self._wait(client, f"/videos/{video_id}", lambda video: video["status"] != "ingesting")
            told.restored.append(video_id)
            told.add(client.journal)
            return
        client.await_erasure(video_id)
        told.erased.append(Erased(video_id, hashlib.sha256(data).hexdigest(), tuple(client.journal.jobs), exports))

    def erase_one_more(self) -> None:
        """Have a video erased while all rest: with it goes what killed workers left of others."""
        with self._client(Random(self._rng.getrandbits(64))) as client:
            client.journal = Journal(answers=self.journal.answers, mistakes=self.journal.mistakes)
            data = self.clip(client.rng)
            video_id = client.upload(self._project, data)
            client.delete(video_id, purge=True)
            client.await_erasure(video_id)
            self.journal.erased.append(Erased(video_id, hashlib.sha256(data).hexdigest(), (), ()))

    def _work_on(self, client: Client, video_id: int) -> tuple[int, ...]:
        """Label, propagate and export a video, without waiting for the end of that; gives the exports."""
        video = self._wait(client, f"/videos/{video_id}", lambda video: video["status"] != "ingesting")
        if video["status"] != "ready":
            return ()
        track = int(client.ask("POST", f"/videos/{video_id}/tracks", json={"name": "one"})["id"])
        client.label(video_id, track, list(range(0, FRAMES, KEYFRAME_EVERY)), WIDTH, HEIGHT)
        client.start(f"/videos/{video_id}/propagations", {"engine": "flow"})
        job = client.start(f"/projects/{self._project}/exports", {"videos": [video_id], "images": True})
        return (int(client.ask("GET", f"/jobs/{job}")["result"]["export_id"]),)

    def _propagate(self, client: Client) -> None:
        known = client.rng.choice(self._known)
        engine = client.rng.choice(("flow", "flow", "linear"))
        self._job(client, f"/videos/{known.video_id}/propagations", {"engine": engine})

    def _export(self, client: Client) -> None:
        videos = sorted({client.rng.choice(self._known).video_id for _ in range(3)})
        body = {"videos": videos, "images": client.rng.random() < 0.5}
        self._job(client, f"/projects/{self._project}/exports", body)

    def _mend(self, client: Client) -> None:
        """Mend the tracks of a video of one's own, and take it back."""
        mending, self._mending = self._mending or self._begin_mending(client), None
        if mending is not None:
            mending.act(client, lambda video_id: self._exported(client, video_id))
            self._mending = mending  # not one of which an act was not taken back

    def _begin_mending(self, client: Client) -> Mending | None:
        video_id = client.upload(self._project, self.clip(client.rng))
        video = self._wait(client, f"/videos/{video_id}", lambda video: video["status"] != "ingesting")
        if video["status"] != "ready":
            return None
        frames = list(range(0, FRAMES, 2 * KEYFRAME_EVERY))
        for _ in range(SUBJECTS):
            track = int(client.ask("POST", f"/videos/{video_id}/tracks", json={"name": SUBJECT})["id"])
            client.label(video_id, track, frames, WIDTH, HEIGHT)
        return Mending(video_id, frames)

    def _exported(self, client: Client, video_id: int) -> bytes | None:
        """A video's export; None where the job did not succeed."""
        body = {"videos": [video_id], "include": ["human"]}
        number = client.start(f"/projects/{self._project}/exports", body)
        job = self._wait(client, f"/jobs/{number}", lambda job: job["state"] in FINISHED)
        return client.content(f"/exports/{job['result']['export_id']}/content") if job["state"] == SUCCEEDED else None

    def _job(self, client: Client, path: str, body: dict[str, object]) -> None:
        number = client.start(path, body)
        if client.rng.random() < _CANCELLED_SHARE:
            time.sleep(client.rng.random())
            client.cancel(number)
        self._wait(client, f"/jobs/{number}", lambda job: job["state"] in FINISHED)

    def _wait(self, client: Client, path: str, done: Callable[[dict[str, object]], bool]) -> dict[str, object]:
        deadline = time.monotonic() + _JOB_PATIENCE
        while time.monotonic() < deadline:
            shown = client.ask("GET", path)
            if done(shown):
                return shown
            time.sleep(_LOOK_SECONDS)
        raise NoAnswer(path)


def _clip(path: Path, rng: Random) -> bytes:
    """Noise that moves a little from frame to frame."""
    noise = np.random.default_rng(rng.getrandbits(64))
    wide = noise.integers(0, 255, (HEIGHT, WIDTH + FRAMES, 3), dtype=np.uint8)
    with VideoWriter(path, 25, WIDTH, HEIGHT) as writer:
        for index in range(FRAMES):
            writer.write(np.ascontiguousarray(wide[:, index : index + WIDTH]))
    return path.read_bytes()
