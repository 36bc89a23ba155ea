"""Control characters in names, NUL first of all, which Postgres cannot keep."""

from __future__ import annotations

from base64 import b64encode

import pytest

BAD = ["\0", "a\0b", "line\nbreak", "return\r", "\x1b[31mred", "\x7f", "\x85", "tab\t"]


def skeleton(**changes):
    return {"name": "s", "keypoints": ["a", "b"], **changes}


@pytest.mark.parametrize("bad", BAD)
def test_a_name_in_a_body(tenant, refused, bad):
    video, project = f"/videos/{tenant.ids['video_id']}", f"/projects/{tenant.ids['project_id']}"
    track = f"{video}/tracks/{tenant.ids['number']}"
    asked = [
        ("POST", "/projects", {"name": bad, "skeleton": skeleton()}, "/name"),
        ("POST", "/projects", {"name": "x", "skeleton": skeleton(name=bad)}, "/skeleton/name"),
        ("POST", "/projects", {"name": "x", "skeleton": skeleton(keypoints=["a", bad])}, "/skeleton/keypoints/1"),
        ("POST", "/projects", {"name": "x", "skeleton": skeleton(retired=[bad])}, "/skeleton/retired/0"),
        ("PATCH", project, {"name": bad}, "/name"),
        ("PATCH", project, {"retired": [bad]}, "/retired/0"),
        ("POST", "/keys", {"name": bad}, "/name"),
        ("POST", f"{video}/tracks", {"name": bad}, "/name"),
        ("PATCH", track, {"name": bad}, "/name"),
        ("POST", f"{video}/tracks/split", {"track": tenant.ids["number"], "start": 8, "name": bad}, "/name"),
    ]
    for method, path, body, pointer in asked:
        refused(tenant.admin.request(method, path, json=body), 422, pointer)
    refused(tenant.service.http.post("/labs", json={"name": bad}), 422, "/name")


@pytest.mark.parametrize("bad", BAD)
def test_the_name_of_a_file(tenant, refused, bad):
    url = f"/projects/{tenant.ids['project_id']}/videos"
    refused(tenant.admin.post(url, params={"filename": bad}, content=b"x"), 422, "/filename")
    number = b64encode(str(tenant.ids["project_id"]).encode()).decode()
    metadata = f"project_id {number},filename {b64encode(bad.encode()).decode()}"
    headers = {"Tus-Resumable": "1.0.0", "Upload-Length": "10", "Upload-Metadata": metadata}
    refused(tenant.admin.post("/uploads", headers=headers), 422, "/upload-metadata/filename")


def test_control_characters_where_text_is_looked_for(tenant):
    for path in (
        "/jobs?cursor=%00",
        "/projects?cursor=%00",
        "/projects?name=%00",
        "/audit?kind=%00",
        "/jobs?state=%00",
    ):
        assert tenant.admin.get(path).status_code == 422, path
    for path in ("/projects/%00", "/uploads/%00", f"/checkpoints/{tenant.ids['checkpoint_id']}/files/%00"):
        assert tenant.admin.get(path).status_code in (404, 405, 422), path


def test_names_in_a_coco_file_are_made_plain(tenant, walker):
    points = [12.5, 20.0, 2] * len(walker.skeleton.keypoints)
    coco = {
        "images": [{"id": 1, "file_name": "a\0.jpg", "width": 320, "height": 240, "frame_index": 2}],
        "annotations": [
            {"id": 1, "image_id": 1, "category_id": 1, "keypoints": points, "attributes": {"track_id": "an\0na\n"}}
        ],
        "categories": [{"id": 1, "name": "sub\0ject", "keypoints": list(walker.skeleton.keypoints), "skeleton": []}],
    }
    answer = tenant.admin.post(f"/videos/{tenant.ids['video_id']}/labels/import", json=coco)
    assert answer.status_code == 200, answer.text
    assert [*answer.json()["identities"]] == ["an na"]


def test_names_in_every_script_are_kept(tenant):
    for name in ("Größe", "姿勢", "🦋 left wing", "עברית", "a\u200db"):
        made = tenant.admin.post("/projects", json={"name": name, "skeleton": skeleton(keypoints=[name])})
        assert made.status_code == 201, made.text
        assert tenant.admin.get(f"/projects/{made.json()['id']}").json()["name"] == name
