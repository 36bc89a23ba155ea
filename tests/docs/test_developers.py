"""The walks of ``docs/developers.md`` do what they say."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
import torch
from fastapi import APIRouter
from fastapi.testclient import TestClient

from app import main
from formats import registry
from formats.errors import FormatError
from formats.registry import Format
from models.estimators import presets
from models.propagate import propagate
from pose.video import VideoReader
from tests.app.conftest import house
from tests.cli.importing.conftest import table

__all__ = ["house"]

PAGE = Path(__file__).parents[2] / "docs" / "developers.md"


@pytest.fixture
def walk():
    """The code of a section, run."""
    sections = dict(section.split("\n", 1) for section in PAGE.read_text().split("\n## ")[1:])

    def run(title):
        (code,) = re.findall(r"```python\n(.*?)```", sections[title], re.DOTALL)
        names = {"__name__": f"walk_{title.split()[-1]}"}
        exec(compile(code, str(PAGE), "exec", dont_inherit=True), names)
        return names

    return run


def test_an_engine(walk, walker):
    engine = walk("Add an engine")["Hold"]()
    labels = walker.tracks[1].select(np.flatnonzero(np.isin(walker.tracks[1].frames, [0, 20, 44])))
    with VideoReader(walker.path) as video:
        poses = [poses for _, _, poses in propagate(video, {1: labels}, engine=engine)]
    frames = np.concatenate([part.frames for part in poses])
    xy = np.concatenate([part.xy for part in poses])[np.argsort(frames)]
    radius = np.concatenate([part.radius90 for part in poses])[np.argsort(frames)]
    assert np.sort(frames).tolist() == list(range(45))
    assert (xy[:20] == labels.xy[0]).all()
    assert (xy[20:44] == labels.xy[1]).all()
    assert (radius[0] == 0).all()
    assert (np.diff(radius[1:20], axis=0) > 0).all()


def test_an_estimator(walk, monkeypatch):
    names = walk("Add an estimator")
    kinds = {**presets.ESTIMATORS, "mean": presets.Kind(names["MeanOfFrames"], names["MeanOfFramesConfig"])}
    monkeypatch.setattr(presets, "ESTIMATORS", kinds)
    config = presets.configure("mean", "tiny", 5)
    network = presets.build("mean", config, pretrained=presets.RANDOM)
    clips = torch.rand(2, config.frames, 3, config.height, config.width)
    rows = torch.arange(2 * config.frames).reshape(2, config.frames)
    with torch.no_grad():
        found = network.relate(network.encode(clips.flatten(0, 1)), rows)
    assert found.heatmaps.shape == (2, 5, *config.cells)


def test_a_format(walk, walker, tmp_path, monkeypatch):
    names = walk("Add a format")
    added = Format(
        title="Table",
        kind="file",
        ending=".csv",
        **{name: names[name] for name in ("read", "write")},
        loses=names["LOSES"],
    )
    monkeypatch.setitem(registry.FORMATS, "table", added)
    labels = table(walker, [0, 20, 44])
    target = tmp_path / "walk.csv"
    registry.write(labels, "table", target)
    again = names["read"](target)
    assert (again.frame == labels.frame).all()
    assert (again.visibility == labels.visibility).all()
    assert np.abs(again.xy - labels.xy).max() < 1e-3
    target.write_text("frame,track,nose,nose_y,nose_v\n0,1,2,x,2\n")
    with pytest.raises(FormatError, match="line 2"):
        names["read"](target)


def test_an_endpoint(walk, house, monkeypatch):
    assert house.http.put(f"{house.url}/labels", json=house.labels(3)).is_success
    # Beside the tracks': in the list of routers, as the walk says.
    both = APIRouter()
    for router in (main.tracks, walk("Add an endpoint")["router"]):
        both.include_router(router)
    monkeypatch.setattr(main, "tracks", both)
    client = TestClient(
        main.create_app(house.service.settings), headers={"Authorization": f"Bearer {house.service.key}"}
    )
    with client:
        answer = client.get(f"/api/v1{house.url}/labelled-frames")
        assert (answer.status_code, answer.json()) == (200, {"frames": 4})
        assert client.get("/api/v1/videos/999/labelled-frames").status_code == 404
        client.headers.pop("Authorization")
        assert client.get(f"/api/v1{house.url}/labelled-frames").status_code == 401
