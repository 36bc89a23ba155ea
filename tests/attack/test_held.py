"""Attempts that never got through, so that they never will: odd names, paths, numbers, ranges and headers."""

from __future__ import annotations

import socket
from urllib.parse import quote, urlparse

import pytest

from app.keys.service import Role
from app.settings import Settings
from tests.answers import lasting
from tests.app.conftest import client_of
from tests.attack.conftest import PATIENCE

ODD_NAMES = [
    '"; filename="evil.html',
    "../../../etc/passwd",
    "<svg onload=alert(1)>.svg",
    "evil\u202egpj.mp4",
    "nom\u00e9 \u2603 \U0001f98b.mp4",
    "a;b,c=d.mp4",
    "%0d%0aSet-Cookie: x=1",
    "\\..\\..\\windows.mp4",
]

#: What is no number, cursor or kind, in the ways of those who try.
ODD_VALUES = [
    "1 OR 1=1",
    "1; DROP TABLE job",
    "1' --",
    "' UNION SELECT 1 --",
    "\u0663",
    "1e3",
    "0x1",
    "-1",
    str(2**53 + 1),
    "9" * 400,
]

TRAVERSALS = [
    "..",
    "../..",
    "%2e%2e",
    "%2e%2e%2f%2e%2e%2fetc%2fpasswd",
    "..%5c..%5c",
    "....//",
    "%252e%252e",
    "~",
    "C:",
]


@pytest.mark.parametrize("name", ODD_NAMES)
def test_a_file_name_adds_nothing_to_an_answer(tenant, walker, name):
    data = walker.path.read_bytes() + b"\0\0\0\x0cfree" + len(name).to_bytes(4, "big")
    url = f"/projects/{tenant.ids['project_id']}/videos"
    video = tenant.admin.post(url, params={"filename": name}, content=data)
    assert video.status_code in (200, 201), video.text
    answer = tenant.admin.get(f"/videos/{video.json()['id']}/content", params={"original": True})
    assert answer.status_code == 200
    said = answer.headers["content-disposition"]
    assert said.startswith("attachment; filename")
    assert said.isascii()
    assert "set-cookie" not in answer.headers
    assert said.count(";") == 1 or said.startswith('attachment; filename="')
    assert said.count('"') in (0, 2)
    assert answer.headers["content-type"] == "application/octet-stream"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert tenant.admin.delete(f"/videos/{video.json()['id']}", params={"purge": 1}).status_code == 202


@pytest.mark.parametrize("path", TRAVERSALS)
def test_no_path_leads_out_of_its_folder(tenant, path):
    address = urlparse(str(tenant.admin.base_url))
    folders = ["/assets", "/docs", "/static-offline-docs", "/api/v1/uploads", "/api/v1/videos"]
    folders.append(f"/api/v1/checkpoints/{tenant.ids['checkpoint_id']}/files")
    for folder in folders:
        target = f"{folder}/{path}"
        with socket.create_connection((address.hostname, address.port), timeout=PATIENCE) as connection:
            head = f"GET {target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
            connection.sendall(f"{head}Authorization: {tenant.admin.headers['authorization']}\r\n\r\n".encode())
            said = b""
            while piece := connection.recv(65536):
                said += piece
        assert int(said.split()[1]) in (400, 404, 405, 412, 422), target
        assert b"root:" not in said
        assert b"pt_" not in said


@pytest.mark.parametrize("value", ODD_VALUES)
def test_what_is_no_number_is_refused(tenant, value):
    """As an id, a cursor, a filter and a header; never a mistake of ours."""
    safe = quote(value)
    asked = [
        *(f"/{things}/{safe}" for things in ("projects", "videos", "jobs", "runs", "exports", "checkpoints")),
        *(f"/{things}?cursor={safe}" for things in ("projects", "jobs", "keys", "audit")),
        *(f"/jobs?{name}={safe}" for name in ("limit", "video_id", "state", "order")),
        *(f"/audit?{name}={safe}" for name in ("kind", "key_id", "project_id", "video_id")),
        *(f"/videos/{tenant.ids['video_id']}/labels?{name}={safe}" for name in ("start", "stop", "revision", "layer")),
        f"/videos/{tenant.ids['video_id']}/frames/{safe}",
    ]
    for path in asked:
        answer = tenant.admin.get(path)
        assert answer.status_code in (404, 412, 422), (path, answer.text[:200])
    headers = {"If-Match": value.encode("utf-8"), "Idempotency-Key": value.encode("utf-8")}
    answer = tenant.admin.put(f"/videos/{tenant.ids['video_id']}/labels", json={"labels": []}, headers=headers)
    assert answer.status_code in (400, 412, 422)


