"""``posetween train``, ``evaluate`` and ``estimate`` as a user meets them: files in, files or a sentence out."""

from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

from cli.main import app
from pose.formats.coco import VideoInfo, check_coco, instances, read_coco, write_coco
from pose.synthetic import Scene, SceneSpec
from pose.video_writer import VideoWriter
from tests.services import needed

FRAMES = 40
COMMANDS = ("train", "evaluate", "estimate")


class Files:
    def __init__(self, folder):
        self.folder = folder
        self.video, self.labels = self.render(5)
        self.other, self.truth = self.render(9)

    def render(self, seed):
        spec = SceneSpec(seed=seed, kind="fly", num_frames=FRAMES, width=160, height=120)
        scene = Scene(spec)
        video, labels = self.folder / f"fly-{seed}.mp4", self.folder / f"fly-{seed}.json"
        with VideoWriter(video, spec.fps, spec.width, spec.height) as writer:
            for frame in scene.frames():
                writer.write(frame)
        about = VideoInfo(id=1, slug=video.stem, width=160, height=120, num_frames=FRAMES)
        with labels.open("wb") as stream:
            write_coco(stream, scene.skeleton, [(about, instances(scene.tracks))], info={})
        self.skeleton = scene.skeleton
        return video, labels


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    return Files(tmp_path_factory.mktemp("flies"))


def invoke(*words):
    return CliRunner().invoke(app, [str(word) for word in words])


@pytest.mark.parametrize("command", COMMANDS)
def test_help_says_what_it_does(command):
    result = invoke(command, "--help")
    assert result.exit_code == 0
    assert "--output" in result.output


@pytest.fixture(scope="module")
def model(files):
    """A folder with an estimator that was trained for a moment."""
    needed("models.training.train")
    folder = files.folder / "model"
    result = invoke("train", files.video, files.labels, "-o", folder, "--minutes", 0.03, "--json")
    assert result.exit_code == 0, result.output
    lines = [json.loads(line) for line in result.stdout.splitlines()]
    assert [line["event"] for line in lines][-1] == "done"
    assert {line["event"] for line in lines[:-1]} == {"epoch"}
    assert lines[-1]["checkpoint"] == str(folder / "best.safetensors")
    return folder


def test_an_estimator_is_trained_measured_and_used(files, model, tmp_path):
    needed("models.estimators.predict")
    needed("models.evaluation.report")
    checkpoint = model / "best.safetensors"
    report = tmp_path / "report"
    result = invoke("evaluate", checkpoint, files.other, files.truth, "-o", report)
    assert result.exit_code == 0, result.output
    assert {"report.json", "report.md", "report.png"} <= {path.name for path in report.iterdir()}
    assert "# Evaluation" in result.stdout
    output = tmp_path / "poses.json"
    for more in ([], ["--tracks", files.truth]):
        result = invoke("estimate", files.other, checkpoint, "-o", output, *more, "--json")
        assert result.exit_code == 0, result.output
        made = read_coco(output.read_bytes(), num_frames=FRAMES)
        assert made.skeleton == files.skeleton
        assert list(made.tracks[1].frames) == list(range(FRAMES))
        assert not [finding for finding in check_coco(output.read_bytes()) if finding.severity == "error"]


def test_an_estimate_has_no_pose_of_who_is_said_to_be_absent(files, model, tmp_path):
    document = json.loads(files.truth.read_bytes())
    frame = {image["id"]: image["frame_index"] for image in document["images"]}
    document["annotations"] = [one for one in document["annotations"] if frame[one["image_id"]] in (0, 5, 39)]
    document["images"][10]["absent_tracks"] = document["images"][20]["absent_tracks"] = [1]
    document["images"][30]["absent_keypoints"] = [{"track_id": 1, "category_id": 1, "absent": [0]}]
    tracks, output = tmp_path / "said.json", tmp_path / "poses.json"
    tracks.write_text(json.dumps(document))
    result = invoke("estimate", files.other, model / "best.safetensors", "-o", output, "--tracks", tracks)
    assert result.exit_code == 0, result.output
    made = read_coco(output.read_bytes(), num_frames=FRAMES)
    assert [*made.pseudo[1].frames] == [*range(10), *range(21, FRAMES)]
    assert not made.pseudo[1].visibility[made.pseudo[1].frames == 30, 0].any()
    assert [*made.labels[1].frames] == [10, 20, 30]
    assert made.labels[1].absent.sum(axis=1).tolist() == [made.skeleton.size] * 2 + [1]


