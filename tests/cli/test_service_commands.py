"""The commands that talk to a running service: ``projects``, ``videos``, ``labels``, ``jobs``, ``export``."""

from __future__ import annotations

import io
import json
import os
import zipfile

import numpy as np
import pytest
from typer.testing import CliRunner

from cli.labels import packed
from cli.main import app
from formats.registry import write
from tests.cli.importing.conftest import table, working

__all__ = ["working"]


@pytest.fixture
def call(working):
    """Run a command against the service, which has to end with a status; its standard output."""
    address = str(working.http.base_url).partition("/api/")[0]
    environment = {"POSETWEEN_SERVER": address, "POSETWEEN_KEY": working.key}

    def run(*words, status=0, key=None):
        given = environment if key is None else environment | {"POSETWEEN_KEY": key}
        done = CliRunner().invoke(app, [*map(str, words)], env=given)
        assert done.exit_code == status, done.output
        return done.stdout if status == 0 else done.stderr

    return run


def lines(output):
    return [json.loads(line) for line in output.splitlines()]


@pytest.fixture
def labels(walker, tmp_path):
    """Labels of three frames, as a COCO file."""
    write(table(walker, [0, 20, 44]), "coco", tmp_path / "labels.json")
    return tmp_path / "labels.json"


def test_from_a_skeleton_to_an_export(call, working, walker, labels, tmp_path):
    project = int(call("projects", "create", "Gait", "--skeleton", labels))
    (listed,) = lines(call("projects", "list", "--json"))
    assert (listed["id"], listed["name"], listed["keypoints"]) == (project, "Gait", 17)
    assert tuple(listed["skeleton"]["keypoints"]) == walker.skeleton.keypoints
    assert tuple(map(tuple, listed["skeleton"]["swap"])) == walker.skeleton.swap
    assert "Gait" in call("projects", "list")

    (video,) = lines(call("videos", "upload", "Gait", walker.path, "--json"))
    assert (video["status"], video["num_frames"]) == ("ready", 45)
    (again,) = lines(call("videos", "upload", project, walker.path, "--json"))
    assert again["id"] == video["id"]
    assert walker.path.name in call("videos", "list", "Gait")

    (dry,) = lines(call("labels", "import", video["id"], labels, "--dry-run", "--json"))
    assert (dry["written"], dry["revision"]) == (3, 0)
    (done,) = lines(call("labels", "import", video["id"], labels, "--json"))
    assert (done["written"], done["revision"]) == (3, 1)

    run = int(call("videos", "propagate", video["id"], "--engine", "linear"))
    propagation = next(job for job in lines(call("jobs", "list", "--json")) if job["kind"] == "propagate")
    assert propagation["result"]["run_id"] == run
    assert lines(call("jobs", "watch", propagation["id"], "--json"))[0]["state"] == "succeeded"

    assert call("export", "Gait", "-o", tmp_path / "all.json") == f"{tmp_path / 'all.json'}\n"
    poses = json.loads((tmp_path / "all.json").read_text())["annotations"]
    assert len(poses) == 45
    call("export", project, "-o", tmp_path / "people.json", "--include", "human", "--video", video["id"])
    people = json.loads((tmp_path / "people.json").read_text())["annotations"]
    truth = walker.tracks[1]
    row = int(np.flatnonzero(truth.frames == 20)[0])
    assert len(people) == 3
    assert np.abs(np.reshape(people[1]["keypoints"], (-1, 3))[:, :2] - truth.xy[row]).max() < 0.01

    measured = (
        "--to",
        "coco-results",
        "--truth",
        tmp_path / "people.json",
        "--include",
        "human",
        "--include",
        "pseudo",
    )
    (done,) = lines(call("export", "Gait", "-o", tmp_path / "results.json", *measured, "--json"))
    assert done == {
        "event": "done",
        "format": "coco-results",
        "export_id": done["export_id"],
        "left_out": 45 - 3,
        "file": str(tmp_path / "results.json"),
    }
    assert working.http.get(f"/exports/{done['export_id']}").is_success
    found = json.loads((tmp_path / "results.json").read_text())
    assert [one["image_id"] for one in found] == [one["image_id"] for one in people]
    assert [one["keypoints"] for one in found] == [one["keypoints"] for one in people]
    call("export", "Gait", "-o", tmp_path / "info.py", "--to", "mmpose-info")
    assert "'left_wrist'" in (tmp_path / "info.py").read_text()

    write(table(walker, [0, 20, 44]), "dlc", tmp_path / "project")
    (again,) = lines(
        call("labels", "import", video["id"], tmp_path / "project", "--format", "auto", "--dry-run", "--json")
    )
    assert (again["written"], again["dry_run"]) == (3, True)
    refused = ["labels", "import", video["id"], tmp_path / "project", "--format", "dlc", "--frame-from", "file_name"]
    assert "this is about COCO files" in call(*refused, status=2)
    assert call("labels", "import", video["id"], labels, "--source", "walk", status=2)

    (undone,) = lines(call("labels", "undo", video["id"], 1, "--json"))
    assert undone["revision"] == 2
    assert [act["kind"] for act in lines(call("labels", "history", video["id"], "--json"))] == ["import", "undo 1"]


