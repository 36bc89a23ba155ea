"""``/metrics``: who may read it, what it says, and that nobody can blow it up."""

from __future__ import annotations

import random
import re
import string
from base64 import b64encode
from pathlib import Path

import httpx2
import pytest
from prometheus_client import CollectorRegistry
from prometheus_client.parser import text_string_to_metric_families
from pydantic import ValidationError

from app.keys.service import Role
from app.metrics import StorageMetrics
from app.observed_storage import ObservedStorage
from app.settings import Settings
from worker.metrics import WorkerMetrics

TOKEN = "a-token-of-prometheus"
PAGE = Path(__file__).parents[2] / "docs" / "observability.md"


def root(service):
    return str(service.http.base_url).partition("/api/")[0]


def ask(service, path="/metrics", **headers):
    return httpx2.get(root(service) + path, headers=headers, timeout=60)


def samples(service):
    """Every sample, by name and labels; as an operator sees them."""
    answer = ask(service, Authorization=f"Bearer {service.key}")
    assert answer.status_code == 200, answer.text
    families = text_string_to_metric_families(answer.text)
    return {
        (sample.name, *sorted(sample.labels.values())): sample.value for each in families for sample in each.samples
    }


@pytest.fixture(scope="module")
def open_here(serving, tmp_path_factory):
    return serving(Settings(data_dir=tmp_path_factory.mktemp("open"), port=0))


@pytest.fixture(scope="module")
def guarded(serving, tmp_path_factory):
    return serving(Settings(data_dir=tmp_path_factory.mktemp("guarded"), port=0, metrics_token=TOKEN))


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),
        ({"Host": "localhost:9"}, 200),
        ({"Host": "[::1]"}, 200),
        ({"Host": "posetween.example.org"}, 401),  # a proxy, or a page that took on a name of this machine
        ({"X-Forwarded-For": "203.0.113.9"}, 401),
        ({"X-Forwarded-For": "127.0.0.1"}, 401),
        ({"X-Forwarded-Proto": "https"}, 401),
        ({"Forwarded": "for=203.0.113.9"}, 401),
        ({"Via": "1.1 proxy"}, 401),
        ({"X-Real-IP": "203.0.113.9"}, 401),
        ({"Authorization": f"Bearer {TOKEN}"}, 401),
        ({"Authorization": "Bearer"}, 200),  # says nothing
    ],
)
def test_without_a_token_only_this_machine_is_answered(open_here, headers, status):
    answer = ask(open_here, **headers)
    assert answer.status_code == status, answer.text
    assert ("posetween_jobs" in answer.text) == (status == 200)


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Authorization": f"Bearer {TOKEN}"}, 200),
        ({"Authorization": f"Bearer {TOKEN}", "Host": "api:8000", "X-Forwarded-For": "203.0.113.9"}, 200),
        ({}, 401),
        ({"Authorization": f"Bearer {TOKEN}x"}, 401),
        ({"Authorization": f"Bearer {TOKEN.upper()}"}, 401),
        ({"Authorization": f"Basic {TOKEN}"}, 401),
        ({"Authorization": b"Bearer \xff\xfe"}, 401),
        ({"Cookie": f"posetween_session={TOKEN}"}, 401),
    ],
)
def test_with_a_token_whoever_shows_it_is_answered(guarded, refused, headers, status):
    answer = ask(guarded, **headers)
    assert answer.status_code == status, answer.text
    if status == 401:
        refused(answer, 401)
        assert answer.headers["www-authenticate"] == "Bearer"
        assert TOKEN not in answer.text


@pytest.mark.parametrize("which", ["open_here", "guarded"])
def test_of_keys_only_an_operator_s_opens_it(which, request, refused):
    service = request.getfixturevalue(which)
    far = {"Host": "posetween.example.org"}
    assert ask(service, Authorization=f"Bearer {service.key}", **far).status_code == 200
    other = service.http.post("/labs", json={"name": "other"}).json()["key"]["key"]
    annotator = service.http.post("/keys", json={"name": "x", "role": Role.ANNOTATOR.value}).json()["key"]
    for key in (other, annotator):
        refused(ask(service, Authorization=f"Bearer {key}"), 403)
    refused(ask(service, Authorization="Bearer pt_1_" + "x" * 43), 401)


@pytest.mark.parametrize("token", ["short", "with a space in it", "ä" * 20, "line\n" * 5])
def test_a_token_is_hard_to_guess_and_fits_into_a_header(token):
    with pytest.raises(ValidationError):
        Settings(metrics_token=token)
    assert TOKEN not in repr(Settings(metrics_token=TOKEN))


def test_it_is_no_part_of_the_api(open_here):
    assert "/metrics" not in open_here.http.get("/openapi.json").json()["paths"]


def test_a_scraper_gets_the_format_it_asks_for(open_here):
    assert ask(open_here).headers["content-type"].startswith("text/plain; version=")
    answer = ask(open_here, Accept="application/openmetrics-text; version=1.0.0")
    assert answer.headers["content-type"].startswith("application/openmetrics-text")
    assert answer.text.endswith("# EOF\n")


def test_made_up_requests_make_no_new_series(open_here):
    def series():
        return {key for key in samples(open_here) if key[0].startswith("posetween_request_seconds")}

    rng = random.Random(4)
    ask(open_here, "/nowhere")
    open_here.http.get("/projects/1")
    open_here.http.request("GETS", "/me")
    series()  # scraping is a request too
    before = series()
    for _ in range(200):
        word = "".join(rng.choices(string.printable, k=12))
        ask(open_here, f"/{word.encode().hex()}/{rng.random()}")
        open_here.http.get(f"/projects/{rng.randrange(2, 10**9)}")
        open_here.http.request("".join(rng.choices(string.ascii_uppercase, k=9)), "/me")
    assert series() == before
    routes = {label for key in before for label in key[1:] if "/" in label or label == "other"}
    assert {"other", "/api/v1/projects/{project_id}", "/metrics"} <= routes


