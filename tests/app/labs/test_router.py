"""The operator makes labs; a lab knows itself and nobody else."""

from __future__ import annotations

import httpx2
import pytest

from app.settings import Settings


@pytest.fixture(scope="module")
def estate(serving, tmp_path_factory):
    return serving(Settings(data_dir=tmp_path_factory.mktemp("estate"), port=0, max_queued_jobs=0))


def admin_of(estate, made):
    key = made["key"]["key"]
    return httpx2.Client(base_url=estate.http.base_url, headers={"Authorization": f"Bearer {key}"}, timeout=60)


def test_a_lab_comes_with_a_key_of_its_admin(estate, refused):
    answer = estate.http.post("/labs", json={"name": "Smith lab"})
    assert answer.status_code == 201
    made = answer.json()
    assert (made["name"], made["operator"], made["key"]["role"]) == ("Smith lab", False, "admin")
    with admin_of(estate, made) as admin:
        me = admin.get("/me").json()
        assert (me["lab_id"], me["lab_name"], me["role"], me["operator"]) == (made["id"], "Smith lab", "admin", False)
        refused(admin.get("/labs"), 403)
        refused(admin.post("/labs", json={"name": "x"}), 403)
        assert admin.get("/lab").json() == {
            "id": made["id"],
            "name": "Smith lab",
            "operator": False,
            "created_at": made["created_at"],
            "deleted_at": None,
            "restore_until": None,
            "stored_bytes": 0,
            "promised_bytes": 0,
            "max_stored_bytes": None,
            "queued_jobs": 0,
            "max_queued_jobs": None,
        }
        # Whoever made the lab can be shut out of it.
        own = admin.post("/keys", json={"name": "mine alone", "role": "admin"}).json()
        admin.headers["Authorization"] = f"Bearer {own['key']}"
        assert admin.delete(f"/keys/{made['key']['id']}").status_code == 204
        assert [key["name"] for key in admin.get("/keys").json()["items"]] == ["first admin", "mine alone"]
    with admin_of(estate, made) as maker:
        refused(maker.get("/me"), 401)


def test_the_operator_lists_labs_page_by_page(estate):
    for number in range(4):
        estate.http.post("/labs", json={"name": f"lab {number}"})
    first = estate.http.get("/labs", params={"limit": 3}).json()
    rest = estate.http.get("/labs", params={"limit": 200, "cursor": first["next_cursor"]}).json()
    labs = first["items"] + rest["items"]
    assert labs[0] == {**labs[0], "id": 1, "name": "local", "operator": True}
    assert [lab["name"] for lab in labs if lab["operator"]] == ["local"]
    assert {f"lab {number}" for number in range(4)} <= {lab["name"] for lab in labs}


def test_a_lab_sent_twice_is_not_made_twice(estate, refused, everything):
    assert estate.http.post("/labs", json={"name": "twice"}).status_code == 201
    before = everything(estate)
    refused(estate.http.post("/labs", json={"name": "twice"}), 409)
    assert everything(estate) == before


@pytest.mark.parametrize("body", [{}, {"name": ""}, {"name": "  "}, {"name": "x" * 201}, {"name": None}])
def test_bad_labs(estate, refused, everything, body):
    before = everything(estate)
    refused(estate.http.post("/labs", json=body), 422, "/name")
    assert everything(estate) == before
