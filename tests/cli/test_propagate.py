"""``posetween propagate`` as a user meets it: files in, a file or a sentence out."""

from __future__ import annotations

import json
import re
import resource
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import typer
from pycocotools.coco import COCO
from typer.testing import CliRunner, Result

from cli.propagate import propagate
from pose.formats.coco import VideoInfo, check_coco, instances, read_coco, write_coco
from pose.skeleton import Skeleton
from pose.synthetic import Scene, SceneSpec
from pose.synthetic.spec import Kind
from pose.track import Track
from pose.video import VideoReader
from pose.video_writer import VideoWriter

FRAMES = 25
FLOW = ("--engine", "flow")


class Files:
    def __init__(self, folder: Path, kind: Kind = "fly", subjects: int = 2) -> None:
        spec = SceneSpec(seed=6, kind=kind, subjects=subjects, num_frames=FRAMES, width=160, height=120)
        scene = Scene(spec)
        self.skeleton: Skeleton = scene.skeleton
        self.tracks = scene.tracks
        self.video = folder / "flies.mp4"
        with VideoWriter(self.video, spec.fps, spec.width, spec.height) as writer:
            for frame in scene.frames():
                writer.write(frame)
        self.keyframes = folder / "keyframes.json"
        self.write(self.keyframes, {number: track.select(track.frames % 12 == 0) for number, track in self.keep()})

    def keep(self) -> list[tuple[int, Track]]:
        return sorted(self.tracks.items())

    def write(self, path: Path, tracks: dict[int, Track], num_frames: int = FRAMES) -> Path:
        about = VideoInfo(id=1, slug="flies", width=160, height=120, num_frames=num_frames)
        with path.open("wb") as stream:
            write_coco(stream, self.skeleton, [(about, instances(tracks))], info={})
        return path


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Files:
    return Files(tmp_path_factory.mktemp("flies"))


def invoke(*arguments: Any) -> Result:
    app = typer.Typer()
    app.command()(propagate)
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


@pytest.mark.parametrize("options", [("auto", "--no-adapt"), ("flow",), ("linear",)], ids=lambda options: options[0])
def test_every_frame_and_track_gets_a_pose(files: Files, tmp_path: Path, options: tuple[str, ...]) -> None:
    output = tmp_path / "poses.json"
    result = invoke(files.video, files.keyframes, "-o", output, "--engine", *options)
    assert result.exit_code == 0, result.output
    made = read_coco(output.read_bytes(), num_frames=FRAMES)
    assert made.skeleton == files.skeleton
    assert sorted(made.tracks) == [1, 2]
    assert all(list(track.frames) == list(range(FRAMES)) for track in made.tracks.values())
    assert not [finding for finding in check_coco(output.read_bytes()) if finding.severity == "error"]
    loaded = COCO(str(output))
    assert len(loaded.imgs) == FRAMES
    assert len(loaded.anns) == 2 * FRAMES


def test_keyframes_come_back_unchanged(files: Files, tmp_path: Path) -> None:
    output = tmp_path / "poses.json"
    assert invoke(files.video, files.keyframes, "-o", output, *FLOW).exit_code == 0
    given, made = (json.loads(path.read_bytes()) for path in (files.keyframes, output))

    def places(document: dict[str, Any]) -> dict[tuple[int, int], dict[str, Any]]:
        frame = {image["id"]: image["frame_index"] for image in document["images"]}
        return {(frame[a["image_id"]], a["track_id"]): a for a in document["annotations"]}

    poses = places(made)
    for place, label in places(given).items():
        points, filled = (np.reshape(a["keypoints"], (-1, 3)) for a in (label, poses[place]))
        known = points[:, 2] > 0
        assert np.array_equal(filled[known], points[known])
    assert all(pose["source"] == "pseudo" for (frame, _), pose in poses.items() if frame % 12)


def test_the_same_input_gives_the_same_bytes(files: Files, tmp_path: Path) -> None:
    outputs = [tmp_path / name for name in ("a.json", "b.json")]
    for output in outputs:
        assert invoke(files.video, files.keyframes, "-o", output, *FLOW).exit_code == 0
    assert outputs[0].read_bytes() == outputs[1].read_bytes()


def test_json_lines_report_progress(files: Files, tmp_path: Path) -> None:
    result = invoke(files.video, files.keyframes, "-o", tmp_path / "poses.json", "--json", *FLOW)
    lines = [json.loads(line) for line in result.stdout.splitlines()]
    assert [line["event"] for line in lines] == ["segment"] * 6 + ["done"]
    assert lines[-2]["progress"] == 1
    assert lines[-1]["output"] == str(tmp_path / "poses.json")
    assert lines[-1]["cuts"] == []


