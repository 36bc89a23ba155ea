"""A browser trades a key for a cookie, and nobody else can use it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from http.cookies import SimpleCookie

import httpx2
import pytest
from sqlalchemy import select

from app.database import connect
from app.keys.service import Role
from app.sessions import service as sessions
from app.settings import Settings
from app.tables import ApiKey, BrowserSession, SignIn
from cli.serve import offer

NAME = "posetween_session"
OURS = {"Sec-Fetch-Site": "same-origin"}
PROJECT = {"name": "x", "skeleton": {"name": "s", "keypoints": ["a"]}}


@pytest.fixture(scope="module")
def door(serving, tmp_path_factory):
    return serving(Settings(data_dir=tmp_path_factory.mktemp("door"), port=0))


def new_key(door, role=Role.LAB, **more):
    return door.http.post("/keys", json={"name": f"{role.value}'s", "role": role.value, **more}).json()


def opened(door, key, **headers):
    return httpx2.post(
        f"{door.http.base_url}session", headers={"Authorization": f"Bearer {key['key']}", **headers}, timeout=60
    )


def cookie(answer):
    return SimpleCookie(answer.headers["set-cookie"])[NAME]


def browser(door, key):
    """A client with nothing but the cookie."""
    answer = opened(door, key)
    assert answer.status_code == 201, answer.text
    return httpx2.Client(base_url=door.http.base_url, headers={"Cookie": f"{NAME}={cookie(answer).value}"}, timeout=60)


def test_a_key_opens_a_session_that_may_do_what_the_key_may(door, refused):
    key = new_key(door)
    with browser(door, key) as page:
        me = page.get("/me").json()
        assert (me["key_id"], me["key_name"], me["role"], me["lab_name"]) == (key["id"], "lab's", "lab", "local")
        assert me["session_expires_at"] is not None
        assert page.post("/projects", json=PROJECT, headers=OURS).status_code == 201
        refused(page.get("/keys"), 403)
    assert door.http.get("/me").json()["session_expires_at"] is None


def test_the_cookie_is_kept_from_scripts_and_other_sites(door):
    made = cookie(opened(door, new_key(door)))
    assert (made["httponly"], made["samesite"], made["path"], made["secure"]) == (True, "strict", "/api/v1", "")
    left = parsedate_to_datetime(made["expires"]) - datetime.now(UTC)
    assert timedelta(hours=11.9) < left < timedelta(hours=12.1)
    # As a proxy on this machine that ends TLS says it.
    assert cookie(opened(door, new_key(door), **{"X-Forwarded-Proto": "https"}))["secure"] is True


def test_neither_the_answer_nor_the_database_has_what_opens_the_door(door, everything):
    answer = opened(door, new_key(door))
    _, _, secret = cookie(answer).value.split("_", 2)
    assert secret not in answer.text
    assert not any(secret in str(rows) for rows in everything(door).values())


def test_leaving_ends_the_session_for_good(door, refused):
    with browser(door, new_key(door)) as page:
        refused(page.delete("/session"), 403)
        gone = page.delete("/session", headers=OURS)
        assert gone.status_code == 204
        assert (cookie(gone).value, cookie(gone)["max-age"], cookie(gone)["path"]) == ("", "0", "/api/v1")
        refused(page.get("/me"), 401)
        refused(page.delete("/session", headers=OURS), 401)


def test_a_session_dies_with_its_key(door, refused):
    key = new_key(door)
    with browser(door, key) as page, browser(door, new_key(door)) as other:
        assert page.get("/me").status_code == 200
        assert door.http.delete(f"/keys/{key['id']}").status_code == 204
        assert "revoked" in refused(page.get("/me"), 401)["detail"]
        assert other.get("/me").status_code == 200


def test_a_session_ends_with_the_day_or_the_key_whichever_comes_first(door, refused):
    soon = datetime.now(UTC) + timedelta(minutes=5)
    answer = opened(door, new_key(door, expires_at=soon.isoformat()))
    assert datetime.fromisoformat(answer.json()["expires_at"]) == soon
    with browser(door, new_key(door)) as page:
        number = int(page.headers["Cookie"].split("_")[2])
        database = connect(door.settings.database)
        with database.session() as session:
            session.get_one(BrowserSession, number).expires_at = datetime.now(UTC) - timedelta(seconds=1)
        assert "expired" in refused(page.get("/me"), 401)["detail"]
        # The next one that opens sweeps up what is over.
        assert opened(door, new_key(door)).status_code == 201
        with database.session(readonly=True) as session:
            left = session.scalars(select(BrowserSession)).all()
        assert left
        assert all(row.expires_at > datetime.now(UTC) for row in left)
        database.dispose()


def test_a_session_does_not_open_another(door, refused):
    with browser(door, new_key(door)) as page:
        refused(page.post("/session", headers=OURS), 403)


def test_where_there_are_both_the_key_counts(door):
    with browser(door, new_key(door, Role.READER)) as page:
        page.headers["Authorization"] = f"Bearer {door.key}"
        assert page.get("/me").json()["role"] == "admin"
        assert page.post("/projects", json=PROJECT, headers={"Sec-Fetch-Site": "cross-site"}).status_code == 201


@pytest.mark.parametrize("text", ["", "x", "ps_1_short", f"ps_1_{'A' * 43}", f"ps_999999_{'A' * 43}"])
def test_cookies_that_are_not_known(door, refused, text):
    refused(httpx2.get(f"{door.http.base_url}me", headers={"Cookie": f"{NAME}={text}"}, timeout=60), 401)


def test_a_key_is_no_cookie_and_a_cookie_no_key(door, refused):
    refused(httpx2.get(f"{door.http.base_url}me", headers={"Cookie": f"{NAME}={door.key}"}, timeout=60), 401)
    text = cookie(opened(door, new_key(door))).value
    refused(httpx2.get(f"{door.http.base_url}me", headers={"Authorization": f"Bearer {text}"}, timeout=60), 401)


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Site": "none"},
        {"Sec-Fetch-Site": "cross-site", "Origin": "{here}"},
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "https://{host}"},
        {"Origin": "{here}.evil.example"},
        {"Origin": "http://127.0.0.1"},
        {"Referer": "{here}/"},
    ],
)
def test_other_sites_cannot_use_the_cookie(door, refused, everything, method, headers):
    here = str(door.http.base_url).partition("/api/")[0]
    sent = {name: value.format(here=here, host=here.removeprefix("http://")) for name, value in headers.items()}
    path = {"POST": "/projects", "PUT": "/videos/1/labels", "PATCH": "/projects/1", "DELETE": "/runs/1"}[method]
    with browser(door, new_key(door)) as page:
        before = everything(door)
        problem = refused(page.request(method, path, json=PROJECT, headers=sent), 403)
        assert "Sec-Fetch-Site" in problem["detail"]
        assert everything(door) == before


@pytest.mark.parametrize("headers", [OURS, {"Origin": "{here}"}, {**OURS, "Origin": "https://behind-a-proxy.example"}])
def test_our_own_pages_can(door, headers):
    here = str(door.http.base_url).partition("/api/")[0]
    sent = {name: value.format(here=here) for name, value in headers.items()}
    with browser(door, new_key(door)) as page:
        assert page.post("/projects", json=PROJECT, headers=sent).status_code == 201


def test_reading_needs_no_proof(door):
    with browser(door, new_key(door)) as page:
        assert page.get("/projects", headers={"Sec-Fetch-Site": "cross-site"}).status_code == 200


def test_without_authentication_there_is_no_session(serving, tmp_path, refused):
    service = serving(Settings(data_dir=tmp_path, port=0, auth=False))
    refused(service.http.post("/session"), 409)


def signed_in(door, token):
    return httpx2.post(f"{door.http.base_url}session", headers={"Authorization": f"Bearer {token}"}, timeout=60)


def test_a_one_time_token_signs_in_once_and_says_so_in_the_audit_trail(door, refused, everything):
    token = offer(door.settings, door.key)
    secret = token.split("_", 2)[2]
    assert not any(secret in str(rows) for rows in everything(door).values())
    answer = signed_in(door, token)
    assert answer.status_code == 201
    with httpx2.Client(
        base_url=door.http.base_url, headers={"Cookie": f"{NAME}={cookie(answer).value}"}, timeout=60
    ) as page:
        assert page.get("/me").json()["role"] == "admin"
    assert "once" in refused(signed_in(door, token), 401)["detail"]
    kinds = [entry["kind"] for entry in door.http.get("/audit", params={"limit": 200}).json()["items"]]
    assert {"session.offer", "session.open"} <= {*kinds}


def test_a_one_time_token_opens_nothing_but_a_session(door, refused):
    headers = {"Authorization": f"Bearer {offer(door.settings, door.key)}"}
    refused(httpx2.get(f"{door.http.base_url}me", headers=headers, timeout=60), 401)
    refused(httpx2.post(f"{door.http.base_url}projects", json=PROJECT, headers=headers, timeout=60), 401)


def test_a_one_time_token_is_good_for_a_while_and_as_long_as_its_key(door, refused):
    database = connect(door.settings.database)
    key = new_key(door)
    with database.session() as session:
        late, dead = (sessions.offer(session, key["id"], 15) for _ in range(2))
        session.get_one(SignIn, int(late.split("_")[1])).expires_at = datetime.now(UTC) - timedelta(seconds=1)
        wrong = late[:-1] + ("A" if late[-1] != "A" else "B")
    refused(signed_in(door, wrong), 401)
    assert "a while" in refused(signed_in(door, late), 401)["detail"]
    with database.session() as session:
        session.get_one(ApiKey, key["id"]).revoked_at = datetime.now(UTC)
    assert "revoked" in refused(signed_in(door, dead), 401)["detail"]
    offer(door.settings, door.key)
    with database.session(readonly=True) as session:
        assert all(row.expires_at > datetime.now(UTC) for row in session.scalars(select(SignIn)))
    database.dispose()
