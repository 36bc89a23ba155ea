"""A copy of the database, made while people write, is whole and can be worked with."""

from __future__ import annotations

import json
import shutil
import threading
from datetime import timedelta

import pytest
from typer.testing import CliRunner

from app.backup import BackupError, backup, restore
from app.database import connect
from app.settings import Settings
from app.storage import open_storage
from app.trash.erasure import Eraser
from cli.main import app


def posetween(*arguments):
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def test_a_lab_comes_back_from_its_copies(serving, walker, tmp_path):
    service = serving(Settings(data_dir=tmp_path / "lab", port=0))
    video = service.upload(service.project(walker.skeleton), walker.path)
    track = service.track(video)
    url = f"/videos/{video['id']}/labels"
    acknowledged, stop = [], threading.Event()

    def annotate():
        frame = 0
        while not stop.is_set() and frame < 45:
            body = {"labels": [service.label(frame, track["id"], walker.tracks[1])]}
            acknowledged.append(service.http.put(url, json=body).json()["revision"])
            frame += 1

    writer = threading.Thread(target=annotate)
    writer.start()
    while not acknowledged:
        stop.wait(0.01)
    before = len(acknowledged)
    assert posetween("db", "backup", tmp_path / "copy.db", "--data-dir", tmp_path / "lab").exit_code == 0
    stop.set()
    writer.join()

    shutil.copytree(tmp_path / "lab" / "storage", tmp_path / "again" / "storage")
    assert posetween("db", "restore", tmp_path / "copy.db", "--data-dir", tmp_path / "again").exit_code == 0
    assert posetween("storage", "check", "--data-dir", tmp_path / "again").exit_code == 0
    shutil.copy(tmp_path / "lab" / "admin.key", tmp_path / "again" / "admin.key")
    again = serving(Settings(data_dir=tmp_path / "again", port=0))
    labels = again.http.get(url).json()
    assert before <= labels["revision"] <= len(acknowledged)
    assert len(labels["labels"]) == labels["revision"]
    assert (
        again.http.get(f"/videos/{video['id']}/frames/7").content
        == service.http.get(f"/videos/{video['id']}/frames/7").content
    )


def test_nothing_is_overwritten(tmp_path):
    url = f"sqlite:///{tmp_path / 'lab.db'}"
    with pytest.raises(BackupError, match="no database"):
        backup(url, tmp_path / "copy.db")
    assert posetween("db", "upgrade", "--database-url", url).exit_code == 0
    backup(url, tmp_path / "copy.db")
    with pytest.raises(BackupError, match="there already"):
        backup(url, tmp_path / "copy.db")
    with pytest.raises(BackupError, match="move it away"):
        restore(url, tmp_path / "copy.db")


def test_a_file_of_another_kind_is_not_restored(tmp_path):
    (tmp_path / "copy.db").write_bytes(b"something else entirely")
    result = posetween("db", "restore", tmp_path / "copy.db", "--data-dir", tmp_path / "lab")
    assert result.exit_code == 2
    assert not (tmp_path / "lab" / "posetween.db").exists()


def test_a_copy_says_what_it_holds_that_was_erased_since(serving, walker, tmp_path):
    service = serving(Settings(data_dir=tmp_path / "lab", port=0))
    folder = ("--data-dir", tmp_path / "lab")
    assert posetween("db", "backup", tmp_path / "first.db", *folder).exit_code == 0
    project = service.project(walker.skeleton)
    video = service.upload(project, walker.path)["id"]
    made = posetween("db", "backup", tmp_path / "second.db", *folder)
    assert "holds the database" in made.output
    assert "erased" not in made.output
    service.http.delete(f"/videos/{video}", params={"purge": 1})
    database = connect(service.settings.database)
    assert Eraser(database, open_storage(service.settings), grace=timedelta(0), fresh=timedelta(0)).run() == 1
    database.dispose()
    made = posetween("db", "backup", tmp_path / "third.db", *folder)
    assert f"{tmp_path / 'second.db'}, made" in made.output
    assert f"still holds video:{video}, erased since" in made.output
    assert "first.db" not in made.output

    rows = [json.loads(line) for line in posetween("db", "backups", "--json", *folder).output.splitlines()]
    assert [(row["path"], row["erased"], row["exists"]) for row in rows] == [
        (str(tmp_path / "first.db"), [], True),
        (str(tmp_path / "second.db"), [f"video:{video}"], True),
        (str(tmp_path / "third.db"), [], True),
    ]
    for thing, names in ((f"video:{video}", ["second"]), (f"project:{project['id']}", ["second", "third"])):
        found = posetween("db", "backups", "--holding", thing, *folder).output
        assert [line.partition(", made")[0] for line in found.splitlines()] == [
            str(tmp_path / f"{name}.db") for name in names
        ]
    for thing, said in (("video:99", "no video 99"), ("track:1", "names nothing")):
        refused = posetween("db", "backups", "--holding", thing, *folder)
        assert (refused.exit_code, said in refused.output) == (2, True)

    (tmp_path / "second.db").unlink()
    told = posetween("db", "backups", "--destroyed", tmp_path / "second.db", *folder)
    assert (told.exit_code, "second.db" in told.output) == (0, False)
    assert posetween("db", "backups", "--destroyed", tmp_path / "second.db", *folder).exit_code == 2


def test_labs_are_deleted_and_restored_at_the_machine(serving, tmp_path):
    service = serving(Settings(data_dir=tmp_path / "lab", port=0))
    folder = ("--data-dir", tmp_path / "lab")
    lab = service.http.post("/labs", json={"name": "leaving"}).json()
    key = {"Authorization": f"Bearer {lab['key']['key']}"}
    assert "can be restored until" in posetween("labs", "delete", lab["id"], *folder).output
    assert service.http.get("/me", headers=key).status_code == 401
    assert "(deleted)" in posetween("labs", "list", *folder).output
    assert posetween("labs", "restore", lab["id"], *folder).exit_code == 0
    assert service.http.get("/me", headers=key).is_success
    refused = posetween("labs", "delete", 1, "--purge", *folder)
    assert (refused.exit_code, "operator's lab" in refused.output) == (2, True)
    assert posetween("labs", "delete", 99, *folder).exit_code == 2
