"""``posetween doctor``."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from app.sandbox import confinement, landlock, seccomp
from cli import doctor as doctor_
from cli.main import app
from models.compute import processor
from models.compute.processor import Processor


def _run(*options: str) -> tuple[int, dict]:
    done = CliRunner().invoke(app, ["doctor", "--json", *options])
    return done.exit_code, json.loads(done.stdout)


def test_it_tells_of_the_machine_and_of_what_will_be_used(tmp_path: Path) -> None:
    status, report = _run("--data-dir", str(tmp_path / "data"), "--precision", "fp32", "--threads", "1")
    assert status == 0
    assert report["works"]
    assert report["machine"]["processor"] == Processor.here().name
    assert report["machine"]["cores"] >= 1
    assert report["compute"]["precision"] == report["compute"]["learning"] == "fp32"
    assert report["compute"]["threads"] == 1
    assert report["data"]["free_bytes"] > 0
    assert not report["data"]["exists"]
    assert set(report["versions"]) >= {"posetween", "python", "torch", "numpy", "av", "opencv-python-headless"}
    assert not (tmp_path / "data").exists()


def test_people_read_a_few_lines(tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["doctor", "--data-dir", str(tmp_path)])
    assert done.exit_code == 0
    assert done.stdout.startswith("system ")
    assert "Nothing that is needed is missing." in done.stdout


def test_the_command_itself_says_how_threads_wait(tmp_path: Path) -> None:
    environ = {name: value for name, value in os.environ.items() if not name.startswith(("OMP_", "GOMP_", "KMP_"))}
    environ["PYTHONPATH"] = os.pathsep.join(sys.path)
    command = [sys.executable, "-m", "cli.main", "doctor", "--json", "--data-dir", str(tmp_path)]
    report = json.loads(subprocess.run(command, env=environ, capture_output=True, check=True).stdout)
    assert report["compute"]["waiting"] == {"OMP_WAIT_POLICY": "PASSIVE"}


def test_a_precision_that_the_processor_lacks_is_said_to_be_missing(monkeypatch, tmp_path: Path) -> None:
    monkeypatch.setattr(processor.Processor, "here", classmethod(lambda cls: Processor("Old", frozenset({"avx2"}))))
    status, report = _run("--data-dir", str(tmp_path), "--device", "cpu", "--precision", "bf16")
    assert status == 1
    assert not report["works"]
    (missing,) = (one for one in report["missing"] if one["needed"])
    assert missing["what"] == "device"
    assert missing["sentence"].startswith("precision bf16: Old has no instructions for it")


@pytest.mark.parametrize(
    ("options", "package", "needed"),
    [
        ((), "psycopg", False),
        (("--database-url", "postgresql+psycopg://localhost/lab"), "psycopg", True),
        (("--broker-url", "redis://localhost"), "celery", True),
        ((), "torch", False),
    ],
)
def test_what_the_settings_ask_for_is_needed(monkeypatch, tmp_path, options, package: str, needed: bool) -> None:
    find = doctor_.find_spec
    monkeypatch.setattr(doctor_, "find_spec", lambda name: None if name == package else find(name))
    status, report = _run("--data-dir", str(tmp_path), *options)
    assert status == int(needed)
    (missing,) = (one for one in report["missing"] if one["what"] in (package, "PyTorch"))
    assert missing["needed"] is needed


def test_people_read_that_no_network_can_run_without_torch(monkeypatch, tmp_path: Path) -> None:
    find = doctor_.find_spec
    monkeypatch.setattr(doctor_, "find_spec", lambda name: None if name == "torch" else find(name))
    done = CliRunner().invoke(app, ["doctor", "--data-dir", str(tmp_path)])
    assert done.exit_code == 0, done.output
    assert "networks   none can run, " in done.stdout
    assert "videos     are decoded by processes confined by " in done.stdout


def test_a_folder_that_cannot_be_written_to_is_said(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("not a folder")
    status, report = _run("--data-dir", str(file / "data"))
    assert status == 1
    assert any(one["what"] == "data folder" for one in report["missing"])


@pytest.mark.parametrize("command", [["propagate", "a.mp4", "b.json", "-o", "c.json"], ["worker"], ["doctor"]])
def test_a_precision_that_does_not_exist_is_wrong_usage(command: list[str]) -> None:
    done = CliRunner().invoke(app, [*command, "--precision", "half"])
    assert done.exit_code == 2
    assert "'half'" in done.output or "'fp32'" in done.output


@pytest.mark.parametrize("command", [["propagate", "a.mp4", "b.json", "-o", "c.json"], ["worker"], ["up"]])
def test_commands_refuse_a_precision_that_the_device_lacks(tmp_path: Path, command: list[str]) -> None:
    environ = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "POSETWEEN_DATA_DIR": str(tmp_path / "data")}
    environ |= {"ONEDNN_MAX_CPU_ISA": "AVX2", "POSETWEEN_PRECISION": "bf16", "POSETWEEN_DEVICE": "cpu"}
    called = [sys.executable, "-m", "cli.main", *command]
    done = subprocess.run(called, env=environ, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 2
    assert "has no instructions for it" in done.stderr
    assert not (tmp_path / "data").exists()


def test_it_tells_what_keeps_videos_from_reaching_anything_else(monkeypatch, tmp_path: Path) -> None:
    _, report = _run("--data-dir", str(tmp_path))
    assert report["machine"]["containment"] == confinement.protections()
    monkeypatch.setattr(landlock, "version", lambda: 0)
    monkeypatch.setattr(seccomp, "known", lambda: False)
    status, report = _run("--data-dir", str(tmp_path))
    assert status == 0
    assert {"landlock", "seccomp"} <= {one["what"] for one in report["missing"]}
    assert "limits alone" in CliRunner().invoke(app, ["doctor", "--data-dir", str(tmp_path)]).stdout
