"""``posetween db backup --every``: copies at an interval, of which the newest stay and each can be put back."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time

import pytest
from typer.testing import CliRunner

from app.backup import digest_file, restore
from app.database import connect
from app.keys import service as keys
from app.keys.service import Role
from app.settings import Settings
from app.tables import ApiKey, Lab
from cli.backup_series import copies_in
from cli.main import app
from cli.serve import prepare


def add_key(settings, name):
    database = connect(settings.database)
    with database.session() as session:
        lab = session.query(Lab).first()
        keys.create(session, lab.id, name=name, role=Role.READER, expires_at=None)
    database.dispose()


def names(url):
    database = connect(url)
    with database.session(readonly=True) as session:
        found = {key.name for key in session.query(ApiKey)}
    database.dispose()
    return found


def test_a_moment_can_be_gone_back_to(tmp_path, database_url, new_postgres):
    settings = Settings(data_dir=tmp_path / "data", database_url=database_url)
    prepare(settings)
    folder = tmp_path / "copies"
    words = ["db", "backup", str(folder), "--every", "1s", "--keep", "3"]
    process = subprocess.Popen(
        [sys.executable, "-m", "cli.main", *words],
        env=os.environ | {"POSETWEEN_DATABASE_URL": database_url, "POSETWEEN_DATA_DIR": str(settings.data_dir)},
        stdout=subprocess.DEVNULL,
    )
    seen, number, deadline = {}, 0, time.monotonic() + 240
    try:
        while len(seen) < 5:
            assert time.monotonic() < deadline
            assert process.poll() is None
            for copy in copies_in(folder) if folder.is_dir() else []:
                if copy not in seen:
                    seen[copy] = number  # of keys that it holds at the most; it holds those of the copy before
                    number += 1
                    add_key(settings, f"key {number}")
            time.sleep(0.05)
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=60) == 0
    kept = copies_in(folder)
    assert len(kept) == 3
    assert sorted(path.name for path in folder.iterdir()) == sorted(
        name for copy in kept for name in (copy.name, digest_file(copy).name)
    )
    listed = CliRunner().invoke(app, ["db", "backups", "--json", "--database-url", database_url])
    assert {json.loads(line)["path"] for line in listed.stdout.splitlines()} == {str(copy.absolute()) for copy in kept}
    first = next(copy for copy in kept if copy in seen)
    empty = f"sqlite:///{tmp_path}/back/again.db" if database_url.startswith("sqlite") else new_postgres()
    restore(empty, first)
    expected = {f"key {index + 1}" for index in range(seen[first])}
    assert names(empty) - {"local admin"} == expected


@pytest.mark.parametrize("interval", ["10", "0m", "ten minutes", "1w", "-5m"])
def test_an_interval_that_cannot_be_read(tmp_path, interval):
    done = CliRunner().invoke(app, ["db", "backup", str(tmp_path / "c"), f"--every={interval}"])
    assert done.exit_code == 2
    assert "as in 10m" in done.output


def test_a_copy_that_cannot_be_made_takes_none_away(tmp_path):
    folder = tmp_path / "copies"
    folder.mkdir()
    old = [folder / f"posetween-20260101T00000{index}Z.backup" for index in range(5)]
    for copy in old:
        copy.write_bytes(b"a copy")
    process = subprocess.Popen(
        [sys.executable, "-m", "cli.main", "db", "backup", str(folder), "--every", "1h", "--keep", "2"],
        env=os.environ | {"POSETWEEN_DATA_DIR": str(tmp_path / "nowhere")},
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert "no copy was made" in process.stderr.readline()
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=60)
        process.stderr.close()
    assert copies_in(folder) == old
