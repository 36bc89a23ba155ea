"""An API process and a worker process on a loop of real work: what their logs and metrics say of it."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.services import free_port

TOKEN = "a-token-of-prometheus"
GUARD = {"Authorization": f"Bearer {TOKEN}"}
PAGE = Path(__file__).parents[2] / "docs" / "observability.md"
SECRET_QUERY = "a-secret-in-a-query"


def wait(condition, seconds=120):
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline, "it does not come about"
        time.sleep(0.1)
    return found


@contextmanager
def process(log: Path, *words: object, **settings: object) -> Iterator[subprocess.Popen[str]]:
    chosen = {"log_format": "json", "metrics_token": TOKEN, **settings}
    environment = {**os.environ, **{f"POSETWEEN_{name.upper()}": str(value) for name, value in chosen.items()}}
    with log.open("a") as stream:
        child = subprocess.Popen(
            [sys.executable, "-m", "cli.main", *map(str, words)],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=stream,
            text=True,
        )
    try:
        yield child
    finally:
        child.send_signal(signal.SIGTERM)
        child.wait(timeout=60)
        child.stdout.close()


@dataclass
class Observed:
    """What is left to look at after the loop."""

    address: str
    worker_address: str
    key: str
    folder: Path
    video: dict[str, Any]
    job: dict[str, Any]
    named: str

    def log(self, which: str) -> list[dict[str, Any]]:
        """The lines of a process; each must be JSON."""
        return [json.loads(line) for line in (self.folder / which).read_text().splitlines()]

    def metrics(self, address: str) -> list[Any]:
        """Every sample of a process."""
        answer = httpx2.get(f"{address}/metrics", headers=GUARD, timeout=60)
        assert answer.status_code == 200, answer.text
        return [sample for each in text_string_to_metric_families(answer.text) for sample in each.samples]

    def value(self, address: str, name: str, **labels: str) -> float:
        """A sample's value; 0 where it is not there."""
        return sum(each.value for each in self.metrics(address) if each.name == name and each.labels == labels)


@pytest.fixture(scope="module")
def observed(tmp_path_factory, walker) -> Iterator[Observed]:
    folder = tmp_path_factory.mktemp("observed")
    data = folder / "data"
    port = free_port()
    with ExitStack() as stack:
        api = stack.enter_context(process(folder / "api", "serve", "--json", "--port", 0, "--data-dir", data))
        about = json.loads(api.stdout.readline())
        key = Path(about["key_file"]).read_text().strip()
        stack.enter_context(
            process(folder / "worker", "worker", "--data-dir", data, "--device", "cpu", worker_metrics_port=port)
        )
        http = stack.enter_context(
            httpx2.Client(base_url=about["address"] + "/api/v1", headers={"Authorization": f"Bearer {key}"}, timeout=60)
        )

        def ended(job):
            return wait(lambda: (shown := http.get(f"/jobs/{job['id']}").json())["finished_at"] and shown)

        skeleton = {"name": "walker", "keypoints": list(walker.skeleton.keypoints)}
        project = http.post("/projects", json={"name": "observed", "skeleton": skeleton}).json()["id"]
        video = http.post(f"/projects/{project}/videos", content=walker.path.read_bytes()).json()
        assert ended({"id": video["ingest_job_id"]})["state"] == "succeeded"
        url = f"/videos/{video['id']}"
        http.post(f"{url}/tracks", json={"name": "subject"})
        points = [[10.0 + k, 20.0, 2] for k in range(len(skeleton["keypoints"]))]
        labels = [{"frame_index": frame, "track_id": 1, "keypoints": points} for frame in (0, 20, 44)]
        assert http.put(f"{url}/labels", json={"labels": labels}).status_code == 200
        begun = http.post(f"{url}/propagations", json={"engine": "flow"}, headers={"X-Request-Id": "my-own.name-1"})
        job = ended(begun.json())
        assert job["state"] == "succeeded", job
        http.get("/me", params={"token": SECRET_QUERY}, headers={"Cookie": "posetween_session=ps_1_" + "c" * 43})
        httpx2.get(f"{about['address']}/api/v1/me", headers={"Authorization": "Bearer pt_9_" + "k" * 43}, timeout=60)
        yield Observed(
            about["address"],
            f"http://127.0.0.1:{port}",
            key,
            folder,
            video,
            job,
            begun.headers["x-request-id"],
        )


