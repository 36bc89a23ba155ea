"""What the tests of the service share: one with a labelled video, and a reader of problem documents."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import httpx2
import pytest
from sqlalchemy import insert, select

from app.database import connect
from app.keys import service as keys
from app.keys.service import Role
from app.settings import Settings
from app.tables import Lab


@dataclass
class House:
    """A service in which one video is ready, with one track that is labelled on three frames."""

    service: Any
    project: dict[str, Any]
    video: dict[str, Any]
    track: dict[str, Any]
    label: dict[str, Any]

    @property
    def http(self) -> httpx2.Client:
        """A client with the admin's key."""
        return self.service.http

    @property
    def url(self) -> str:
        """Address of the video."""
        return f"/videos/{self.video['id']}"

    def labels(self, frame_index: int = 1, **changes: Any) -> dict[str, Any]:
        """A body with one good label on a frame, changed."""
        return {"labels": [{**copy.deepcopy(self.label), "frame_index": frame_index, **changes}]}

    def client(self, role: Role, lab_id: int | None = None) -> httpx2.Client:
        """A client with a new key of that role, in the local lab or another one."""
        return client_of(self.service, role, lab_id)


def client_of(service: Any, role: Role, lab_id: int | None = None) -> httpx2.Client:
    """A client with a key of its own."""
    database = connect(service.settings.database)
    with database.session() as session:
        lab = lab_id or session.scalars(select(Lab.id).order_by(Lab.id)).first()
        _, key = keys.create(session, lab, name=role.value, role=role, expires_at=None)
    database.dispose()
    return httpx2.Client(base_url=service.http.base_url, headers={"Authorization": f"Bearer {key}"}, timeout=60)


@pytest.fixture(scope="module")
def house(serving, walker, tmp_path_factory) -> House:
    service = serving(Settings(data_dir=tmp_path_factory.mktemp("house"), port=0, max_json_bytes=8 * 2**20))
    project = service.project(walker.skeleton)
    video = service.upload(project, walker.path)
    track = service.track(video)
    labels = [service.label(frame, 1, walker.tracks[1]) for frame in (0, 20, 44)]
    written = service.http.put(f"/videos/{video['id']}/labels", json={"labels": labels})
    assert written.status_code == 200, written.text
    return House(service, project, video, track, labels[0])


@pytest.fixture(scope="module")
def other_lab(house) -> int:
    """Another lab in the same database."""
    database = connect(house.service.settings.database)
    with database.session() as session:
        number = session.execute(insert(Lab).values(name="others").returning(Lab.id)).scalar_one()
    database.dispose()
    return number


@pytest.fixture(scope="session")
def refused() -> Callable[..., dict[str, Any]]:
    """Check that an answer is a problem document with that status, which names those fields; gives it."""

    def check(answer: httpx2.Response, status: int, *pointers: str) -> dict[str, Any]:
        assert answer.status_code == status, f"{answer.status_code} {answer.text[:500]}"
        assert answer.headers["content-type"] == "application/problem+json", answer.text[:500]
        problem = answer.json()
        assert problem["status"] == status
        assert problem["title"]
        assert problem["detail"]
        named = {entry["pointer"] for entry in problem["errors"]}
        assert {*pointers} <= named, problem
        assert all(entry["detail"] and entry["location"] for entry in problem["errors"])
        return problem

    return check
