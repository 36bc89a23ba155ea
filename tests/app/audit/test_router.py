"""Who did what, and when: each act once, in the transaction that did it, and nothing where nothing was done."""

from __future__ import annotations

import hashlib
from base64 import b64encode
from datetime import UTC, datetime, timedelta
from typing import get_args

import pytest

from app.audit.schemas import Kind
from app.database import connect
from app.keys.service import Role
from app.storage import open_storage
from app.trash.erasure import Eraser
from cli.serve import offer


def acts(client, **query):
    """Everything in the trail, oldest first."""
    found, cursor = [], {}
    while True:
        page = client.get("/audit", params={"limit": 200, **query, **cursor}).json()
        found += page["items"]
        if page["next_cursor"] is None:
            return found[::-1]
        cursor = {"cursor": page["next_cursor"]}


class Trail:
    """What is added to the trail by what is done."""

    def __init__(self, client):
        self.client = client
        self.seen = len(acts(client))

    def added(self):
        trail = acts(self.client)
        fresh, self.seen = trail[self.seen :], len(trail)
        return fresh


@pytest.fixture
def trail(house):
    return Trail(house.http)


def one(trail, kind):
    (entry,) = trail.added()
    assert entry["kind"] == kind, entry
    return entry


def test_the_trail_tells_the_story_of_the_house(house):
    kinds = [entry["kind"] for entry in acts(house.http)]
    assert kinds[:5] == ["key.create", "project.create", "video.upload", "track.create", "labels.write"]


def test_an_entry_says_who_what_and_when(house, trail):
    written = house.http.put(f"{house.url}/labels", json=house.labels(5)).json()
    entry = one(trail, "labels.write")
    assert entry["details"] == {"revision": written["revision"], "written": 1}
    assert (entry["via"], entry["key_id"], entry["key_name"]) == ("key", 1, "local admin")
    assert (entry["project_id"], entry["video_id"]) == (house.project["id"], house.video["id"])
    assert datetime.now(UTC) - datetime.fromisoformat(entry["at"]) < timedelta(minutes=1)


def test_labels_taken_back_and_imported(house, trail, walker):
    where = {"frame_index": 6, "track_id": 1}
    house.http.put(f"{house.url}/labels", json=house.labels(6))
    trail.added()
    gone = house.http.delete(f"{house.url}/labels", params=where).json()
    entry = one(trail, "labels.delete")
    assert entry["details"] == {"revision": gone["revision"], **where, "keypoints": None}
    house.http.delete(f"{house.url}/labels", params=where)
    assert trail.added() == []
    export = house.service.finished(house.http.post(f"/projects/{house.project['id']}/exports", json={}).json())
    assert one(trail, "export.start")["details"] == {"job_id": export["id"], **export["result"]}
    coco = house.http.get(f"/exports/{export['result']['export_id']}/content").json()
    assert one(trail, "export.download")["details"] == export["result"]
    send = {"json": coco, "headers": {"Idempotency-Key": "import once"}}
    imported = house.http.post(f"{house.url}/labels/import", **send).json()
    told = {name: imported[name] for name in ("revision", "written", "removed", "tracks", "run_id")}
    assert one(trail, "labels.import")["details"] == {"mode": "add", **told}
    assert house.http.post(f"{house.url}/labels/import", **send).json() == imported
    assert trail.added() == []


