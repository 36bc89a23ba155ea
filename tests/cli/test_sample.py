from typer.testing import CliRunner

from cli.main import app
from pose.formats.coco import read_coco
from pose.video import VideoReader


def test_a_sample_is_a_video_and_the_truth_about_it(tmp_path):
    words = ["sample", "-o", str(tmp_path / "flies"), "--kind", "fly", "--frames", "12", "--subjects", "2"]
    done = CliRunner().invoke(app, [*words, "--width", "160", "--height", "120"])
    assert done.exit_code == 0, done.output
    truth = read_coco((tmp_path / "flies" / "truth.json").read_bytes())
    assert set(truth.tracks) == {1, 2}
    assert len(truth.tracks[1]) == 12
    with VideoReader(tmp_path / "flies" / "video.mp4") as video:
        assert (video.num_frames, video.width, video.height) == (12, 160, 120)


def test_an_unknown_kind_is_wrong_usage(tmp_path):
    done = CliRunner().invoke(app, ["sample", "-o", str(tmp_path), "--kind", "cat"])
    assert done.exit_code == 2
    assert "person" in done.output


def test_keyframes_are_the_truth_of_some_frames(tmp_path):
    words = ["sample", "-o", str(tmp_path), "--frames", "12", "--width", "160", "--height", "120", "--every", "5"]
    done = CliRunner().invoke(app, words)
    assert done.exit_code == 0, done.output
    assert done.output.splitlines()[-1] == str(tmp_path / "keyframes.json")
    truth, labelled = (read_coco((tmp_path / name).read_bytes()) for name in ("truth.json", "keyframes.json"))
    assert labelled.tracks[1].frames.tolist() == [0, 5, 10]
    assert (labelled.tracks[1].xy == truth.tracks[1].xy[::5]).all()