def test_cuts_are_told_and_not_crossed(files: Files, tmp_path: Path) -> None:
    place = SceneSpec(seed=2, num_frames=15, width=160, height=120)
    video = tmp_path / "two-shots.mp4"
    with VideoWriter(video, 25, 160, 120) as writer:
        for frame in Scene(replace(place, seed=6, kind="fly")).frames():
            writer.write(frame)
        for frame in Scene(place).frames():
            writer.write(frame)
    keyframes = files.write(tmp_path / "keyframes.json", {1: files.tracks[1].between(0, 1)}, num_frames=30)
    output = tmp_path / "poses.json"
    said = invoke(video, keyframes, "-o", output, *FLOW)
    assert said.exit_code == 0, said.output
    assert "cut at frame 15: poses are not carried across" in said.stderr
    assert list(read_coco(output.read_bytes(), num_frames=30).tracks[1].frames) == list(range(15))
    lines = invoke(video, keyframes, "-o", output, "--json", *FLOW).stdout.splitlines()
    assert json.loads(lines[-1])["cuts"] == [15]


def test_one_labelled_frame_is_enough(files: Files, tmp_path: Path) -> None:
    single = files.write(tmp_path / "one.json", {1: files.tracks[1].between(12, 13)})
    output = tmp_path / "poses.json"
    assert invoke(files.video, single, "-o", output, *FLOW).exit_code == 0
    made = read_coco(output.read_bytes()).tracks[1]
    assert len(made) == FRAMES
    labelled = made.visibility[12] > 0
    assert (made.score[12, labelled] == 1).all()
    assert (made.score[0, labelled] < made.score[11, labelled]).all()


def test_an_existing_file_is_replaced(files: Files, tmp_path: Path) -> None:
    output = tmp_path / "poses.json"
    output.write_text("old")
    assert invoke(files.video, files.keyframes, "-o", output, "--engine", "linear").exit_code == 0
    assert read_coco(output.read_bytes()).tracks


def refused(result: Result, folder: Path, sentence: str) -> None:
    assert result.exit_code == 2, result.output
    assert sentence in result.stderr
    assert len(result.stderr.strip().splitlines()) == 1
    assert "Traceback" not in result.output
    assert not list(folder.iterdir())


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--engine", "magic"], "there is no engine 'magic'"),
        (["--engine", "flow", "--adapt"], "--adapt: the engine flow cannot be fitted to a video"),
        (["--engine", "flow", "--checkpoint", "weights"], "a checkpoint is for the engine stdpose"),
        (["--checkpoint", "weights.safetensors"], "weights.json cannot be read"),
    ],
)
def test_engines_that_cannot_do_that_are_refused(
    files: Files, tmp_path: Path, options: list[str], sentence: str
) -> None:
    refused(invoke(files.video, files.keyframes, "-o", tmp_path / "x.json", *options), tmp_path, sentence)


def test_a_network_that_knows_people_is_for_people(files: Files, tmp_path: Path, small_checkpoint: Path) -> None:
    options = ("--checkpoint", small_checkpoint, "--detector", "people", "--no-adapt")
    result = invoke(files.video, files.keyframes, "-o", tmp_path / "x.json", *options)
    refused(
        result, tmp_path, "--detector: 'people' finds people's joints, and takes a skeleton that has shoulders, hips"
    )


def test_a_network_that_knows_people_helps_with_people(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, small_checkpoint: Path
) -> None:
    walk = Files(tmp_path_factory.mktemp("people"), kind="person", subjects=1)
    output = tmp_path / "poses.json"
    options = ("--checkpoint", small_checkpoint, "--detector", "people", "--no-adapt")
    result = invoke(walk.video, walk.keyframes, "-o", output, *options)
    assert result.exit_code == 0, result.output
    assert re.search(r"engine stdpose \S+-people-[0-9a-f]{12}$", json.loads(output.read_bytes())["info"]["description"])
    assert list(read_coco(output.read_bytes(), num_frames=FRAMES).tracks[1].frames) == list(range(FRAMES))