@pytest.mark.parametrize("parts", [500, 2000])
def test_many_ranges_cost_no_more_than_the_file(tenant, parts):
    url = f"/videos/{tenant.ids['video_id']}/content"
    whole = tenant.admin.get(url).content
    spans = ",".join(f"{2 * number}-{2 * number}" for number in range(parts))
    answer = tenant.admin.get(url, headers={"Range": f"bytes={spans}"})
    assert answer.status_code in (200, 206)
    assert len(answer.content) < len(whole) + 300 * parts
    again = "bytes=" + ",".join(["0-"] * parts)
    assert len(tenant.admin.get(url, headers={"Range": again}).content) <= 2 * len(whole)


def test_a_limit_cannot_be_walked_around_with_headers(serving, tmp_path, refused):
    strict = serving(Settings(data_dir=tmp_path / "limited", port=0, requests_per_minute=20))
    with client_of(strict, Role.READER) as reader:
        codes = [
            reader.get(
                "/me",
                headers={
                    "X-Forwarded-For": f"10.0.0.{number}",
                    "X-Real-IP": f"10.1.0.{number}",
                    "Forwarded": f"for=10.2.0.{number}",
                    "User-Agent": f"agent {number}",
                },
            ).status_code
            for number in range(40)
        ]
    assert codes[0] == 200
    assert 429 in codes


@pytest.mark.parametrize(
    "headers",
    [
        {"X-HTTP-Method-Override": "DELETE"},
        {"X-HTTP-Method": "DELETE"},
        {"X-Method-Override": "DELETE"},
        {"X-Original-URL": "/api/v1/labs"},
        {"X-Rewrite-URL": "/api/v1/labs"},
    ],
)
def test_no_header_makes_another_request_of_one(tenant, headers, everything):
    with tenant.client(Role.READER) as reader:
        before = lasting(tenant.admin.get(f"/videos/{tenant.ids['video_id']}"))
        answer = reader.post(f"/videos/{tenant.ids['video_id']}", headers=headers)
        assert answer.status_code == 405
        assert reader.get("/me", headers=headers).json()["role"] == "reader"
        assert lasting(tenant.admin.get(f"/videos/{tenant.ids['video_id']}")) == before


MANIFESTS = {
    "dash": b'<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011"><Period><BaseURL>http://127.0.0.1:1/</BaseURL>'
    b"</Period></MPD>",
    "hls": b"#EXTM3U\n#EXT-X-VERSION:3\n#EXTINF:1,\nhttp://127.0.0.1:1/a.ts\n#EXT-X-ENDLIST\n",
    "concat": b"ffconcat version 1.0\nfile 'http://127.0.0.1:1/a.mp4'\n",
    "sdp": b"v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\nc=IN IP4 127.0.0.1\r\nm=video 5004 RTP/AVP 96\r\n",
    "elf": b"\x7fELF\x02\x01\x01" + bytes(200),
    "gif": b"GIF89a\xff\xff\xff\xff\x80\x00\x00" + bytes(100),
    "vapoursynth": b"import vapoursynth as vs\nimport os\nos.system('true')\n",
}


@pytest.mark.parametrize("kind", MANIFESTS)
def test_what_would_have_a_decoder_fetch_something_is_refused(tenant, refused, kind):
    url = f"/projects/{tenant.ids['project_id']}/videos"
    before = lasting(tenant.admin.get(url))
    refused(tenant.admin.post(url, params={"filename": f"x.{kind}"}, content=MANIFESTS[kind]), 422)
    assert lasting(tenant.admin.get(url)) == before
