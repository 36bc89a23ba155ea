"""A bad day: copies that are damaged, put beside what a killed service left, or onto one that runs."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing

import pytest
from typer.testing import CliRunner

from app.backup import digest_file
from app.database import connect
from app.tables import Lab
from cli.main import app
from migrations import apply as migrate

LABS = 40


def posetween(*arguments):
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result


@pytest.fixture
def killed(tmp_path):
    """A data folder as a killed service leaves one, with a copy made before the last writes: the log holds them."""
    live, folder = tmp_path / "live", tmp_path / "lab"
    folder.mkdir()
    database = connect(f"sqlite:///{live}/posetween.db")
    migrate.upgrade(database)
    assert posetween("db", "backup", tmp_path / "copy.db", "--data-dir", live).exit_code == 0
    for number in range(LABS):
        with database.session() as session:
            session.add(Lab(name=f"lab {number}"))
    for path in live.glob("posetween.db*"):
        shutil.copy(path, folder)
    database.dispose()
    assert (folder / "posetween.db-wal").stat().st_size
    return folder


def labs(file):
    with closing(sqlite3.connect(file)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        return connection.execute("SELECT count(*) FROM lab").fetchone()[0]


def restored(folder, copy):
    return posetween("db", "restore", copy, "--data-dir", folder)


def test_what_a_killed_service_left_is_not_taken_for_a_part_of_the_copy(killed, tmp_path):
    (killed / "posetween.db").rename(tmp_path / "posetween.db")
    result = restored(killed, tmp_path / "copy.db")
    assert result.exit_code == 2
    assert "posetween.db-wal" in result.output
    assert not (killed / "posetween.db").exists()
    for path in killed.glob("posetween.db-*"):
        path.rename(tmp_path / path.name)
    assert restored(killed, tmp_path / "copy.db").exit_code == 0
    assert labs(killed / "posetween.db") == 0
    assert labs(tmp_path / "posetween.db") == LABS


@pytest.mark.parametrize("with_digest", [True, False])
@pytest.mark.parametrize("share", [0.2, 0.5, 0.99])
def test_a_truncated_copy_is_refused(tmp_path, killed, with_digest, share):
    copy, folder = tmp_path / "copy.db", tmp_path / "again"
    copy.write_bytes(copy.read_bytes()[: int(copy.stat().st_size * share)])
    if not with_digest:
        digest_file(copy).unlink()
    result = restored(folder, copy)
    assert result.exit_code == 1
    assert "copy.db" in result.output
    assert not [*folder.glob("posetween.db*")] if folder.exists() else True


def test_a_copy_with_a_flipped_byte_is_refused_wherever_it_is(tmp_path, killed):
    copy, folder = tmp_path / "copy.db", tmp_path / "again"
    whole = copy.read_bytes()
    for place in range(101, len(whole), len(whole) // 25):
        copy.write_bytes(whole[:place] + bytes([whole[place] ^ 0xFF]) + whole[place + 1 :])
        assert restored(folder, copy).exit_code == 1, place
        assert not [*folder.glob("posetween.db*")] if folder.exists() else True
    copy.write_bytes(whole)
    assert restored(folder, copy).exit_code == 0


def test_a_page_that_is_damaged_is_found_without_a_digest(tmp_path, killed):
    copy, folder = tmp_path / "copy.db", tmp_path / "again"
    digest_file(copy).unlink()
    whole = bytearray(copy.read_bytes())
    whole[4096:4196] = bytes(100)
    copy.write_bytes(whole)
    result = restored(folder, copy)
    assert result.exit_code == 1
    assert "damaged" in result.output


def test_a_running_service_is_not_given_another_database(tmp_path, killed):
    database = connect(f"sqlite:///{killed}/posetween.db")
    away = tmp_path / "away"
    away.mkdir()
    for path in killed.glob("posetween.db*"):
        path.rename(away / path.name)
    result = restored(killed, tmp_path / "copy.db")
    assert result.exit_code == 2
    assert "stop the service" in result.output
    database.dispose()
    for left in killed.glob("posetween.db*"):
        left.unlink()
    assert restored(killed, tmp_path / "copy.db").exit_code == 0


def test_a_copy_of_a_newer_version_is_refused_and_nothing_stays(tmp_path, killed):
    copy, folder = tmp_path / "copy.db", tmp_path / "again"
    digest_file(copy).unlink()
    with closing(sqlite3.connect(copy)) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
        connection.commit()
    result = restored(folder, copy)
    assert result.exit_code == 2
    assert "9999" in result.output
    assert not [*folder.glob("posetween.db*")]


def test_a_damaged_database_is_not_copied_as_if_it_were_whole(tmp_path, killed):
    lab = tmp_path / "damaged"
    lab.mkdir()
    whole = bytearray((tmp_path / "copy.db").read_bytes())
    whole[4096:4196] = bytes(100)
    (lab / "posetween.db").write_bytes(whole)
    result = posetween("db", "backup", tmp_path / "second.db", "--data-dir", lab)
    assert result.exit_code == 1
    assert not [*tmp_path.glob("second.db*")]