def test_trainings_checkpoints_and_estimates(house, trail, plant_checkpoint):
    for frame in range(10, 45, 5):
        house.http.put(f"{house.url}/labels", json=house.labels(frame))
    trail.added()
    project = house.project["id"]
    job = house.http.post(f"/projects/{project}/trainings", json={"epochs": 3}).json()
    entry = one(trail, "training.start")
    assert entry["project_id"] == project
    assert {"job_id": job["id"], "estimator": "stdpose", "epochs": 3}.items() <= entry["details"].items()
    number = plant_checkpoint(house.service, project)
    assert house.http.post(f"/checkpoints/{number}/promote").json()["promoted"]
    entry = one(trail, "checkpoint.promote")
    assert (entry["key_id"], entry["details"]) == (1, {"checkpoint_id": number, "gate": False})
    house.http.post(f"/checkpoints/{number}/promote")
    assert trail.added() == []
    started = house.http.post(f"{house.url}/estimates", json={}).json()
    entry = one(trail, "estimate.start")
    assert entry["video_id"] == house.video["id"]
    assert entry["details"] == {"job_id": started["id"], **started["result"]}
    for waiting in (job, started):
        assert house.http.post(f"/jobs/{waiting['id']}/cancel").json()["state"] == "cancelled"
    assert [entry["kind"] for entry in trail.added()] == ["job.cancel", "job.cancel"]


def test_who_took_whole_files(house, trail, plant_checkpoint, refused):
    project, video, number = (
        house.project["id"],
        house.video["id"],
        plant_checkpoint(house.service, house.project["id"]),
    )
    run = house.service.finished(house.http.post(f"{house.url}/propagations", json={"engine": "linear"}).json())
    waiting = house.http.post(f"/projects/{project}/exports", json={}).json()
    begun = house.http.post(f"{house.url}/propagations", json={"engine": "linear"}).json()
    trail.added()
    with house.client(Role.READER) as reader:
        key = reader.get("/me").json()["key_id"]
        run_id = run["result"]["run_id"]
        for path, kind, about, details in (
            (f"{house.url}/content?original=1", "video.download", video, {}),
            (f"/checkpoints/{number}/content", "checkpoint.download", None, {"checkpoint_id": number}),
            (
                f"/checkpoints/{number}/files/report.json",
                "checkpoint.download",
                None,
                {"checkpoint_id": number, "file": "report.json"},
            ),
            (f"/runs/{run_id}/content", "run.download", video, {"run_id": run_id}),
        ):
            assert reader.get(path).status_code == 200
            entry = one(trail, kind)
            assert (entry["project_id"], entry["video_id"], entry["key_id"]) == (project, about, key)
            assert entry["details"] == details
        for path in (f"{house.url}/content", f"{house.url}/frames/3"):  # what is looked at is not taken away
            assert reader.get(path).status_code == 200
        refused(reader.get(f"/exports/{waiting['result']['export_id']}/content"), 409)
        refused(reader.get(f"/runs/{begun['result']['run_id']}/content"), 409)
        refused(reader.get(f"/checkpoints/{number}/files/loss.png"), 404)
        assert trail.added() == []
    with house.client(Role.READER) as other:
        for first in range(0, 30, 10):
            span = {"Range": f"bytes={first}-{first + 9}"}
            assert other.get(f"{house.url}/content?original=1", headers=span).status_code == 206
        assert one(trail, "video.download")["details"] == {"range": True}
    for job in (waiting, begun):
        assert house.http.post(f"/jobs/{job['id']}/cancel").is_success
    trail.added()


def test_labels_undone(house, trail, refused):
    revision = house.http.put(f"{house.url}/labels", json=house.labels(9)).json()["revision"]
    trail.added()
    undone = house.http.post(f"{house.url}/labels/revisions/{revision}/undo")
    entry = one(trail, "labels.undo")
    assert entry["details"] == {"undone": revision, **undone.json()}
    assert (entry["key_id"], entry["video_id"]) == (1, house.video["id"])
    refused(house.http.post(f"{house.url}/labels/revisions/{revision}/undo"), 409)
    assert trail.added() == []


