"""A service with a video that is labelled on every fourth frame, and what a training would learn from it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from app.database import Database, connect
from app.jobs.params import TrainingParams
from app.settings import Settings
from app.storage import Storage, go_on, open_storage
from app.tables import Job
from app.trainings import label_set
from app.trainings.label_set import LabelSet

LABELLED = range(0, 45, 4)


@dataclass
class Project:
    """A project, and the rows behind it."""

    service: Any
    database: Database
    storage: Storage
    video: dict[str, Any]

    @property
    def http(self) -> Any:
        return self.service.http

    @property
    def url(self) -> str:
        return f"/projects/{self.video['project_id']}"

    def train(self, **body: Any) -> Any:
        """Ask for a training; gives the answer."""
        return self.http.post(f"{self.url}/trainings", json=body)

    def params(self, **body: Any) -> dict[str, Any]:
        """What is settled when a training is asked for; it is called off again."""
        answer = self.train(**body)
        assert answer.status_code == 202, answer.text
        self.http.post(f"/jobs/{answer.json()['id']}/cancel")
        with self.database.session(readonly=True) as session:
            return session.get_one(Job, answer.json()["id"]).params

    def read(self, params: dict[str, Any]) -> LabelSet:
        """What a training learns from."""
        return label_set.read(self.database, self.storage, self.video["project_id"], TrainingParams.of(params), go_on)

    def propagate(self, **body: Any) -> int:
        """Propagate; gives the run."""
        job = self.http.post(f"/videos/{self.video['id']}/propagations", json={"engine": "linear", **body}).json()
        ended = self.service.finished(job)
        assert ended["state"] == "succeeded", ended
        return ended["result"]["run_id"]

    def label(self, labels: list[dict[str, Any]]) -> None:
        """Write labels."""
        written = self.http.put(f"/videos/{self.video['id']}/labels", json={"labels": labels})
        assert written.status_code == 200, written.text


@pytest.fixture
def labelled(serving: Any, walker: Any, tmp_path: Any) -> Iterator[Callable[..., Project]]:
    """Make such projects."""
    made: list[Project] = []

    def make(frames: Any = LABELLED, **options: Any) -> Project:
        settings = Settings(data_dir=tmp_path / f"data-{len(made)}", port=0, **options)
        service = serving(settings)
        video = service.upload(service.project(walker.skeleton), walker.path)
        service.track(video)
        made.append(Project(service, connect(settings.database), open_storage(settings), video))
        made[-1].label([service.label(frame, 1, walker.tracks[1]) for frame in frames])
        return made[-1]

    yield make
    for one in made:
        one.database.dispose()


@pytest.fixture
def project(labelled: Callable[..., Project]) -> Project:
    """One on SQLite."""
    return labelled()
