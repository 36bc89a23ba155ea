"""Uploads that are begun and never finished: a lab has so many at most, also where it begins many at once."""

from __future__ import annotations

from base64 import b64encode
from concurrent.futures import ThreadPoolExecutor

import pytest

from app.settings import Settings

MOST = Settings.model_fields["max_open_uploads"].default
AT_ONCE = 8

TUS = {"Tus-Resumable": "1.0.0"}


@pytest.fixture(scope="module")
def strict(serving, walker, tmp_path_factory):
    service = serving(Settings(data_dir=tmp_path_factory.mktemp("strict"), port=0))
    service.project(walker.skeleton)
    return service


def begin(client, project_id=1, **headers):
    number, name = (b64encode(text.encode()).decode() for text in (str(project_id), "x.mp4"))
    metadata = {"Upload-Metadata": f"project_id {number},filename {name}"}
    return client.post("/uploads", headers={**TUS, **metadata, "Upload-Defer-Length": "1", **headers})


def test_a_lab_has_so_many_uploads_open(strict, refused, walker):
    with ThreadPoolExecutor(AT_ONCE) as pool:
        answers = [*pool.map(lambda _: begin(strict.http), range(MOST + AT_ONCE))]
    made = [answer for answer in answers if answer.status_code == 201]
    assert len(made) == MOST
    for answer in answers:
        if answer not in made:
            problem = refused(answer, 429)
            assert str(MOST) in problem["detail"]
            assert answer.headers["retry-after"]
    refused(begin(strict.http), 429)
    first = {"Idempotency-Key": "the first"}
    assert strict.http.delete(f"/uploads/{made[0].json()['id']}", headers=TUS).status_code == 204
    again = begin(strict.http, **first)
    assert again.status_code == 201
    assert begin(strict.http, **first).json() == again.json()
    refused(begin(strict.http), 429)
    # Nobody else is kept from anything.
    other = strict.http.post("/labs", json={"name": "other"}).json()["key"]["key"]
    headers = {"Authorization": f"Bearer {other}"}
    skeleton = {"name": "s", "keypoints": ["a"]}
    project = strict.http.post("/projects", json={"name": "p", "skeleton": skeleton}, headers=headers).json()
    assert begin(strict.http, project["id"], **headers).status_code == 201
    video = strict.http.post("/projects/1/videos", content=walker.path.read_bytes())
    assert video.status_code == 201