def test_runs_and_jobs(house, trail):
    job = house.http.post(f"{house.url}/propagations", json={"engine": "linear"}).json()
    entry = one(trail, "propagation.start")
    assert entry["details"] == {"job_id": job["id"], "run_id": job["result"]["run_id"]}
    run = f"/runs/{job['result']['run_id']}"
    for send, kind in ((house.http.delete, "run.hide"), (lambda url: house.http.post(f"{url}/restore"), "run.restore")):
        assert send(run).status_code == 200
        entry = one(trail, kind)
        assert (entry["video_id"], entry["details"]) == (house.video["id"], {"run_id": job["result"]["run_id"]})
        send(run)
        assert trail.added() == []
    assert house.http.post(f"/jobs/{job['id']}/cancel").json()["state"] == "cancelled"
    entry = one(trail, "job.cancel")
    assert entry["details"] == {"job_id": job["id"], "job_kind": "propagate"}
    assert entry["project_id"] == house.project["id"]
    house.http.post(f"/jobs/{job['id']}/cancel")
    assert trail.added() == []


def test_reviews(house, trail):
    run = house.service.finished(house.http.post(f"{house.url}/propagations", json={"engine": "linear"}).json())
    trail.added()
    for number, verdict in enumerate(("accept", "reject"), 1):
        body = {"start": 2, "stop": 4, "track_id": 1, "keypoints": [0], "verdict": verdict}
        made = house.http.post(f"{house.url}/reviews", json=body).json()
        entry = one(trail, f"review.{verdict}")
        assert (entry["video_id"], made["id"]) == (house.video["id"], number)
        assert entry["details"] == {
            "review": number,
            **{name: body[name] for name in ("start", "stop", "track_id", "keypoints")},
            "radius90": made["radius90"],
        }
    undone = house.http.post(f"{house.url}/reviews/1/undo").json()
    assert one(trail, "review.undo")["details"] == {"review": undone["id"], "undone": 1}
    assert house.http.post(f"{house.url}/reviews/1/undo").status_code == 409
    assert trail.added() == []
    house.http.delete(f"/runs/{run['result']['run_id']}")
    trail.added()


def test_projects_and_uploads(house, trail, pair):
    project = house.service.project(pair.skeleton, "flies")
    assert one(trail, "project.create")["details"] == {"name": "flies"}
    assert house.http.patch(f"/projects/{project['id']}", json={"name": "flies 2"}).status_code == 200
    assert one(trail, "project.change")["details"] == {"name": "flies 2", "skeleton_version": 1}
    house.http.patch(f"/projects/{project['id']}", json={"name": "flies 2"})
    assert trail.added() == []
    video = house.service.upload(project, pair.path)
    entry = one(trail, "video.upload")
    assert entry["details"] == {"filename": pair.path.name, "sha256": video["sha256"]}
    assert entry["video_id"] == video["id"]
    house.service.upload(project, pair.path)
    assert trail.added() == []
    house.service.track(video, "first fly")
    assert one(trail, "track.create")["details"] == {"track_id": 1, "name": "first fly"}


def test_what_an_upload_in_pieces_becomes_is_done_by_whoever_began_it(house, trail, pair):
    project = house.service.project(pair.skeleton, "in pieces")
    data = pair.path.read_bytes()
    number, filename = (b64encode(value.encode()).decode() for value in (str(project["id"]), "flies.mp4"))
    tus = {"Tus-Resumable": "1.0.0", "Upload-Length": str(len(data))}
    tus["Upload-Metadata"] = f"project_id {number},filename {filename}"
    trail.added()
    with house.client(Role.ANNOTATOR) as anna:
        key_id = anna.get("/me").json()["key_id"]
        opened = anna.post("/session")
        browser = {"Authorization": "", "Cookie": opened.headers["set-cookie"].partition(";")[0]}
        browser |= {"Sec-Fetch-Site": "same-origin"}
        dropped, kept = (anna.post("/uploads", headers={**tus, **browser}).json()["id"] for _ in range(2))
        anna.delete("/session", headers=browser)
    begun = trail.added()
    assert [entry["kind"] for entry in begun] == ["session.open", "upload.start", "upload.start", "session.close"]
    for entry, upload in zip(begun[1:3], (dropped, kept), strict=True):
        assert (entry["via"], entry["key_id"], entry["project_id"]) == ("session", key_id, project["id"])
        assert entry["details"] == {"upload": upload, "filename": "flies.mp4"}
    assert house.http.delete(f"/uploads/{dropped}", headers=tus).status_code == 204
    entry = one(trail, "upload.cancel")
    assert (entry["key_id"], entry["project_id"]) == (1, project["id"])
    assert entry["details"] == {"upload": dropped, "filename": "flies.mp4"}
    headers = {**tus, "Upload-Offset": "0", "Content-Type": "application/offset+octet-stream"}
    video = int(house.http.patch(f"/uploads/{kept}", content=data, headers=headers).headers["posetween-video"])
    entry = one(trail, "video.upload")
    assert (entry["via"], entry["key_id"], entry["video_id"]) == ("session", key_id, video)
    assert entry["details"] == {"filename": "flies.mp4", "sha256": hashlib.sha256(data).hexdigest()}
    house.http.head(f"/uploads/{kept}", headers=tus)
    assert trail.added() == []


