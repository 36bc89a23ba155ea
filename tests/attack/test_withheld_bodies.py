"""A body that never comes holds up nobody else: every route that can have one, over the OpenAPI schema."""

from __future__ import annotations

import time
from contextlib import ExitStack

import pytest

from tests.attack.conftest import unfinished

pytestmark = pytest.mark.slow

#: More than write at a time on either kind of database.
AT_ONCE = 4

# Until what was sent has gone as far as it can.
_ARRIVES_SECONDS = 0.3


def test_others_write_while_any_body_is_withheld(tenant, bystander):
    routes = [(method, path) for method, path in tenant.routes() if method in ("POST", "PUT", "PATCH", "DELETE")]
    assert ("POST", "/videos/{video_id}/labels/revisions/{revision}/undo") in routes
    assert len(routes) > 20
    tenant.admin.post("/session").raise_for_status()
    for method, path in routes:
        request = tenant.requests[method, path]
        url = path.format(**{**tenant.ids, "revision": 1})
        with ExitStack() as withheld:
            for begun in (b"", b"{", b"", b"{")[:AT_ONCE]:
                given = {name: request.get(name) for name in ("headers", "params")}
                withheld.enter_context(unfinished(tenant.admin, method, url, begun=begun, **given))
            time.sleep(_ARRIVES_SECONDS)
            bystander.write()
            assert bystander.http.get("/me").status_code == 200, (method, path)