def test_what_is_found_where_nobody_is_said_to_be_is_in_the_report(files, model, tmp_path):
    needed("models.evaluation.report")
    document = json.loads(files.truth.read_bytes())
    frame = {image["id"]: image["frame_index"] for image in document["images"]}
    document["annotations"] = [one for one in document["annotations"] if frame[one["image_id"]] not in (10, 20)]
    for number in (10, 20):
        document["images"][number]["absent_tracks"] = [1]
    labels, report = tmp_path / "said.json", tmp_path / "report"
    labels.write_text(json.dumps(document))
    result = invoke("evaluate", model / "best.safetensors", files.other, labels, "-o", report, "--json")
    assert result.exit_code == 0, result.output
    metrics = json.loads(result.stdout)["metrics"]
    assert metrics["frames"] == FRAMES - 2
    found = metrics["false_positives"]
    assert (found["score"], found["poses"], found["points"]) == (0.5, 2, 2 * files.skeleton.size)
    assert found["pose_rate"] == found["poses_found"] / 2
    assert "## Where people said that nothing is there" in (report / "report.md").read_text()


def test_absences_of_a_file_are_learnt(files, tmp_path):
    needed("models.training.train")
    document = json.loads(files.labels.read_bytes())
    frame = {image["id"]: image["frame_index"] for image in document["images"]}
    document["annotations"] = [one for one in document["annotations"] if frame[one["image_id"]] % 4]
    for image in document["images"][::4]:
        image["absent_tracks"] = [1]
    labels = tmp_path / "said.json"
    labels.write_text(json.dumps(document))
    result = invoke(
        "train", files.video, labels, "-o", tmp_path / "model", "--minutes", 0.01, "--hold-out", 0.5, "--json"
    )
    assert result.exit_code == 0, result.output
    recipe = json.loads((tmp_path / "model" / "best.json").read_text())["recipe"]
    assert recipe["presence"]
    assert 0 <= recipe["curve"][-1]["validation"]["false_positives"] <= 1


def test_a_folder_with_a_training_is_only_gone_on_with_when_told(files, model, tmp_path):
    again = invoke("train", files.video, files.labels, "-o", model, "--minutes", 0.03)
    assert again.exit_code == 2
    assert "--resume" in again.output
    nothing = invoke("train", files.video, files.labels, "-o", tmp_path / "none", "--resume")
    assert nothing.exit_code == 2
    assert "no training to resume" in nothing.output
    assert invoke("train", files.video, files.labels, "-o", model, "--minutes", 0.03, "--resume").exit_code == 0


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["train", "VIDEO"], "each video is followed by its COCO file"),
        (["train", "VIDEO", "LABELS", "VIDEO", "LABELS"], "stands there twice"),
        (["train", "VIDEO", "VIDEO"], "fly-5.mp4"),
        (["train", "nowhere.mp4", "LABELS"], "there is no such file"),
        (["train", "VIDEO", "LABELS", "--estimator", "magic"], "magic"),
        (["train", "VIDEO", "LABELS", "--preset", "giant"], "giant"),
        (["train", "VIDEO", "LABELS", "--preset", "base"], "weights for the preset tiny alone"),
        (["train", "VIDEO", "LABELS", "--pretrained", "nowhere"], "nowhere holds no config.json"),
        (["train", "VIDEO", "LABELS", "--base", "LABELS"], "fly-5.json"),
        (["train", "VIDEO", "LABELS", "--hold-out", "1.5"], "1.5"),
        (["evaluate", "LABELS", "VIDEO", "LABELS"], "fly-5.json"),
        (["evaluate", "nowhere.safetensors", "VIDEO", "LABELS"], "nowhere.safetensors"),
        (["estimate", "VIDEO", "LABELS"], "fly-5.json"),
        (["estimate", "VIDEO", "LABELS", "--device", "abacus"], "abacus"),
    ],
)
def test_wrong_input_is_a_sentence_and_leaves_nothing(files, tmp_path, words, sentence):
    needed("models.training.train")
    needed("models.evaluation.report")
    named = {"VIDEO": files.video, "LABELS": files.labels}
    output = tmp_path / "output"
    result = invoke(*(named.get(word, word) for word in words), "-o", output)
    assert result.exit_code == 2, result.output
    assert sentence in result.output
    assert "Traceback" not in result.output
    assert not (output / "best.safetensors").exists()
