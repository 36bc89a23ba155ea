"""The name under which a service is asked for is the client's to say: no answer leads there."""

from __future__ import annotations

import httpx2
import pytest

EVIL = "evil.example"


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PUT", "DELETE"])
def test_no_path_is_redirected_to_the_name_that_a_client_says(tenant, method):
    base = str(tenant.admin.base_url).split("/api/")[0]
    paths = {path.format(**{**tenant.ids, "revision": 1}) for _, path in tenant.routes()}
    whole = [f"/api/v1{path}{slash}" for path in paths if not path.endswith("/events") for slash in ("", "/")]
    pages = [
        "/docs/",
        "/redoc/",
        "/status/",
        "/healthz/",
        "/readyz/",
        "/metrics/",
        "//",
        "/assets",
        "/assets/",
        "//evil",
    ]
    with httpx2.Client(headers={"Host": EVIL}, timeout=60) as stranger:
        for path in whole + pages:
            answer = stranger.request(method, base + path)
            assert EVIL not in answer.headers.get("location", ""), path
            assert not answer.is_redirect, path