def test_requests_are_counted_by_route_and_class(service):
    def count(*labels):
        return samples(service).get(("posetween_request_seconds_count", *sorted(labels)), 0)

    for status, paths in {"2xx": ["/me"] * 3, "4xx": ["/projects/7", "/projects/8"]}.items():
        for path in paths:
            service.http.get(path)
        route = "/api/v1/projects/{project_id}" if status == "4xx" else "/api/v1/me"
        assert count("GET", route, status) == len(paths)
    assert samples(service)["posetween_requests_in_flight",] == 1  # the scrape itself


def test_bytes_of_uploads_are_counted_both_ways(service, walker):
    project = service.project(walker.skeleton)
    data = walker.path.read_bytes()
    assert service.http.post(f"/projects/{project['id']}/videos", content=data).status_code == 201
    tus = {"Tus-Resumable": "1.0.0", "Content-Type": "application/offset+octet-stream"}
    described = f"project_id {b64encode(str(project['id']).encode()).decode()}"
    begun = service.http.post(
        "/uploads", headers={**tus, "Upload-Length": str(len(data)), "Upload-Metadata": described}, content=data[:100]
    )
    where = begun.headers["location"].removeprefix("/api/v1")
    assert samples(service)["posetween_uploads_open",] == 1
    # The method may come as a header, and is counted all the same.
    override = {"X-HTTP-Method-Override": "PATCH", "Upload-Offset": "100"}
    assert service.http.post(where, headers={**tus, **override}, content=data[100:]).status_code == 204
    found = samples(service)
    counted = {key[1]: value for key, value in found.items() if key[0] == "posetween_upload_bytes_total"}
    assert counted == {
        "/api/v1/projects/{project_id}/videos": len(data),
        "/api/v1/uploads": 100,
        "/api/v1/uploads/{upload_id}": len(data) - 100,
    }
    assert found["posetween_jobs", "cpu-quick", "queued"] == 1
    assert found["posetween_storage_seconds_count", "write"] == 2
    assert found["posetween_request_seconds_count", "/api/v1/uploads/{upload_id}", "2xx", "PATCH"] == 1


def test_labels_are_counted_once_they_are_committed(service, walker, wait_for):
    def written():
        found = samples(service)
        return {key[1]: value for key, value in found.items() if key[0] == "posetween_labels_written_total"}

    project = service.project(walker.skeleton)
    video = service.upload(project, walker.path)
    service.track(video)
    url = f"/videos/{video['id']}/labels"
    labels = [service.label(frame, 1, walker.tracks[1]) for frame in (0, 20, 44)]
    revision = service.http.put(url, json={"labels": labels}).json()["revision"]
    assert written() == {"put": 3}
    assert service.http.put(url, json={"labels": labels}, headers={"If-Match": "0"}).status_code == 412
    assert service.http.put(url, json={"labels": [{**labels[0], "frame_index": 99}]}).status_code == 422
    assert written() == {"put": 3}
    for _ in range(2):
        service.http.delete(url, params={"frame_index": 0, "track_id": 1})
    again = {"Idempotency-Key": "once"}
    for _ in range(2):
        assert service.http.post(f"{url}/revisions/{revision}/undo", headers=again).status_code == 200
    assert written() == {"put": 3, "delete": 1, "undo": 2}
    exported = service.finished(service.http.post(f"/projects/{project['id']}/exports", json={}).json())
    assert exported["state"] == "succeeded"


def test_a_storage_that_fails_is_counted(service, walker):
    project = service.project(walker.skeleton)
    video = service.upload(project, walker.path)
    store = service.settings.data_dir / "storage" / "sha256"
    for path in store.rglob("*"):
        if path.is_file():
            path.write_bytes(b"damaged")
    assert service.http.get(f"/videos/{video['id']}/frames/3").status_code == 503
    assert samples(service)["posetween_storage_errors_total", "read"] >= 1


def test_every_metric_is_explained_and_nothing_else(open_here):
    row = re.compile(r"^\| `(posetween_\w+)` \| (\w+) \|[^|]*\| (\w+) \| [^|]+ \|$", re.MULTILINE)
    text = ask(open_here, Authorization=f"Bearer {open_here.key}").text
    kept = {
        "API": {(each.name, each.type) for each in text_string_to_metric_families(text)},
        "worker": {(each.name, each.type) for each in WorkerMetrics(open_here.settings).registry.collect()},
    }
    both = kept["API"] & kept["worker"]
    found = {
        (f"{name}_total" if kind == "counter" else name, kind, "both" if (name, kind) in both else where)
        for where, metrics in kept.items()
        for name, kind in metrics
        if name.startswith("posetween_") and not name.endswith("_created")
    }
    assert set(row.findall(PAGE.read_text())) == found


def test_a_call_that_is_called_off_is_no_error_of_the_storage(tmp_path):
    registry = CollectorRegistry()
    storage = ObservedStorage(StorageMetrics.on(registry), (tmp_path / "objects").as_uri(), tmp_path / "scratch")
    source = tmp_path / "source"
    source.write_bytes(b"x" * 2**20)

    def call_off():
        raise KeyError("called off")

    with pytest.raises(KeyError):
        storage.adopt(source, step=call_off)
    assert registry.get_sample_value("posetween_storage_errors_total", {"operation": "write"}) is None