def test_what_is_wrong_is_said_with_its_status(call, working, walker, labels, tmp_path):
    assert "there is no such file" in call("videos", "upload", 1, tmp_path / "gone.mp4", status=2)
    assert "no single project 'Gait'" in call("videos", "list", "Gait", status=2)
    assert call("videos", "list", 999, status=2)
    call("projects", "create", "Gait", "--skeleton", labels)
    call("projects", "create", "Gait", "--skeleton", labels)
    assert "projects 2, 1 are called so" in call("export", "Gait", "-o", tmp_path / "x.json", status=2)
    assert "--skeleton" in call("projects", "create", "x", status=2)
    (tmp_path / "shape.json").write_text('{"keypoints": ["nose", "nose"]}')
    assert "nose" in call("projects", "create", "x", "--skeleton", tmp_path / "shape.json", status=2)
    (tmp_path / "shape.json").write_text("[")
    assert "no JSON" in call("projects", "create", "x", "--skeleton", tmp_path / "shape.json", status=2)
    (video,) = lines(call("videos", "upload", 1, walker.path, "--json"))
    (tmp_path / "broken.json").write_text("{}")
    assert call("labels", "import", video["id"], tmp_path / "broken.json", status=2)
    assert call("videos", "propagate", video["id"], status=2)
    assert call("videos", "propagate", video["id"], "--engine", "magic", status=2)
    assert call("export", 1, "-o", tmp_path / "x.bin", "--to", "magic", status=2)
    assert "needs --truth" in call("export", 1, "-o", tmp_path / "x.json", "--to", "coco-results", status=2)
    assert "has none" in call("export", 1, "-o", tmp_path / "x.py", "--to", "mmpose-info", "--images", status=2)
    assert call("jobs", "list", "--state", "magic", status=2)
    assert "key" in call("projects", "list", status=1, key="pt_1_wrong")
    assert not (tmp_path / "x.json").exists()


def test_jobs_that_are_cancelled_are_failures_of_who_waits(call, service, walker, labels):
    stopped = lines(call("projects", "create", "Gait", "--skeleton", labels, "--json"))[0]["id"]
    (ready,) = lines(call("videos", "upload", stopped, walker.path, "--json"))
    call("labels", "import", ready["id"], labels)
    job = service.http.post(f"/videos/{ready['id']}/propagations", json={"engine": "stdpose", "adapt": True}).json()
    (cancelled,) = lines(call("jobs", "cancel", job["id"], "--json"))
    assert cancelled["id"] == job["id"]
    assert "cancelled" in call("jobs", "watch", job["id"], status=1)


@pytest.mark.parametrize(
    "document", [{"keypoints": ["nose", "tail"], "edges": [[0, 1]]}, {"name": "fish", "keypoints": ["eye"]}]
)
def test_a_skeleton_in_a_file_of_its_own(call, tmp_path, document):
    (tmp_path / "mouse.json").write_text(json.dumps(document))
    (made,) = lines(call("projects", "create", "x", "--skeleton", tmp_path / "mouse.json", "--json"))
    assert made["skeleton"]["name"] == document.get("name", "mouse")
    assert made["skeleton"]["keypoints"] == document["keypoints"]


def test_a_folder_with_files_of_before_1980_is_packed(tmp_path):
    (tmp_path / "labels").mkdir()
    file = tmp_path / "labels" / "a.csv"
    file.write_text("x")
    os.utime(file, (0, 0))
    with zipfile.ZipFile(io.BytesIO(packed(tmp_path))) as archive:
        assert archive.namelist() == ["labels/a.csv"]
        assert archive.read("labels/a.csv") == b"x"
