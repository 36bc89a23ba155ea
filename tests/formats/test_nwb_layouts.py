"""NWB files as pynwb reads ours, and as others write them."""

from __future__ import annotations

import warnings
from dataclasses import replace
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


def test_subjects_and_videos_of_whatever_names_have_a_file_each(tmp_path):
    poses = two_mice()
    left, right = poses.videos
    named = (
        replace(left, name="mouse", tracks={1: "1_x", 2: "b" * 90}),
        replace(right, name="mouse_1", tracks={1: "x"}),
    )
    write(poses.with_videos(named), "nwb", tmp_path / "there")
    assert len([*(tmp_path / "there").iterdir()]) == 3
    found = nwb.read(tmp_path / "there")
    assert [(video.name, {*video.tracks.values()}) for video in found.videos] == [
        ("mouse", {"1_x", "b" * 90}),
        ("mouse_1", {"x"}),
    ]
    assert len(found) == len(poses)


def theirs(path, series, *, name="PoseEstimation", film=None):
    """A file as other tools write it; a series whose data or times are a name has those of that series."""
    moment = datetime(2024, 3, 1, tzinfo=UTC)
    file = pynwb.NWBFile(session_description="x", identifier="x", session_start_time=moment)
    shape = ndx_pose.Skeleton(name="mouse", nodes=NAMES, edges=np.array([[0, 1]], dtype=np.uint8))
    if film is not None:
        file.add_acquisition(film)
    place = file.create_processing_module(name="behavior", description="x")
    place.add(ndx_pose.Skeletons(skeletons=[shape]))
    made = {}
    for one, what in series.items():
        shared = {
            key: made.get(value, film) if isinstance(value, str) and key != "unit" else value
            for key, value in what.items()
        }
        about = {"name": one, "reference_frame": "top left", "confidence": np.ones(3)}
        made[one] = ndx_pose.PoseEstimationSeries(**about | shared)
    estimated = {"pose_estimation_series": [*made.values()], "skeleton": shape, "source_video": film}
    place.add(ndx_pose.PoseEstimation(name=name, **estimated))
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


def film(**times):
    """A video of a hundred frames, or of as many as it has times."""
    about = {"name": "film", "external_file": ["films/mouse-3.avi"], "format": "external", "starting_frame": [0]}
    length = {"num_samples": 100} if "rate" in times else {}
    return pynwb.image.ImageSeries(**about, **times, **length, dimension=[640, 480])


STAMPS = 7.3 + np.cumsum([0, 0.033, 0.034, 0.033, 0.1, 0.033, 0.034, 0.033])


def stamped(*times):
    return {"timestamps": np.array(times), "rate": None}


@pytest.mark.parametrize(
    ("shown", "poses", "frames"),
    [
        ({"rate": 30.0, "starting_time": 7.3}, {"rate": 15.0, "starting_time": 7.3}, [0, 4]),
        ({"rate": 30.0, "starting_time": 7.3}, {"rate": 15.0, "starting_time": 7.4}, [3, 7]),
        ({"rate": 30.0, "starting_time": 0.0}, stamped(0.1, 0.4, 2.0), [3, 60]),
        ({"timestamps": np.array([7.3])}, {"rate": 30.0, "starting_time": 7.4}, [3, 5]),
        ({"timestamps": STAMPS}, {"rate": 30.0, "starting_time": 7.3}, [0, 2]),
        ({"timestamps": STAMPS}, stamped(*STAMPS[[1, 4, 7]]), [1, 7]),
        ({"timestamps": STAMPS}, stamped(*STAMPS[[3, 4, 6]] + 0.003), [3, 6]),
    ],
)
def test_frames_are_those_of_the_linked_video(shown, poses, frames, tmp_path):
    path = theirs(tmp_path / "mouse.nwb", {"nose": data(**poses)}, film=film(**shown))
    assert nwb.read(path).frame.tolist() == frames


def test_a_rate_that_is_a_little_wrong_moves_no_sample_to_another_frame(tmp_path):
    poses = {"data": np.ones((1000, 2)), "confidence": np.ones(1000), "rate": 29.97}
    path = theirs(tmp_path / "mouse.nwb", {"nose": poses}, film=film(rate=30.0))
    assert nwb.read(path).frame.tolist() == [*range(1000)]


@pytest.mark.parametrize(
    ("shown", "poses", "said"),
    [
        ({"rate": 30.0, "starting_time": 0.0}, {"rate": 20.0}, "do not tell which frame"),
        ({"rate": 30.0, "starting_time": 0.0}, {"rate": 60.0}, "do not tell which frame"),
        ({"rate": 30.0, "starting_time": 0.0}, {"rate": 26.0}, "on no frames of a video"),
        ({"rate": 30.0, "starting_time": 0.5}, {"rate": 15.0}, "on no frames of a video"),
        ({"timestamps": STAMPS}, {"rate": 30.0, "starting_time": 7.4}, "on no frames of a video"),
        ({"timestamps": STAMPS}, stamped(*STAMPS[[1, 4, 4]]), "do not tell which frame|on no frames"),
        ({"timestamps": STAMPS[::-1]}, stamped(*STAMPS[[1, 4, 7]]), "follow one another"),
        ({"timestamps": np.array([7.3, np.nan])}, {"rate": 30.0}, "follow one another"),
    ],
)
def test_times_that_are_on_no_frame_of_the_linked_video_are_refused(shown, poses, said, tmp_path):
    path = theirs(tmp_path / "mouse.nwb", {"nose": data(**poses)}, film=film(**shown))
    with pytest.raises(FormatError, match=rf"mouse\.nwb.*{said}"):
        nwb.read(path)


def test_series_that_share_times_and_places_are_read(tmp_path):
    first = data(**stamped(0.0, 0.04, 0.08))
    later = {"data": "tail", "timestamps": "tail", "rate": None, "confidence": np.array([0.5, 1, 0.25])}
    path = theirs(tmp_path / "mouse.nwb", {"tail": first, "nose": later})
    found = nwb.read(path)
    assert found.frame.tolist() == [0, 2]
    assert found.xy[:, 0].tolist() == found.xy[:, 1].tolist() == [[1, 2], [5, 6.5]]
    assert found.score[:, 0].tolist() == [0.5, 0.25]
    with h5py.File(path, "r+") as file:
        place = "processing/behavior/PoseEstimation/nose"
        assert isinstance(file.get(f"{place}/timestamps", getlink=True), h5py.SoftLink)
        del file[f"{place}/timestamps"]
        file[f"{place}/timestamps"] = h5py.SoftLink(f"/{place}/timestamps")
    with pytest.raises(FormatError, match=r"mouse\.nwb"):
        nwb.read(path)


def test_times_that_are_those_of_the_video_are_read(tmp_path):
    shared = {"data": np.ones((8, 2)), "timestamps": "film", "confidence": np.ones(8)}
    found = nwb.read(theirs(tmp_path / "mouse.nwb", {"nose": shared}, film=film(timestamps=STAMPS)))
    assert found.frame.tolist() == [*range(8)]


def test_times_count_from_the_beginning_of_the_video(tmp_path):
    path = theirs(tmp_path / "mouse.nwb", {"nose": data(starting_time=7.3)}, film=film(rate=30.0, starting_time=7.3))
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
