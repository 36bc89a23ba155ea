"""NWB files as pynwb reads ours, and as others write them."""

from __future__ import annotations

import warnings
from datetime import UTC, datetime

import numpy as np
import pytest

from formats import nwb
from formats.errors import FormatError
from formats.registry import write
from tests.formats.tables import two_mice
from tests.services import needed

h5py = needed("h5py")
with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    pynwb, ndx_pose = needed("pynwb"), needed("ndx_pose")

pytestmark = pytest.mark.filterwarnings("ignore")

NAMES = ["nose", "tail"]


def test_pynwb_reads_what_is_written_and_finds_no_fault(tmp_path):
    poses = two_mice()
    write(poses, "nwb", tmp_path / "there")
    files = sorted(file.name for file in (tmp_path / "there").iterdir())
    assert files == ["left_individual1.nwb", "left_individual2.nwb", "right_individual1.nwb"]
    for file in files:
        assert not [*pynwb.validate(path=str(tmp_path / "there" / file))]
    with pynwb.NWBHDF5IO(tmp_path / "there" / "right_individual1.nwb", "r") as stream:
        found = stream.read()
        behaviour = found.processing["behavior"]
        estimated = behaviour["PoseEstimation"]
        assert (found.session_id, found.subject.subject_id) == ("right", "individual1")
        assert [*estimated.skeleton.nodes[:]] == NAMES
        assert estimated.source_video.dimension[:].tolist() == [320, 240]
        assert estimated.source_video.num_samples == 20
        nose = estimated["nose"]
        assert nose.data.shape == (20, 2)
        assert np.isnan(nose.data[11]).all()
        assert nose.data[12].tolist() == poses.xy[3, 0].tolist()
        assert (nose.confidence[11], nose.confidence[12], nose.rate) == (0, 0.75, 1)
        assert "Probability that the point is within tolerance" in nose.confidence_definition
        assert behaviour["radius90"].data[12].tolist() == [2.5, 2.5]
        assert behaviour["human"].data[:].sum() == 0


def theirs(path, series, *, name="PoseEstimation", film=None):
    """A file as other tools write it."""
    moment = datetime(2024, 3, 1, tzinfo=UTC)
    file = pynwb.NWBFile(session_description="x", identifier="x", session_start_time=moment)
    shape = ndx_pose.Skeleton(name="mouse", nodes=NAMES, edges=np.array([[0, 1]], dtype=np.uint8))
    if film is not None:
        file.add_acquisition(film)
    place = file.create_processing_module(name="behavior", description="x")
    place.add(ndx_pose.Skeletons(skeletons=[shape]))
    made = [
        ndx_pose.PoseEstimationSeries(name=one, reference_frame="top left", **{"confidence": np.ones(3), **what})
        for one, what in series.items()
    ]
    place.add(ndx_pose.PoseEstimation(name=name, pose_estimation_series=made, skeleton=shape, source_video=film))
    with pynwb.NWBHDF5IO(path, "w") as stream:
        stream.write(file)
    return path


def data(**more):
    return {"data": np.array([[1, 2], [np.nan, np.nan], [5, 6.5]]), **({"rate": 30.0} | more)}


def test_a_file_of_another_tool_is_read(tmp_path):
    confident = {**data(starting_time=2.0), "confidence": np.array([0.5, 0.1, 1.02])}
    path = theirs(tmp_path / "mouse.nwb", {"nose": confident, "tail": data(starting_time=2.0)}, name="track=bob")
    found = nwb.read(path)
    assert found.skeleton.keypoints == ("nose", "tail")
    assert found.skeleton.edges == ((0, 1),)
    assert found.frame.tolist() == [60, 62]
    assert found.xy[:, 0].tolist() == [[1, 2], [5, 6.5]]
    assert found.score[0].tolist() == pytest.approx([0.5, 1])
    assert not found.human.any()
    assert (found.videos[0].name, dict(found.videos[0].tracks)) == ("mouse", {1: "bob"})


