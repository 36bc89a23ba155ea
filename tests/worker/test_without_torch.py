"""The worker of the slim image: it has no PyTorch, and ingests and exports."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture
def no_torch(tmp_path: Path) -> dict[str, str]:
    """An environment in which nobody can import what only propagation needs, child processes included."""
    folder = tmp_path / "blocked"
    folder.mkdir()
    for name in ("torch", "safetensors", "transformers"):
        (folder / f"{name}.py").write_text(f"raise ImportError('there is no {name} here')\n")
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(folder), str(ROOT)])}
    refused = subprocess.run([sys.executable, "-c", "import torch"], env=environment, capture_output=True, check=False)
    assert b"there is no torch here" in refused.stderr
    return environment


def test_a_worker_for_the_queue_cpu_needs_no_torch(service, walker, no_torch):
    def work(*words: str) -> None:
        command = [sys.executable, "-m", "cli.main", "worker", "--queue", "cpu", "--until-idle", *words]
        subprocess.run([*command, "--data-dir", service.settings.data_dir], env=no_torch, check=True)

    project = service.project(walker.skeleton)
    url = f"/projects/{project['id']}"
    video = service.http.post(f"{url}/videos", content=walker.path.read_bytes()).json()
    work()
    assert service.http.get(f"/videos/{video['id']}").json()["status"] == "ready"
    export = service.http.post(f"{url}/exports", json={}).json()
    work()
    assert service.http.get(f"/jobs/{export['id']}").json()["state"] == "succeeded"


def test_the_worker_that_listens_to_a_broker_can_be_imported_without_torch(no_torch):
    modules = "worker.celery_app, worker.worker, worker.kinds.ingest_child, cli.worker, cli.serve, cli.db, cli.storage"
    subprocess.run([sys.executable, "-c", f"import {modules}"], env=no_torch, check=True)
