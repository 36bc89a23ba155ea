"""Which file a video of a data set is."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from cli.importing.sources import SourceError, find_sources
from formats.media import Media
from tests.formats.tables import two_mice


@pytest.fixture
def files(tmp_path):
    def make(*names):
        for name in names:
            file = tmp_path / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(name.encode())
        return tmp_path

    return make


def sources(path, told=("", ""), folders=(), named=None, dataset=None, pictures=({}, {})):
    media = [Media(file=file, pictures=some) for file, some in zip(told, pictures, strict=True)]
    return find_sources(path, two_mice() if dataset is None else dataset, media, folders, named or {})


def test_a_video_is_found_by_its_name_below_the_project(files):
    root = files("p/videos/left.mp4", "p/deep/er/RIGHT.avi", "p/left.txt")
    found = sources(root / "p")
    assert [(one.kind, one.file) for one in found] == [
        ("video", root / "p/videos/left.mp4"),
        ("video", root / "p/deep/er/RIGHT.avi"),
    ]


def test_beside_a_project_of_one_file_and_in_folders_that_are_named(files):
    root = files("p/mice.slp", "p/left.mp4", "p/other/right.mp4", "films/right.mp4")
    left, right = sources(root / "p/mice.slp")
    assert (left.file, right.kind) == (root / "p/left.mp4", "missing")
    assert sources(root / "p/mice.slp", folders=[root / "films"])[1].file == root / "films/right.mp4"


def test_what_a_project_says_of_other_places_is_not_read(files):
    root = files("p/mice.slp", "secret/left.mp4")
    assert sources(root / "p/mice.slp", told=(str(root / "secret/left.mp4"), ""))[0].kind == "missing"


def test_of_videos_called_alike_the_folders_decide(files):
    root = files("f/monday/cam.mp4", "f/tuesday/cam.mp4", "p/mice.slp")
    alike = two_mice().with_videos(tuple(replace(video, name="cam") for video in two_mice().videos))
    told = ("D:\\lab\\tuesday\\cam.mp4", "/lab/monday/cam.mp4")
    found = sources(root / "p/mice.slp", told=told, folders=[root / "f"], dataset=alike)
    assert [one.file for one in found] == [root / "f/tuesday/cam.mp4", root / "f/monday/cam.mp4"]
    with pytest.raises(SourceError, match=r"video 'cam' could be any of .*monday.*tuesday"):
        sources(root / "p/mice.slp", folders=[root / "f"], dataset=alike)


def test_a_file_that_is_named_comes_first_and_is_one_video_only(files):
    root = files("p/left.mp4", "new.mp4", "p/mice.slp")
    named = {"left": root / "new.mp4", "right": root / "p/left.mp4"}
    assert [one.file for one in sources(root / "p/mice.slp", named=named)] == [root / "new.mp4", root / "p/left.mp4"]
    with pytest.raises(SourceError, match="would be both of the videos 'left' and 'right'"):
        sources(root / "p/mice.slp", named={"right": root / "p/left.mp4"})
    with pytest.raises(SourceError, match="--video middle=…: no video is called so; there are left, right"):
        sources(root / "p/mice.slp", named={"middle": root / "new.mp4"})


def test_pictures_make_stills_and_what_nothing_is_said_of_is_bare(files):
    root = files("p/mice.slp")
    picture = {0: Path("img0.png")}
    assert [one.kind for one in sources(root / "p/mice.slp", pictures=(picture, {}))] == ["stills", "missing"]
    said = two_mice()
    nothing = said.with_columns(visibility=said.visibility * 0, absent=said.absent & False)
    nothing = nothing.with_videos(tuple(replace(video, empty=()) for video in nothing.videos))
    assert [one.kind for one in sources(root / "p/mice.slp", dataset=nothing)] == ["bare", "bare"]