def test_a_request_has_a_line_with_who_what_and_how_long(observed):
    (line,) = [line for line in observed.log("api") if line.get("route") == "/api/v1/videos/{video_id}/labels"]
    assert (line["method"], line["path"]) == ("PUT", f"/api/v1/videos/{observed.video['id']}/labels")
    assert (line["status"], line["lab_id"], line["key_id"], line["level"]) == (200, 1, 1, "info")
    assert line["ms"] > 0
    assert line["bytes_in"] > 100
    assert line["bytes_out"] > 10
    assert re.fullmatch("[0-9a-f]{32}", line["request_id"])


def test_a_job_can_be_followed_from_the_request_to_the_worker(observed):
    assert observed.named == "my-own.name-1"
    (queued,) = [
        line
        for line in observed.log("api")
        if line["message"] == "job is queued" and line["request_id"] == observed.named
    ]
    assert (queued["job_id"], queued["job_kind"], queued["queue"]) == (observed.job["id"], "propagate", "gpu-quick")
    mine = [line for line in observed.log("worker") if line.get("job_id") == observed.job["id"]]
    assert [line["message"] for line in mine] == ["job begins", "job ends"]
    assert {(line["job_kind"], line["attempt"]) for line in mine} == {("propagate", 1)}
    assert len({line["worker"] for line in mine}) == 1
    assert mine[0]["waited"] >= 0
    assert mine[1]["outcome"] == "succeeded"
    assert mine[1]["seconds"] > 0


@pytest.mark.parametrize("given", ["", "x" * 65, "with space", "semi;colon", "under_score", "<b>", "ü".encode()])
def test_a_name_that_is_not_plain_is_replaced(observed, given):
    answer = httpx2.get(f"{observed.address}/nowhere", headers={"X-Request-Id": given}, timeout=60)
    assert re.fullmatch("[0-9a-f]{32}", answer.headers["x-request-id"])
    assert answer.headers["x-request-id"] != given


def test_a_mistake_of_ours_can_be_asked_about(observed):
    scratch = observed.folder / "data" / "scratch"
    scratch.rename(scratch.with_name("elsewhere"))
    try:
        headers = {"Authorization": f"Bearer {observed.key}", "X-Request-Id": "quote-me"}
        answer = httpx2.post(f"{observed.address}/api/v1/projects/1/videos", headers=headers, content=b"x", timeout=60)
    finally:
        scratch.with_name("elsewhere").rename(scratch)
    assert answer.status_code == 500
    assert answer.headers["x-request-id"] == "quote-me"
    assert answer.json()["request_id"] == "quote-me"
    assert "quote-me" in answer.json()["detail"]
    (line,) = wait(lambda: [line for line in observed.log("api") if line.get("request_id") == "quote-me"])
    assert (line["level"], line["status"], line["key_id"]) == ("error", 500, 1)
    assert "FileNotFoundError" in line["exception"]
    labels = {"method": "POST", "route": "/api/v1/projects/{project_id}/videos", "status": "5xx"}
    assert observed.value(observed.address, "posetween_request_seconds_count", **labels) == 1


def test_a_download_is_counted_to_its_last_byte(observed):
    headers = {"Authorization": f"Bearer {observed.key}", "X-Request-Id": "whole"}
    url = f"{observed.address}/api/v1/videos/{observed.video['id']}/content"
    size = len(httpx2.get(url, headers=headers, timeout=60).content)
    (line,) = wait(lambda: [line for line in observed.log("api") if line.get("request_id") == "whole"])
    assert (line["status"], line["bytes_out"]) == (200, size)