@pytest.mark.parametrize(
    ("stamps", "frames"),
    [([0, 0.04, 0.08, 0.12], [0, 2, 3]), ([0.101, 0.119, 0.14, 0.16], [5, 7, 8]), ([0, 1, 2, 7], [0, 2, 7])],
)
def test_time_stamps_at_even_distances_tell_frames(stamps, frames, tmp_path):
    places = np.array([[1, 2], [np.nan, np.nan], [5, 6.5], [7, 8]])
    said = {"data": places, "timestamps": np.array(stamps, dtype=float), "confidence": np.ones(4)}
    found = nwb.read(theirs(tmp_path / "mouse.nwb", {"nose": said}))
    assert found.frame.tolist() == frames


def test_times_count_from_the_beginning_of_the_video(tmp_path):
    about = {"name": "film", "external_file": ["films/mouse-3.avi"], "format": "external", "starting_frame": [0]}
    film = pynwb.image.ImageSeries(**about, rate=30.0, starting_time=7.3, num_samples=100, dimension=[640, 480])
    path = theirs(tmp_path / "mouse.nwb", {"nose": data(starting_time=7.3)}, film=film)
    found = nwb.read(path)
    assert found.frame.tolist() == [0, 2]
    assert (found.videos[0].name, found.videos[0].width, found.videos[0].height) == ("mouse-3", 640, 480)


@pytest.mark.parametrize(
    ("series", "said"),
    [
        ({"nose": data(timestamps=np.array([0, 0.04, 0.14]), rate=None)}, "do not tell which frame"),
        ({"nose": data(starting_time=-5.0)}, "on no frames of a video"),
        ({"nose": data(starting_time=12.345)}, "on no frames of a video"),
        ({"nose": data(unit="meters")}, "places in 'meters' are none in a picture"),
        ({"nose": data(data=np.zeros((3, 3)))}, "expected x and y of 3 frames"),
        ({"beak": data()}, "no PoseEstimationSeries is called as a node"),
        ({"nose": data(), "tail": data(data=np.zeros((2, 2)), confidence=np.ones(2))}, "expected x and y of 3 frames"),
    ],
)
def test_what_tells_no_poses_in_pictures_is_refused(series, said, tmp_path):
    with pytest.raises(FormatError, match=rf"mouse\.nwb.*{said}"):
        nwb.read(theirs(tmp_path / "mouse.nwb", series))


def test_links_to_other_files_and_files_without_poses_are_refused(tmp_path):
    path = theirs(tmp_path / "mouse.nwb", {"nose": data()})
    theirs(tmp_path / "other.nwb", {"nose": data()})
    with h5py.File(path, "r+") as file:
        del file["processing/behavior/PoseEstimation/nose/data"]
        place = "processing/behavior/PoseEstimation/nose/data"
        file[place] = h5py.ExternalLink("other.nwb", place)
    with pytest.raises(FormatError, match="link to elsewhere"):
        nwb.read(path)
    with h5py.File(path, "r+") as file:
        del file["processing/behavior/PoseEstimation"]
    with pytest.raises(FormatError, match="there is no PoseEstimation"):
        nwb.read(path)


def test_a_subject_that_is_there_twice_is_refused(tmp_path):
    write(two_mice(), "nwb", tmp_path / "there")
    first = tmp_path / "there" / "left_individual1.nwb"
    (tmp_path / "there" / "again.nwb").write_bytes(first.read_bytes())
    with pytest.raises(FormatError, match="subject 'individual1' of video 'left' is there twice"):
        nwb.read(tmp_path / "there")


def test_without_what_writes_it_a_sentence_says_how_to_get_it(tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "pynwb", None)
    with pytest.raises(FormatError, match=r"needs pynwb: pip install 'posetween\[formats\]'"):
        write(two_mice(), "nwb", tmp_path / "there")
