"""Labs and keys at the command line, in the database itself."""

from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

from cli.main import app


@pytest.fixture
def posetween(tmp_path):
    """Run a command on a database of its own, or another one."""

    def run(*words, status=0, folder=tmp_path / "data"):
        done = CliRunner().invoke(app, [*map(str, words), "--data-dir", str(folder)])
        assert done.exit_code == status, done.output
        return done.output

    return run


def lines(output):
    return [json.loads(line) for line in output.splitlines()]


def test_labs_and_keys_without_a_service(posetween):
    posetween("db", "upgrade")
    (first,) = lines(posetween("labs", "create", "ours", "--json"))
    (other,) = lines(posetween("labs", "create", "others", "--json"))
    labs = lines(posetween("labs", "list", "--json"))
    assert [(lab["id"], lab["name"], lab["operator"]) for lab in labs] == [(1, "ours", True), (2, "others", False)]
    (anna,) = lines(posetween("keys", "create", "Anna", "--role", "reader", "--lab", 2, "--days", 3, "--json"))
    assert (anna["role"], anna["name"]) == ("reader", "Anna")
    keys = lines(posetween("keys", "list", "--lab", 2, "--json"))
    assert [(key["id"], key["role"], bool(key["expires_at"])) for key in keys] == [
        (other["key_id"], "admin", False),
        (anna["id"], "reader", True),
    ]
    assert not any("key" in key for key in keys)
    assert [key["id"] for key in lines(posetween("keys", "list", "--json"))] == [first["key_id"]]
    assert "Anna" in posetween("keys", "list", "--lab", 2)
    assert "others" in posetween("labs", "list")


def test_what_is_made_works_at_once_and_ends_at_once(service, posetween):
    folder = service.settings.data_dir
    key = posetween("keys", "create", "Bob", folder=folder).strip()
    bob = {"Authorization": f"Bearer {key}"}
    me = service.http.get("/me", headers=bob).json()
    assert (me["key_name"], me["role"]) == ("Bob", "annotator")
    lab = posetween("labs", "create", "theirs", folder=folder).split()[-1]
    assert service.http.get("/me", headers={"Authorization": f"Bearer {lab}"}).json()["lab_name"] == "theirs"
    for _ in range(2):
        posetween("keys", "revoke", me["key_id"], folder=folder)
    assert "revoked" in service.http.get("/me", headers=bob).json()["detail"]
    trail = service.http.get("/audit").json()["items"]
    assert [(entry["kind"], entry["via"], entry["key_id"]) for entry in trail[:2]] == [
        ("key.revoke", "operator", None),
        ("key.create", "operator", None),
    ]


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["keys", "list", "--lab", "9"], "no such lab"),
        (["keys", "create", "x", "--lab", "9"], "no such lab"),
        (["keys", "create", ""], "1 to 200 characters"),
        (["keys", "create", "x", "--role", "god"], "god"),
        (["keys", "create", "x", "--days", "-1"], "days"),
        (["keys", "revoke", "1"], "last admin key"),
        (["keys", "revoke", "99"], "no key 99"),
        (["labs", "create", "ours"], "there is a lab named"),
        (["labs", "create", " "], "1 to 200 characters"),
    ],
)
def test_what_makes_no_sense_is_said_and_does_nothing(posetween, words, sentence):
    posetween("db", "upgrade")
    posetween("labs", "create", "ours")
    before = posetween("labs", "list"), posetween("keys", "list")
    assert sentence in posetween(*words, status=2)
    assert (posetween("labs", "list"), posetween("keys", "list")) == before


@pytest.mark.parametrize(
    "words", [["labs", "list"], ["keys", "list"], ["keys", "create", "x"], ["labs", "create", "x"]]
)
def test_where_there_is_no_database_none_is_made(posetween, tmp_path, words):
    assert "posetween db upgrade" in posetween(*words, status=2)
    assert not (tmp_path / "data").exists()


def test_an_empty_database_is_said_to_be_one(posetween, tmp_path):
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "posetween.db").touch()
    assert "posetween db upgrade" in posetween("labs", "list", status=2)
