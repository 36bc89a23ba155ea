"""Bytes flip in stored files, and files vanish: nobody is given what was not put there, and everybody is told."""

from __future__ import annotations

import shutil
import subprocess
import sys
from dataclasses import dataclass
from typing import Any

import httpx2
import pytest

from app.backup import backup
from app.settings import Settings

ORIGINAL, PROXY, EXPORT = "original", "proxy", "export"


@dataclass
class Stored:
    """A service started anew over a store in which things have happened."""

    service: Any
    urls: dict[str, str]
    digests: dict[str, str]

    def path(self, what):
        name = self.digests[what]
        return self.service.settings.data_dir / "storage" / "sha256" / name[:2] / name


@pytest.fixture(scope="module")
def before(serving, walker, tmp_path_factory):
    """A video, exports and what was kept of them."""
    service = serving(Settings(data_dir=tmp_path_factory.mktemp("flipped") / "data", port=0))
    project = service.project(walker.skeleton)
    video = service.upload(project, walker.path)
    service.track(video)
    label = service.label(3, 1, walker.tracks[1])
    assert service.http.put(f"/videos/{video['id']}/labels", json={"labels": [label]}).status_code == 200
    job = service.finished(service.http.post(f"/projects/{project['id']}/exports", json={"images": True}).json())
    return service, project, video, job["result"]["export_id"]


@pytest.fixture
def stored(before, serving, tmp_path):
    """A copy of it that nobody has looked at yet."""
    service, _, video, export = before
    left_out = shutil.ignore_patterns("frames", "posetween.db*")
    shutil.copytree(service.settings.data_dir, tmp_path / "data", ignore=left_out)
    if service.settings.database.startswith("sqlite"):
        backup(service.settings.database, tmp_path / "data" / "posetween.db")
    again = serving(Settings(data_dir=tmp_path / "data", port=0))
    urls = {
        ORIGINAL: f"/videos/{video['id']}/content?original=1",
        PROXY: f"/videos/{video['id']}/content",
        EXPORT: f"/exports/{export}/content",
    }
    digests = {}
    for path in sorted((tmp_path / "data" / "storage").rglob("sha256/*/*")):
        head = path.read_bytes()[:12]
        if path.name == video["sha256"]:
            digests[ORIGINAL] = path.name
        elif head[4:8] == b"ftyp":
            digests[PROXY] = path.name
        elif head[:2] == b"PK":
            digests[EXPORT] = path.name
    return Stored(again, urls, digests)


def flip(path):
    """Change a byte in the middle, as a disk would: the file's times stay."""
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def remove(path):
    path.unlink()


HARMS = {"damaged": (flip, 503), "missing": (remove, 410)}


def told(answer, status, name):
    assert answer.status_code == status, answer.text[:300]
    problem = answer.json()
    assert name in problem["detail"]
    assert "/" not in problem["detail"]


def counted(service, what):
    text = httpx2.get(str(service.http.base_url).partition("/api/")[0] + "/metrics", timeout=60).text
    lines = [line for line in text.splitlines() if line.startswith(f'posetween_objects_bad_total{{what="{what}"}}')]
    return float(lines[0].split()[-1]) if lines else 0


def check(service):
    words = [sys.executable, "-m", "cli.main", "storage", "check", "--data-dir", str(service.settings.data_dir)]
    words += ["--database-url", service.settings.database]
    return subprocess.run(words, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("how", HARMS)
@pytest.mark.parametrize("what", [ORIGINAL, PROXY, EXPORT])
def test_a_download_is_what_was_put_there_or_none(stored, how, what):
    harm, status = HARMS[how]
    harm(stored.path(what))
    for headers in ({}, {"Range": "bytes=0-9"}):
        told(stored.service.http.get(stored.urls[what], headers=headers), status, stored.digests[what])
    assert counted(stored.service, how) == 2
    done = check(stored.service)
    assert done.returncode == 1
    assert stored.digests[what] in done.stderr
    for other in {*stored.urls} - {what}:
        assert stored.service.http.get(stored.urls[other]).status_code == 200


@pytest.mark.parametrize("how", HARMS)
def test_no_frame_is_made_of_it_or_kept(stored, how):
    harm, status = HARMS[how]
    whole = stored.path(PROXY).read_bytes()
    harm(stored.path(PROXY))
    frames = stored.urls[PROXY].replace("content", "frames")
    for index in (0, 20, 44):
        told(stored.service.http.get(f"{frames}/{index}"), status, stored.digests[PROXY])
    stored.path(PROXY).write_bytes(whole)
    assert stored.service.http.get(f"{frames}/20").status_code == 200


def test_what_was_whole_and_is_touched_is_read_again(stored):
    assert stored.service.http.get(stored.urls[PROXY]).status_code == 200
    flip(stored.path(PROXY))
    told(stored.service.http.get(stored.urls[PROXY]), 503, stored.digests[PROXY])


@pytest.mark.parametrize("how", HARMS)
def test_no_export_is_made_of_it_and_its_job_says_why_without_a_path(stored, before, how):
    harm, _ = HARMS[how]
    harm(stored.path(PROXY))
    _, project, _, _ = before
    job = stored.service.http.post(f"/projects/{project['id']}/exports", json={"images": True}).json()
    stored.service.work()
    shown = stored.service.http.get(f"/jobs/{job['id']}").json()
    assert shown["state"] == "queued"  # it may be put back
    assert stored.digests[PROXY] in shown["error"]
    assert "/" not in shown["error"]
