"""Whether the service says of itself what holds."""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import socket
import time

import httpx2
import pytest
from alembic.script import ScriptDirectory

import migrations
from app.database import connect
from app.settings import Settings
from app.version import SCHEMA
from migrations import apply as migrate

WELL = {"disk": "ok", "writing": "ok"}


def root(service):
    return str(service.http.base_url).partition("/api/")[0]


def ask(service, path="/readyz"):
    return httpx2.get(root(service) + path, timeout=60)


def test_the_code_needs_the_last_migration():
    assert ScriptDirectory(migrations.__path__[0]).get_current_head() == SCHEMA


def test_all_is_well(service):
    answer = ask(service)
    assert (answer.status_code, answer.json()["status"]) == (200, "ok")
    assert answer.json()["parts"] == {"database": "ok", "storage": "ok", **WELL}
    assert ask(service, "/healthz").json()["status"] == "ok"


@pytest.fixture
def postgres(serving, new_postgres, tmp_path):
    return serving(Settings(data_dir=tmp_path, port=0, database_url=new_postgres()))


@pytest.mark.parametrize("kind", ["service", "postgres"])
def test_a_database_of_an_older_version_is_told(kind, request, wait_for):
    service = request.getfixturevalue(kind)
    database = connect(service.settings.database)
    migrate.downgrade(database, "0003")
    answer = wait_for(lambda: (found := ask(service)).status_code == 503 and found)
    migrate.upgrade(database)
    database.dispose()
    assert answer.json()["status"] == "unavailable"
    assert "has the tables of migration 0003" in answer.json()["parts"]["database"]
    assert answer.json()["parts"]["storage"] == "ok"
    assert ask(service, "/healthz").status_code == 200
    wait_for(lambda: ask(service).status_code == 200)


def test_a_storage_that_is_gone_is_told(service, wait_for):
    shutil.rmtree(service.settings.data_dir / "storage")
    answer = wait_for(lambda: (found := ask(service)).status_code == 503 and found)
    assert answer.json()["parts"] == {"database": "ok", "storage": "does not answer", **WELL}
    assert "the storage does not answer" in ask(service, "/status").text


def test_a_bucket_that_is_gone_is_told(serving, bucket, tmp_path, monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    service = serving(Settings(data_dir=tmp_path, port=0, storage_url=bucket))
    answer = ask(service)
    assert answer.status_code == 503
    assert answer.json()["parts"]["storage"].startswith(("does not answer", "did not answer within"))


@pytest.mark.parametrize("silent", [False, True])
def test_without_the_broker_the_service_goes_on_and_says_so(serving, tmp_path, silent):
    with socket.create_server(("127.0.0.1", 0)) as listener:  # takes connections and says nothing
        port = listener.getsockname()[1] if silent else 1
        service = serving(Settings(data_dir=tmp_path, port=0, broker_url=f"redis://127.0.0.1:{port}/0"))
        answer = ask(service)
    assert answer.status_code == 200
    assert answer.json()["status"] == "degraded"
    assert answer.json()["parts"]["broker"].startswith(("does not answer", "did not answer within"))
    assert answer.json()["parts"]["database"] == "ok"


def test_a_broker_that_answers_is_well(serving, tmp_path, broker_url):
    service = serving(Settings(data_dir=tmp_path, port=0, broker_url=broker_url))
    assert ask(service).json()["parts"] == {"database": "ok", "storage": "ok", "broker": "ok", **WELL}


def test_a_turn_to_write_that_somebody_keeps_is_told(service, wait_for):
    path = service.settings.data_dir / "posetween.db-turn"
    with path.open("rb") as turn:
        fcntl.flock(turn.fileno(), fcntl.LOCK_EX)
        assert ask(service).json()["parts"]["writing"] == "ok"  # for a moment that is what turns are for
        long_ago = time.time() - 60
        os.utime(path, (long_ago, long_ago))
        told = wait_for(lambda: (found := ask(service).json())["status"] != "ok" and found)
    assert told["status"] == "degraded"
    (said,) = re.findall(r"from writing for (\d+) s", told["parts"]["writing"])
    assert 60 <= int(said) <= time.time() - long_ago + 1  # it is rounded
    wait_for(lambda: ask(service).json()["status"] == "ok")
