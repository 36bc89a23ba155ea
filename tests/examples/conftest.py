"""A project with labels of three frames of a rendered walk, filled in between, as other tools ask for its poses."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from app.settings import Settings
from examples.frame_poses import FramePoses
from posetween import Client
from tests.conftest import Rendered, Service


@pytest.fixture(scope="module")
def labelled(
    serving: Callable[[Settings], Service], walker: Rendered, tmp_path_factory: pytest.TempPathFactory
) -> Service:
    """The service."""
    service = serving(Settings(data_dir=tmp_path_factory.mktemp("labelled")))
    project = service.project(walker.skeleton, "walks")
    video = service.upload(project, walker.path)
    track = service.track(video, "anna")
    labels = [service.label(frame, track["id"], walker.tracks[1]) for frame in (0, 20, 44)]
    assert service.http.put(f"/videos/{video['id']}/labels", json={"labels": labels}).is_success
    job = service.http.post(f"/videos/{video['id']}/propagations", json={"engine": "linear"}).json()
    assert service.finished(job)["state"] == "succeeded"
    return service


@pytest.fixture(scope="module")
def address(labelled: Service) -> str:
    """Where it is."""
    return str(labelled.http.base_url).partition("/api/")[0]


@pytest.fixture(scope="module")
def poses(labelled: Service, address: str) -> Iterator[FramePoses]:
    """Its poses."""
    with Client(address, labelled.key) as client:
        yield FramePoses(client, "walks")
