"""Which role each call needs: the table of docs/accounts.md, tried out."""

from __future__ import annotations

import re
from pathlib import Path

import httpx2
import pytest

from app.keys.service import Role

PAGE = Path(__file__).parents[2] / "docs" / "accounts.md"
ROW = re.compile(r"\| (GET|PUT|POST|PATCH|DELETE|HEAD|OPTIONS) \| `([^`]+)` \| (\w+) \|")
LADDER = [role.value for role in Role] + ["operator"]


def table():
    return {(method, path): role for method, path, role in ROW.findall(PAGE.read_text())}


def test_the_table_has_every_route_and_no_other(tenant):
    assert {*table()} == {*tenant.routes()}
    assert {*table().values()} == {*LADDER}


@pytest.mark.parametrize("role", LADDER[:-1])
def test_each_role_may_do_what_the_table_says_and_no_more(tenant, role, refused, everything):
    with tenant.client(Role(role)) as client:
        for (method, path), needed in table().items():
            request = tenant.aim(method, path)
            before = everything(tenant.service)
            answer = request(client)
            if LADDER.index(role) < LADDER.index(needed):
                # To an admin of one lab another lab is not there.
                status = 404 if (role, path) == ("admin", "/labs/{lab_id}/restore") else 403
                assert "needs" in refused(answer, status)["detail"] or needed == "operator"
                assert everything(tenant.service) == before, (method, path)
            elif (method, path) == ("DELETE", "/session"):
                assert answer.status_code == 404  # a key is no session
            else:
                assert answer.is_success, f"{method} {path}: {answer.status_code} {answer.text[:300]}"


def test_the_operator_makes_labs(tenant):
    for (method, path), needed in table().items():
        if needed == "operator":
            assert tenant.call(tenant.service.http, method, path).is_success


def test_in_the_operator_s_lab_only_admins_are_operators(tenant, refused):
    for role in (Role.READER, Role.ANNOTATOR, Role.LAB):
        with httpx2.Client(base_url=tenant.admin.base_url, timeout=60) as client:
            key = tenant.service.http.post("/keys", json={"name": "x", "role": role.value}).json()["key"]
            client.headers["Authorization"] = f"Bearer {key}"
            refused(client.get("/labs"), 403)
            refused(client.post("/labs", json={"name": "more"}), 403)
            assert client.get("/me").json()["operator"] is False
    assert tenant.service.http.get("/me").json()["operator"] is True


def test_every_route_wants_a_key(tenant, refused, everything):
    for method, path in tenant.routes():
        request = tenant.aim(method, path)
        before = everything(tenant.service)
        with httpx2.Client(base_url=tenant.admin.base_url, timeout=60) as nobody:
            answer = request(nobody)
        refused(answer, 401)
        assert answer.headers["www-authenticate"] == "Bearer"
        assert everything(tenant.service) == before, (method, path)
