"""Eight people write labels on the same frames at the same time, and nothing that was acknowledged is lost."""

from __future__ import annotations

import json
import random
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.client import HTTPConnection
from urllib.parse import urlparse

import httpx2
import numpy as np
import pytest
from sqlalchemy import select

from app.database import connect
from app.main import PREFIX
from app.settings import Settings
from app.tables import Label
from worker.loop import work

pytestmark = pytest.mark.slow

WRITERS, WRITES = 8, 500
FRAMES, TRACKS, KEYPOINTS = 6, 2, 3
#: How often somebody whose write was refused looks at what the others wrote and sends it again.
TRIES = 3


@contextmanager
def server(settings):
    """A server process of its own; gives its address."""
    command = [sys.executable, "-m", "cli.main", "serve", "--data-dir", str(settings.data_dir), "--port", "0", "--json"]
    child = subprocess.Popen([*command, "--database-url", settings.database], stdout=subprocess.PIPE, text=True)
    try:
        yield json.loads(child.stdout.readline())["address"]
    finally:
        child.terminate()
        child.wait(timeout=60)
        child.stdout.close()


@dataclass
class Refusal:
    """A write that came too late."""

    label: dict
    known: int
    problem: dict


@dataclass
class Writer:
    """One person: a key, what they wrote, and what they were told."""

    number: int
    key_id: int
    key: str
    address: str
    path: str
    told: dict[int, dict] = field(default_factory=dict)  # by revision, the label that was acknowledged under it
    refusals: list[Refusal] = field(default_factory=list)
    given_up: int = 0

    def write(self) -> None:
        """Write again and again; every tenth label only as long as nobody was faster."""
        rng, known = random.Random(self.number), 0
        self.http = HTTPConnection(urlparse(self.address).netloc, timeout=300)
        for turn in range(WRITES):
            label = self.label(rng, turn)
            tries = TRIES if turn % 10 == 9 else 0
            for _ in range(tries or 1):
                known, written = self.put(label, known if tries else None)
                if written:
                    break
            else:
                self.given_up += 1
        self.http.close()

    def label(self, rng: random.Random, turn: int) -> dict:
        """A label of one keypoint or more; its numbers tell who wrote it, and when."""
        said = rng.sample(range(KEYPOINTS), rng.randint(1, KEYPOINTS))
        point = [float(self.number), float(turn), rng.choice((1, 2))]
        keypoints = [point if k in said else [0.0, 0.0, 0] for k in range(KEYPOINTS)]
        return {"frame_index": rng.randrange(FRAMES), "track_id": rng.randint(1, TRACKS), "keypoints": keypoints}

    def put(self, label: dict, known: int | None) -> tuple[int, bool]:
        """Write a label; gives the revision of the answer and whether it was written."""
        headers = {"Authorization": f"Bearer {self.key}"} | ({} if known is None else {"If-Match": f'"{known}"'})
        self.http.request("PUT", self.path, json.dumps({"labels": [label]}), headers)
        answer = self.http.getresponse()
        body = json.loads(answer.read())
        if answer.status == 412:
            assert known is not None
            self.refusals.append(Refusal(label, known, body))
            return body["revision"], False
        assert answer.status == 200, body
        assert (body["written"], answer.headers["ETag"]) == (1, f'"{body["revision"]}"')
        assert body["revision"] not in self.told
        self.told[body["revision"]] = label
        return body["revision"], True


class History:
    """What the video's labels must have been after each revision, by what the writers were told."""

    def __init__(self, told: dict[int, dict]) -> None:
        self.states: dict[tuple[int, int], list[tuple[int, list]]] = {}
        for revision, label in sorted(told.items()):
            states = self.states.setdefault((label["frame_index"], label["track_id"]), [])
            before = states[-1][1] if states else [[0.0, 0.0, 0]] * KEYPOINTS
            after = [said if said[2] else old for said, old in zip(label["keypoints"], before, strict=True)]
            states.append((revision, after))

    def at(self, frame_index: int, track_id: int, revision: int) -> tuple[int, list]:
        """The revision that last changed a label, and the label, as of a revision."""
        states = self.states.get((frame_index, track_id), [])
        return max((state for state in states if state[0] <= revision), default=(0, []), key=lambda state: state[0])


