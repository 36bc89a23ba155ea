"""The files of a report, made from a rendered video."""

import json
from dataclasses import replace

import cv2
import numpy as np
import pytest

from models.evaluation import LabelledPrediction, evaluate, gate, write_report
from models.evaluation.charts import MOST_BARS, loss_picture, report_picture
from models.evaluation.overlays import worst_frames
from models.evaluation.report import markdown
from pose.drawing import subject_scheme
from pose.frame_table import VideoError
from pose.skeleton import Skeleton
from pose.track import Track
from pose.video import VideoReader

EPOCHS = [
    {
        "index": index,
        "epochs": 4,
        "step": 10 * index,
        "loss": 2.0 / (index + 1),
        "losses": {"heatmap": 1.5 / (index + 1), "mask": 0.5},
        "validation": {"error": 0.3 / (index + 1), "pck@0.1": 0.2 * index} if index else {},
        "seconds": 3.0,
        "waiting": 0.1,
        "best": index == 3,
    }
    for index in range(4)
]


@pytest.fixture(scope="module")
def found(walker):
    """A person, found with noise, and one arm wrong for a while."""
    truth = walker.tracks[1]
    rng = np.random.default_rng(0)
    xy = truth.xy + rng.normal(0, 2, truth.xy.shape)
    xy[12:20, 9] += 25
    guess = replace(truth, xy=xy.astype(np.float32))
    return [LabelledPrediction("walker/1", truth, guess)]


@pytest.fixture(scope="module")
def evaluation(walker, found):
    return evaluate(found, walker.skeleton)


@pytest.fixture
def frames(walker):
    with VideoReader(walker.path) as video:
        yield lambda name, index: {"walker/1": video}[name].read(index)


def picture_of(data):
    picture = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    assert picture is not None
    return picture


def test_a_report_is_complete(tmp_path, walker, found, evaluation, frames):
    verdict = gate(found, None, keypoints=walker.skeleton.keypoints)
    write_report(tmp_path / "new" / "report", evaluation, found, walker.skeleton, frames, EPOCHS, verdict)
    folder = tmp_path / "new" / "report"
    assert sorted(file.name for file in folder.iterdir()) == ["loss.png", "report.json", "report.md", "report.png"]
    about = json.loads((folder / "report.json").read_text())
    assert about.items() >= evaluation.to_json().items()
    assert about["verdict"] == verdict.to_json()
    assert about["epochs"] == EPOCHS
    page = (folder / "report.md").read_text()
    assert verdict.reason in page
    assert all(f"| {name} |" in page for name in walker.skeleton.keypoints)
    assert "](report.png)" in page
    assert "](loss.png)" in page
    without = report_picture(evaluation, None)
    with_frames = picture_of((folder / "report.png").read_bytes())
    assert with_frames.shape[1] == picture_of(without).shape[1]
    assert with_frames.shape[0] > picture_of(without).shape[0] + 200
    assert picture_of((folder / "loss.png").read_bytes()).shape == (420, 1200, 3)


def test_the_same_figures_are_the_same_bytes(walker, found, evaluation, frames):
    sheet = worst_frames(evaluation, found, walker.skeleton, frames)
    assert report_picture(evaluation, sheet) == report_picture(evaluation, sheet)
    assert loss_picture(EPOCHS) == loss_picture(EPOCHS)


def test_without_epochs_or_frames_it_says_what_there_is(tmp_path, walker, found, evaluation):
    write_report(tmp_path, evaluation, found, walker.skeleton, None)
    assert sorted(file.name for file in tmp_path.iterdir()) == ["report.json", "report.md", "report.png"]
    assert "loss.png" not in (tmp_path / "report.md").read_text()
    assert json.loads((tmp_path / "report.json").read_text())["verdict"] is None


def test_nothing_is_left_where_a_frame_cannot_be_read(tmp_path, walker, found, evaluation):
    def gone(name, index):
        raise VideoError("The video is gone.")

    with pytest.raises(VideoError, match="gone"):
        write_report(tmp_path / "report", evaluation, found, walker.skeleton, gone)
    assert list(tmp_path.iterdir()) == []


def test_worst_frames_show_labels_and_estimates(walker, found, evaluation, frames):
    asked = []

    def noted(name, index):
        asked.append((name, index))
        return np.full_like(frames(name, index), 128)

    sheet = worst_frames(evaluation, found, walker.skeleton, noted)
    assert asked == [(bad.name, bad.frame) for bad in evaluation.worst]
    assert sheet.dtype == np.uint8
    tile = sheet[6:286, 6:286].astype(int)
    for scheme in (subject_scheme(1), subject_scheme(2)):
        for colour in (scheme.left, scheme.right):
            assert (np.abs(tile - colour).sum(axis=-1) < 30).sum() > 5


@pytest.mark.parametrize("corner", [(-20.0, -30.0), (300.0, 220.0), (-500.0, 4000.0)])
def test_subjects_at_the_edge_and_beyond_are_drawn(walker, found, frames, corner):
    truth = found[0].truth
    moved = replace(truth, xy=(truth.xy - truth.xy.min(axis=(0, 1)) + np.array(corner)).astype(np.float32))
    judged = [LabelledPrediction("walker/1", moved, truth)]
    sheet = worst_frames(evaluate(judged, walker.skeleton), judged, walker.skeleton, frames)
    assert sheet.shape[2] == 3


def test_names_that_mean_something_to_markdown_or_to_charts_are_names(tmp_path):
    skeleton = Skeleton(name="odd", keypoints=("a|b", "$x_{", "two\nlines"))
    pose = np.array([[[0, 0, 2], [30, 40, 2], [9, 9, 2]]])
    judged = [LabelledPrediction("v|w/1", Track.labelled([0], pose), Track.labelled([0], pose + np.array([1, 0, 0])))]
    evaluation = evaluate(judged, skeleton)
    write_report(tmp_path, evaluation, judged, skeleton, lambda name, index: np.zeros((60, 60, 3), dtype=np.uint8))
    page = markdown(evaluation)
    assert "| a\\|b |" in page
    assert "| two lines |" in page
    assert "| v\\|w/1 |" in page


def test_of_many_keypoints_the_worst_are_shown():
    count = 200
    skeleton = Skeleton(name="many", keypoints=tuple(f"k{k}" for k in range(count)))
    xy = np.random.default_rng(0).uniform(0, 100, (1, count, 2))
    truth = Track.labelled([0], np.concatenate([xy, np.full((1, count, 1), 2)], axis=-1))
    evaluation = evaluate([LabelledPrediction("a/1", truth, replace(truth, xy=truth.xy + np.float32(2)))], skeleton)
    assert picture_of(report_picture(evaluation, None)).shape[0] == round(100 * (1.2 + 0.26 * MOST_BARS))


def test_losses_below_zero_and_missing_parts_are_drawn():
    epochs = [
        {"index": 0, "loss": -1.0, "losses": {}, "validation": {}, "best": False},
        {"index": 1, "loss": -2.0, "losses": {"new": 1.0}},
    ]
    assert picture_of(loss_picture(epochs)).shape[1] == 1200
