"""What every answer carries, whoever made it."""

from __future__ import annotations

import base64
import hashlib
import re

import httpx2
import pytest

from app.main import create_app
from app.settings import Settings
from cli.serve import prepare

ALWAYS = {
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
}
PAGES = ["/", "/status", "/docs", "/redoc"]
ANSWERS = [
    *PAGES,
    "/healthz",
    "/nowhere",
    "/api/v1/openapi.json",
    "/api/v1/me",
    "/api/v1/projects/999",
    "/static-offline-docs/swagger-ui.css",
]


@pytest.fixture(scope="module")
def root(house):
    with httpx2.Client(
        base_url=str(house.http.base_url).partition("/api/")[0], headers=house.http.headers, timeout=60
    ) as client:
        yield client


@pytest.mark.parametrize("path", ANSWERS)
def test_every_answer_is_guarded(root, path):
    headers = root.get(path).headers
    assert {name: headers[name] for name in ALWAYS} == ALWAYS
    assert "frame-ancestors 'none'" in headers["content-security-policy"]
    assert "strict-transport-security" not in headers
    assert "max-age=" in root.get(path, headers={"X-Forwarded-Proto": "https"}).headers["strict-transport-security"]


@pytest.mark.parametrize("path", [path for path in ANSWERS if path not in PAGES])
def test_what_is_no_page_may_load_nothing(root, path):
    assert "default-src 'none'" in root.get(path).headers["content-security-policy"]


@pytest.mark.parametrize("path", PAGES)
def test_a_page_may_load_what_stands_in_it(root, path):
    answer = root.get(path)
    policy = dict(part.strip().partition(" ")[::2] for part in answer.headers["content-security-policy"].split(";"))
    assert policy["default-src"] in ("'none'", "'self'")
    assert "unsafe-inline" not in policy.get("script-src", "")
    for tag in ("script", "style"):
        for block in re.findall(rf"<{tag}>(.+?)</{tag}>", answer.text, re.DOTALL):
            digest = base64.b64encode(hashlib.sha256(block.encode()).digest()).decode()
            assert f"'sha256-{digest}'" in policy[f"{tag}-src"] or "'unsafe-inline'" in policy[f"{tag}-src"]
    sources = re.findall(r'(?:src|href)="([^"]+)"', answer.text)
    assert all(source.startswith("/") for source in sources)
    assert {root.get(source).status_code for source in sources} <= {200}


def test_data_are_not_kept_but_what_never_changes_is(house, root):
    for path in ("/api/v1/me", "/api/v1/projects", f"/api/v1{house.url}/labels", "/api/v1/projects/999"):
        assert root.get(path).headers["cache-control"] == "no-store"
    for path in (f"/api/v1{house.url}/frames/0", f"/api/v1{house.url}/content"):
        assert root.get(path).headers["cache-control"] == "private, max-age=31536000, immutable"
    assert root.get("/").headers.get("cache-control", "no-cache") == "no-cache"


def test_a_mistake_of_ours_is_guarded_too(tmp_path):
    settings = Settings(data_dir=tmp_path)
    prepare(settings)
    app = create_app(settings)
    app.state.storage = None  # any handler that needs it breaks

    async def ask():
        transport = httpx2.ASGITransport(app, raise_app_exceptions=False)
        async with httpx2.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
            key = settings.admin_key_file.read_text().strip()
            client.headers["Authorization"] = f"Bearer {key}"
            project = {"name": "x", "skeleton": {"name": "s", "keypoints": ["a"]}}
            number = (await client.post("/api/v1/projects", json=project)).json()["id"]
            return await client.post(f"/api/v1/projects/{number}/videos", content=b"x")

    import anyio

    answer = anyio.run(ask)
    app.state.database.dispose()
    assert answer.status_code == 500
    assert answer.headers["content-type"] == "application/problem+json"
    assert {name: answer.headers[name] for name in ALWAYS} == ALWAYS
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["ratelimit"]