def test_secrets_and_labels_are_in_no_log(observed):
    written = "".join((observed.folder / which).read_text() for which in ("api", "worker"))
    secrets = [observed.key.rpartition("_")[2], observed.key, TOKEN, SECRET_QUERY, "c" * 43, "k" * 43, "keypoints"]
    assert [secret for secret in secrets if secret in written] == []
    assert len(written) > 1000


def test_the_worker_counts_what_it_did(observed):
    def value(name, **labels):
        return observed.value(observed.worker_address, name, **labels)

    for kind in ("ingest", "propagate"):
        wait(lambda kind=kind: value("posetween_jobs_done_total", kind=kind, outcome="succeeded") == 1)
        assert value("posetween_job_wait_seconds_count", kind=kind) == 1
        assert value("posetween_device_seconds_total", device="cpu", kind=kind) > 0
    assert value("posetween_segments_propagated_total", engine="flow") == 3
    assert value("posetween_frames_propagated_total", engine="flow") == 45
    assert value("posetween_out_of_memory_total") == 0
    assert value("posetween_storage_seconds_count", operation="write") >= 3 + 3
    assert value("posetween_disk_free_bytes") > 0


def test_the_api_counts_what_it_did(observed, walker):
    def value(name, **labels):
        return observed.value(observed.address, name, **labels)

    route = "/api/v1/projects/{project_id}/videos"
    assert value("posetween_upload_bytes_total", route=route) >= walker.path.stat().st_size
    assert value("posetween_labels_written_total", act="put") == 3
    assert value("posetween_jobs", queue="gpu", state="queued") == 0
    assert value("posetween_ledger_up") == 1


def test_the_page_has_the_labels_that_there_are(observed):
    rows = re.findall(r"^\| `(posetween_\w+)` \| \w+ \|([^|]*)\|", PAGE.read_text(), re.MULTILINE)
    explained = {name: set(re.findall(r"\w+", labels)) for name, labels in rows}
    for address in (observed.address, observed.worker_address):
        for sample in observed.metrics(address):
            name = re.sub("_(bucket|sum|count|created)$", "", sample.name)
            name = name if name in explained else f"{name}_total"
            if sample.name.startswith("posetween_"):
                assert {*sample.labels} - {"le"} == explained[name], sample.name


@pytest.mark.parametrize("header", [{}, {"Authorization": "Bearer x"}, {"Authorization": TOKEN}])
def test_both_want_the_token(observed, header):
    for address in (observed.address, observed.worker_address):
        answer = httpx2.get(f"{address}/metrics", headers=header, timeout=60)
        assert answer.status_code == 401
        assert TOKEN not in answer.text


def test_the_worker_shows_nothing_else(observed):
    assert httpx2.get(f"{observed.worker_address}/", headers=GUARD, timeout=60).status_code == 404


def test_a_port_that_is_taken_is_said(observed, tmp_path):
    port = observed.worker_address.rpartition(":")[2]
    done = subprocess.run(
        [sys.executable, "-m", "cli.main", "worker", "--data-dir", observed.folder / "data", "--metrics-port", port],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert f"cannot show metrics on 127.0.0.1:{port}" in done.stderr
    assert "Traceback" not in done.stderr


def test_where_machines_read_the_admin_key_is_not_said(tmp_path):
    with process(tmp_path / "log", "serve", "--port", 0, "--data-dir", tmp_path / "data") as child:
        wait(lambda: "serving at http://127.0.0.1:" in (tmp_path / "log").read_text())
        child.send_signal(signal.SIGTERM)
        child.wait(timeout=60)
        assert child.stdout.read() == ""
    assert "pt_1_" not in (tmp_path / "log").read_text()
