"""What is quick is done while something takes long: real processes, as `posetween up` brings them along."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import httpx2
import psutil
import pytest
from sqlalchemy import select

from app.database import connect
from app.tables import Job
from tests.services import needed

needed("torch")


def wait(condition, seconds=240):
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline, "it does not come about"
        time.sleep(0.05)
    return found


@pytest.fixture
def lab(tmp_path):
    """Requests to a service with its workers, whose folder is ``tmp_path``."""
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "cli.main", "up", "--json", "--port", "0", "--data-dir", str(tmp_path / "data")],
            stdout=subprocess.PIPE,
            stderr=log,
            env={**os.environ, "POSETWEEN_DEVICE": "cpu"},
        )
    try:
        about = json.loads(process.stdout.readline())
        headers = {"Authorization": f"Bearer {Path(about['key_file']).read_text().strip()}"}
        with httpx2.Client(base_url=about["address"] + "/api/v1", headers=headers, timeout=60) as http:
            yield http, process
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=60)
        process.stdout.close()


def ask(http, method, path, **request):
    answer = http.request(method, path, **request)
    assert answer.is_success, answer.text
    return answer.json()


def lane_of(pid):
    words = psutil.Process(pid).cmdline()
    return words[words.index("--lane") + 1]


@pytest.mark.slow
def test_quick_jobs_are_done_while_a_training_runs_and_another_waits(lab, walker, pair, tmp_path):
    http, _ = lab

    def job(number):
        return ask(http, "GET", f"/jobs/{number}")

    def succeeded(number):
        assert wait(lambda: (shown := job(number))["finished_at"] and shown)["state"] == "succeeded"

    skeleton = {"name": "walker", "keypoints": list(walker.skeleton.keypoints)}
    project = ask(http, "POST", "/projects", json={"name": "lanes", "skeleton": skeleton})["id"]
    uploads = f"/projects/{project}/videos"
    video = ask(http, "POST", uploads, content=walker.path.read_bytes())
    succeeded(video["ingest_job_id"])
    ask(http, "POST", f"/videos/{video['id']}/tracks", json={"name": "subject"})
    (truth,) = walker.tracks.values()
    labels = [
        {"frame_index": int(frame), "track_id": 1, "keypoints": [[*point, 2] for point in points]}
        for frame, points in zip(truth.frames, truth.xy.tolist(), strict=True)
    ]
    ask(http, "PUT", f"/videos/{video['id']}/labels", json={"labels": labels})

    trainings = [ask(http, "POST", f"/projects/{project}/trainings", json={"minutes": 60}) for _ in range(2)]
    running, waiting = (training["id"] for training in trainings)
    wait(lambda: job(running)["state"] == "running")
    quick = [
        ask(http, "POST", uploads, content=pair.path.read_bytes())["ingest_job_id"],
        ask(http, "POST", f"/videos/{video['id']}/propagations", json={"engine": "flow"})["id"],
        ask(http, "POST", f"/projects/{project}/exports", json={"videos": [video["id"]]})["id"],
    ]
    for number in quick:
        succeeded(number)
    assert job(running)["state"] == "running"
    assert (job(waiting)["state"], job(waiting)["attempt"]) == ("queued", 0)
    database = connect(f"sqlite:///{tmp_path / 'data' / 'posetween.db'}")
    with database.session(readonly=True) as session:
        owners = {row.id: row.owner for row in session.execute(select(Job.id, Job.owner))}
    database.dispose()
    assert lane_of(int(owners[running].split(":")[1])) == "all"
    assert {lane_of(int(owners[number].split(":")[1])) for number in quick} == {"quick"}
    for number in (waiting, running):
        ask(http, "POST", f"/jobs/{number}/cancel")
    wait(lambda: job(running)["state"] == "cancelled")
