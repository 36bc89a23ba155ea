"""A copy of the database, made while people write, is whole and can be worked with."""

from __future__ import annotations

import shutil
import threading

import pytest
from typer.testing import CliRunner

from app.backup import BackupError, backup, restore
from app.settings import Settings
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
