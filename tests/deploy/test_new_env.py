"""scripts/new-env makes strong secrets, once."""

from __future__ import annotations

import stat
import subprocess

from dotenv import dotenv_values


def test_secrets_are_strong_and_each_its_own(secrets_file):
    assert stat.S_IMODE(secrets_file.stat().st_mode) == 0o600
    values = dotenv_values(secrets_file)
    secrets = [values[name] for name in values if name.endswith(("_PASSWORD", "_KEY"))]
    assert len({*secrets}) == len(secrets) == 4
    for secret in secrets:
        assert len(bytes.fromhex(secret)) == 32
    assert values["COMPOSE_PROFILES"] in ("gpu", "cpu-propagation")


def test_two_files_share_no_secret(root, secrets_file, tmp_path):
    subprocess.run([root / "scripts" / "new-env", tmp_path / "other"], check=True, stdout=subprocess.DEVNULL)
    first, second = dotenv_values(secrets_file), dotenv_values(tmp_path / "other")
    assert {name for name in first if first[name] == second[name]} == {"COMPOSE_PROJECT_NAME", "COMPOSE_PROFILES"}


def test_a_file_that_is_there_is_left_alone(root, tmp_path):
    (tmp_path / ".env").write_text("POSTGRES_PASSWORD=in use\n")
    done = subprocess.run(
        [root / "scripts" / "new-env", tmp_path / ".env"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert "there already" in done.stderr
    assert (tmp_path / ".env").read_text() == "POSTGRES_PASSWORD=in use\n"