def test_a_file_called_as_the_network_is_a_file(files: Files, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    result = invoke(files.video, files.keyframes, "-o", "x.json", "--detector", "./people", "--no-adapt")
    refused(result, tmp_path, "--detector: ")


def test_a_missing_video_is_named(files: Files, tmp_path: Path) -> None:
    result = invoke(tmp_path / "none.mp4", files.keyframes, "-o", tmp_path / "x.json")
    refused(result, tmp_path, "none.mp4: there is no such file")


def test_a_file_that_is_no_video_is_refused(files: Files, tmp_path: Path) -> None:
    refused(invoke(files.keyframes, files.keyframes, "-o", tmp_path / "x.json"), tmp_path, "keyframes.json: ")


def test_missing_keyframes_are_named(files: Files, tmp_path: Path) -> None:
    result = invoke(files.video, tmp_path / "none.json", "-o", tmp_path / "x.json")
    refused(result, tmp_path, "none.json: there is no such file")


def test_keyframes_that_are_not_coco_are_refused(files: Files, tmp_path: Path) -> None:
    refused(invoke(files.video, files.video, "-o", tmp_path / "x.json"), tmp_path, "flies.mp4: ")


def test_empty_keyframes_are_refused(files: Files, tmp_path_factory: pytest.TempPathFactory, tmp_path: Path) -> None:
    empty = files.write(tmp_path_factory.mktemp("empty") / "empty.json", {})
    refused(invoke(files.video, empty, "-o", tmp_path / "x.json"), tmp_path, "no labelled point")


def test_a_keyframe_beyond_the_video_is_refused(
    files: Files, tmp_path_factory: pytest.TempPathFactory, tmp_path: Path
) -> None:
    late = Track.labelled([FRAMES], np.ones((1, files.skeleton.size, 3)))
    beyond = files.write(tmp_path_factory.mktemp("late") / "late.json", {1: late}, num_frames=FRAMES + 1)
    refused(invoke(files.video, beyond, "-o", tmp_path / "x.json"), tmp_path, "frame_index")


def test_a_place_that_cannot_be_written_is_refused(files: Files, tmp_path: Path) -> None:
    result = invoke(files.video, files.keyframes, "-o", tmp_path / "nowhere" / "x.json")
    refused(result, tmp_path, "not a place for a file")


def test_a_full_disk_leaves_nothing_behind(files: Files, tmp_path: Path) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2000, hard))
    try:
        result = invoke(files.video, files.keyframes, "-o", tmp_path / "x.json", *FLOW)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert result.exit_code == 1
    assert "x.json was not written: File too large" in result.stderr
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_stdpose_fits_itself_to_the_video_unless_told_not_to(
    files: Files, tmp_path: Path, small_checkpoint: Path
) -> None:
    output = tmp_path / "poses.json"
    options = ("--engine", "stdpose", "--checkpoint", small_checkpoint, "--json")
    plain = invoke(files.video, files.keyframes, "-o", output, *options, "--no-adapt")
    assert plain.exit_code == 0, plain.output
    assert "adapting" not in plain.stdout
    without = output.read_bytes()
    fitted = invoke(files.video, files.keyframes, "-o", output, *options)
    assert fitted.exit_code == 0, fitted.output
    lines = [json.loads(line) for line in fitted.stdout.splitlines()]
    shares = [line["progress"] for line in lines if line["event"] == "adapting"]
    assert shares == sorted(shares)
    assert shares[-1] == 1.0
    # What is written first is there if somebody does not wait.
    assert [line["event"] for line in lines].index("first_stage") < [line["event"] for line in lines].index("adapting")

    (adapted,) = (line for line in lines if line["event"] == "adapted")
    assert 0 < adapted["steps"] <= adapted["planned"] == 200
    assert output.read_bytes() != without
    for data in (without, output.read_bytes()):
        assert not [finding for finding in check_coco(data) if finding.severity == "error"]


@pytest.mark.slow
def test_who_does_not_wait_for_the_fit_has_the_poses_without_it(
    files: Files, tmp_path: Path, small_checkpoint: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = ("--engine", "stdpose", "--checkpoint", small_checkpoint)
    plain, first = tmp_path / "plain.json", tmp_path / "first.json"
    assert invoke(files.video, files.keyframes, "-o", plain, *options, "--no-adapt").exit_code == 0

    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("models.adaptation.adaptation.collect", interrupted)
    assert invoke(files.video, files.keyframes, "-o", first, *options).exit_code != 0
    assert first.read_bytes() == plain.read_bytes()


def test_a_folder_of_images_with_a_gap(files: Files, tmp_path: Path) -> None:
    folder = tmp_path / "flies"
    folder.mkdir()
    with VideoReader(files.video) as video:
        for index, frame in enumerate(video.frames()):
            if index not in (7, 8):
                assert cv2.imwrite(str(folder / f"img_{index + 100}.png"), frame[..., ::-1])
    output = tmp_path / "poses.json"
    result = invoke(folder, files.keyframes, "-o", output, "--engine", "linear")
    assert result.exit_code == 0, result.output
    made = json.loads(output.read_bytes())
    assert [image["frame_index"] for image in made["images"] if image.get("damaged")] == [7, 8]
    assert [image["time"] for image in made["images"][:3]] == [0, 0.04, 0.08]
    tracks = read_coco(output.read_bytes(), num_frames=FRAMES).tracks
    for track in tracks.values():
        assert track.score[7:9].max() <= 0.3
        assert track.score[[6, 9]].max() > 0.3