@pytest.fixture
def desk(database_url, tmp_path, walker):
    """A server process with one video, the eight writers, and the admin's client."""
    settings = Settings(data_dir=tmp_path / "data", database_url=database_url)
    with server(settings) as address:
        headers = {"Authorization": f"Bearer {settings.admin_key_file.read_text().strip()}"}
        with httpx2.Client(base_url=f"{address}{PREFIX}", headers=headers, timeout=300) as http:
            skeleton = {"name": "s", "keypoints": [f"k{k}" for k in range(KEYPOINTS)]}
            project = http.post("/projects", json={"name": "p", "skeleton": skeleton}).json()
            video = http.post(f"/projects/{project['id']}/videos", content=walker.path.read_bytes()).json()
            work(settings, threading.Event(), until_idle=True)
            for number in range(TRACKS):
                http.post(f"/videos/{video['id']}/tracks", json={"name": f"t{number}"})
            writers = []
            for number in range(WRITERS):
                key = http.post("/keys", json={"name": f"w{number}", "role": "annotator"}).json()
                path = f"{PREFIX}/videos/{video['id']}/labels"
                writers.append(Writer(number, key["id"], key["key"], address, path))
            yield settings, http, f"/videos/{video['id']}/labels", writers


def test_nothing_that_was_acknowledged_is_lost(desk):
    settings, http, url, writers = desk
    with ThreadPoolExecutor(WRITERS) as pool:
        list(pool.map(Writer.write, writers))
    told = {revision: label for writer in writers for revision, label in writer.told.items()}
    assert len(told) == sum(len(writer.told) for writer in writers), "two writers were told the same revision"
    assert len(told) == WRITERS * WRITES - sum(writer.given_up for writer in writers)
    assert sorted(told) == list(range(1, len(told) + 1))

    # Every acknowledged write is in the history, under its author's key, and says there what its author said.
    who = {revision: writer.key_id for writer in writers for revision in writer.told}
    assert listed(http, f"{url}/revisions") == {revision: ("put", who[revision]) for revision in told}
    assert stored(settings) == {
        revision: (label["frame_index"], label["track_id"], label["keypoints"]) for revision, label in told.items()
    }

    # Whoever was refused saw both versions, exactly where somebody else changed the same label.
    history = History(told)
    refusals = [refusal for writer in writers for refusal in writer.refusals]
    assert refusals
    assert any(refusal.problem["conflicts"] for refusal in refusals)
    for refusal in refusals:
        label, present = refusal.label, refusal.problem["revision"]
        assert present > refusal.known
        changed, theirs = history.at(label["frame_index"], label["track_id"], present)
        expected = {**label, "yours": label["keypoints"], "theirs": theirs, "revision": changed}
        del expected["keypoints"]
        assert refusal.problem["conflicts"] == ([expected] if changed > refusal.known else [])

    # What stands in the end is the last acknowledged word about each keypoint.
    shown = http.get(url, params={"stop": FRAMES}).json()
    assert shown["revision"] == len(told)
    assert {(one["frame_index"], one["track_id"]): (one["revision"], one["keypoints"]) for one in shown["labels"]} == {
        key: states[-1] for key, states in history.states.items()
    }


def listed(http, url):
    """Every revision's kind and key, as the API lists them."""
    found, cursor = {}, None
    while True:
        page = http.get(url, params={"limit": 200, **({"cursor": cursor} if cursor else {})}).json()
        found |= {entry["revision"]: (entry["kind"], entry["key_id"]) for entry in page["items"]}
        cursor = page["next_cursor"]
        if cursor is None:
            return found


def stored(settings):
    """What each revision says, from the rows: its frame and track, and the points that it changed."""
    database = connect(settings.database)
    with database.session(readonly=True) as session:
        rows = session.execute(
            select(Label.revision, Label.frame_index, Label.track_number, Label.keypoints, Label.changed)
        ).all()
    database.dispose()
    found = {}
    for revision, frame, track, keypoints, changed in rows:
        assert revision not in found
        points = np.frombuffer(keypoints, "<f4").reshape(-1, 3)
        said = np.frombuffer(changed, np.uint8)[:, None] * points
        found[revision] = (frame, track, said.tolist())
    return found