def test_an_address_that_signs_in_once(house, trail):
    settings = house.service.settings
    token = offer(settings, settings.admin_key_file.read_text().strip())
    entry = one(trail, "session.offer")
    assert (entry["via"], entry["key_id"]) == ("operator", None)
    assert token not in str(entry)


def test_keys_sessions_and_labs(house, trail):
    key = house.http.post("/keys", json={"name": "Anna", "role": "annotator"}).json()
    entry = one(trail, "key.create")
    assert entry["details"] == {"id": key["id"], "name": "Anna", "role": "annotator"}
    opened = house.http.post("/session", headers={"Authorization": f"Bearer {key['key']}"})
    entry = one(trail, "session.open")
    assert (entry["via"], entry["key_name"]) == ("key", "Anna")
    browser = {"Authorization": "", "Cookie": opened.headers["set-cookie"].partition(";")[0]}
    browser |= {"Sec-Fetch-Site": "same-origin"}
    house.http.put(f"{house.url}/labels", json=house.labels(7), headers=browser)
    entry = one(trail, "labels.write")
    assert (entry["via"], entry["key_id"], entry["key_name"]) == ("session", key["id"], "Anna")
    house.http.delete("/session", headers=browser)
    assert one(trail, "session.close")["key_id"] == key["id"]
    for _ in range(2):
        house.http.delete(f"/keys/{key['id']}")
    assert one(trail, "key.revoke")["details"] == {"id": key["id"]}
    lab = house.http.post("/labs", json={"name": "audited"}).json()
    assert one(trail, "lab.create")["details"] == {"lab_id": lab["id"], "name": "audited"}
    theirs = house.http.get("/audit", headers={"Authorization": f"Bearer {lab['key']['key']}"}).json()["items"]
    assert [(entry["kind"], entry["via"], entry["key_id"]) for entry in theirs] == [
        ("key.create", "operator", None),
        ("lab.create", "operator", None),
    ]
    assert not any(secret in str(acts(house.http)) for secret in (key["key"], lab["key"]["key"]))


def test_tracks_mended(house, trail):
    url = f"{house.url}/tracks"
    first = house.track["id"]
    second = house.http.post(url, json={"name": "second"}).json()["id"]
    labels = [house.labels(frame, track_id=second)["labels"][0] for frame in (11, 33)]
    assert house.http.put(f"{house.url}/labels", json={"labels": labels}).is_success
    trail.added()

    def sent(answer, kind, **details):
        assert answer.is_success, answer.text
        entry = one(trail, kind)
        assert entry["video_id"] == house.video["id"]
        assert {"revision": answer.json()["revision"], **details}.items() <= entry["details"].items()
        return answer.json()

    sent(house.http.patch(f"{url}/{second}", json={"name": "fly"}), "track.rename", track_id=second, name="fly")
    for _ in range(2):
        sent(house.http.post(f"{url}/swap", json={"a": first, "b": second}), "track.swap", a=first, b=second)
    third = sent(house.http.post(f"{url}/split", json={"track": second, "start": 20}), "track.split", track=second)[
        "id"
    ]
    merged = house.http.post(f"{url}/merge", json={"from": third, "into": second})
    sent(merged, "track.merge", **{"from": third, "into": second})
    sent(house.http.delete(f"{url}/{second}"), "track.delete", track_id=second)


def test_what_is_deleted_restored_and_erased(house, trail, pair):
    project = house.service.project(pair.skeleton, "short-lived")
    video = house.service.upload(project, pair.path)
    lab = house.http.post("/labs", json={"name": "short-lived"}).json()
    things = {"video": video["id"], "project": project["id"], "lab": lab["id"]}
    trail.added()
    for kind, number in things.items():
        url = f"/{kind}s/{number}"
        house.http.delete(url)
        entry = one(trail, f"{kind}.delete")
        assert entry["details"]["purge"] is False
        assert (entry["details"].get("lab_id") or entry[f"{kind}_id"]) == number
        house.http.delete(url)
        assert trail.added() == []
        house.http.post(f"{url}/restore")
        one(trail, f"{kind}.restore")
        house.http.post(f"{url}/restore")
        assert trail.added() == []
    for kind, number in things.items():
        house.http.delete(f"/{kind}s/{number}", params={"purge": True})
        assert one(trail, f"{kind}.delete")["details"]["purge"] is True
    database = connect(house.service.settings.database)
    Eraser(database, open_storage(house.service.settings), grace=timedelta(0), fresh=timedelta(0)).run()
    database.dispose()
    erased = trail.added()
    assert {entry["kind"] for entry in erased} == {"video.erase", "project.erase", "lab.erase"}
    assert {(entry["via"], entry["key_id"]) for entry in erased} == {("operator", None)}
    assert "short-lived" not in str(acts(house.http))


def test_every_kind_of_act_was_seen(house):
    """Last of those that do things: what the schema promises is written by something."""
    assert {entry["kind"] for entry in acts(house.http)} == {*get_args(Kind)}


def test_what_was_refused_leaves_no_entry(house, trail, refused):
    refused(house.http.put(f"{house.url}/labels", json=house.labels(10**6)), 422)
    refused(house.http.put(f"{house.url}/labels", json=house.labels(5), headers={"If-Match": "1"}), 412)
    with house.client(Role.READER) as reader:
        refused(reader.put(f"{house.url}/labels", json=house.labels(5)), 403)
    assert trail.added() == []


def test_newest_first_page_by_page_while_others_go_on(house):
    whole = [entry["id"] for entry in reversed(acts(house.http))]
    assert whole == sorted(whole, reverse=True)
    first = house.http.get("/audit", params={"limit": 3}).json()
    house.http.put(f"{house.url}/labels", json=house.labels(8))
    second = house.http.get("/audit", params={"limit": 3, "cursor": first["next_cursor"]}).json()
    assert [entry["id"] for entry in first["items"] + second["items"]] == whole[:6]


def test_filters(house):
    everything = acts(house.http)
    for name in ("kind", "project_id", "video_id", "key_id"):
        for value in {entry[name] for entry in everything} - {None}:
            wanted = [entry for entry in everything if entry[name] == value]
            assert acts(house.http, **{name: value}, limit=7) == wanted
    both = {"kind": "labels.write", "video_id": house.video["id"]}
    assert {entry["kind"] for entry in acts(house.http, **both)} == {"labels.write"}


@pytest.mark.parametrize("query", [{"kind": "labels.burn"}, {"video_id": 0}, {"project_id": "x"}, {"cursor": "?"}])
def test_filters_that_make_no_sense(house, refused, query):
    refused(house.http.get("/audit", params=query), 422, f"/{next(iter(query))}")
