"""Files as SLEAP writes them."""

from __future__ import annotations

import json

import numpy as np
import pytest

from formats import files, hdf5, sleap_analysis, slp, slp_media
from formats.errors import FormatError
from formats.recognise import recognise
from formats.registry import write
from formats.slp import _FRAME, _INSTANCE, _POINT
from tests.formats.tables import WITHOUT_EXTRA, two_mice

if WITHOUT_EXTRA:
    pytest.skip("h5py is not installed", allow_module_level=True)
import h5py

EDGE = {"py/reduce": [{"py/type": "sleap.skeleton.EdgeType"}, {"py/tuple": [1]}]}
SYMMETRY = {"py/reduce": [{"py/type": "sleap.skeleton.EdgeType"}, {"py/tuple": [2]}]}
METADATA = {
    "nodes": [{"name": "ear_R", "weight": 1.0}, {"name": "nose", "weight": 1.0}, {"name": "ear_L", "weight": 1.0}],
    "skeletons": [
        {
            "nx_graph": {
                "graph": {"name": "Skeleton-0"},
                "nodes": [{"id": 1}, {"id": 2}, {"id": 0}],
                "links": [
                    {"source": 2, "target": 0, "type": SYMMETRY},
                    {"source": 0, "target": 2, "type": {"py/id": 1}},
                    {"source": 1, "target": 2, "type": EDGE},
                    {"source": 1, "target": 0, "type": {"py/id": 2}},
                ],
            }
        }
    ],
}
PACKAGE = {"filename": ".", "backend": {"type": "HDF5Video", "dataset": "video15/video", "filename": "."}}
MOVIE = {"filename": "C:\\clips\\mouse 1.mp4", "backend": {"shape": [100, 480, 640, 1], "dataset": ""}}


def instance(number, kind, frame, track, start, linked=-1):
    return (number, kind, frame, 0, track, linked, 0.5, start, start + 3, 0.0)


def project(path, instances, frames, *, version=1.2, tracks=(), videos=(MOVIE, PACKAGE)):
    with h5py.File(path, "w") as file:
        group = file.create_group("metadata")
        group.attrs["format_id"] = version
        group.attrs["json"] = np.bytes_(json.dumps(METADATA))
        text = h5py.string_dtype()
        file.create_dataset("videos_json", data=[json.dumps(one) for one in videos], dtype=text)
        file.create_dataset("tracks_json", data=[json.dumps([0, name]) for name in tracks], dtype=text)
        file.create_dataset("instances", data=np.array(instances, dtype=_INSTANCE))
        file.create_dataset("frames", data=np.array(frames, dtype=_FRAME))
        source = {"filename": "/data/mouse 2.avi", "backend": {"shape": [900, 48, 64, 3]}}
        file.create_group("video15/source_video").attrs["json"] = json.dumps(source)
        points = [(10.5 + k, 20.5, k != 1, True) for k in range(6)]
        points[2] = (np.nan, np.nan, False, False)
        file.create_dataset("points", data=np.array(points, dtype=_POINT))
        guessed = [(50.0 + k, 60.0, True, True, 0.25 + k / 10) for k in range(6)]
        file.create_dataset("pred_points", data=np.array(guessed, dtype=[*_POINT, ("score", "f8")]))
    return path


def test_user_and_predicted_instances_are_people_and_machines(tmp_path):
    rows = [instance(0, 0, 0, 0, 0), instance(1, 1, 0, 1, 0), instance(2, 0, 1, 0, 3)]
    frames = [(0, 0, 7, 0, 2), (1, 15, 400, 2, 3), (2, 0, 9, 3, 3)]
    found = slp.read(project(tmp_path / "a.slp", rows, frames, tracks=("A", "B")))
    skeleton = found.skeleton
    assert (skeleton.keypoints, skeleton.edges, skeleton.swap) == (
        ("nose", "ear_L", "ear_R"),
        ((0, 1), (0, 2)),
        ((1, 2),),
    )
    assert [(video.name, video.width, video.num_frames) for video in found.videos] == [
        ("mouse 1", 640, 100),
        ("mouse 2", 64, 900),
    ]
    assert found.videos[0].empty == (9,)
    assert found.videos[0].tracks == {1: "A", 2: "B"}
    # Frames of packages keep their numbers.
    assert [*zip(found.video.tolist(), found.frame.tolist(), found.track.tolist(), strict=True)] == [
        (0, 7, 1),
        (0, 7, 2),
        (1, 400, 1),
    ]
    assert found.visibility[0].tolist() == [2, 1, 0]
    assert found.human[:2].any(axis=1).tolist() == [True, False]
    assert found.score[1].tolist() == pytest.approx([0.25, 0.35, 0.45])


def test_older_files_count_from_the_corner_of_a_pixel(tmp_path):
    rows, frames = [instance(0, 0, 0, -1, 0)], [(0, 0, 7, 0, 1)]
    assert slp.read(project(tmp_path / "a.slp", rows, frames, version=1.0)).xy[0, 0].tolist() == [10, 20]
    assert slp.read(project(tmp_path / "b.slp", rows, frames)).xy[0, 0].tolist() == [10.5, 20.5]


def test_one_animal_without_a_track_is_one_subject(tmp_path):
    rows = [instance(0, 0, 0, -1, 0), instance(1, 1, 0, -1, 0), instance(2, 1, 1, -1, 3)]
    found = slp.read(project(tmp_path / "a.slp", rows, [(0, 0, 7, 0, 2), (1, 0, 8, 2, 3)]))
    assert found.track.tolist() == [1, 1]
    assert found.human.tolist() == [[True, True, False], [False] * 3]
    assert found.visibility[0].tolist() == [2, 1, 2]


def test_what_a_person_mended_stands_for_what_was_predicted(tmp_path):
    rows = [instance(0, 1, 0, -1, 0), instance(1, 1, 0, -1, 3), instance(2, 0, 0, -1, 0, linked=1)]
    found = slp.read(project(tmp_path / "a.slp", rows, [(0, 0, 7, 0, 3)]))
    assert found.track.tolist() == [1, 2]
    assert found.human.any(axis=1).tolist() == [True, False]
    assert found.xy[1, 0].tolist() == [50, 60]


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ([instance(0, 0, 5, 0, 0)], "frames: there is no frame"),
        ([instance(0, 0, 0, 9, 0)], "a track that there is not"),
        ([instance(0, 0, 0, 0, 4)], "points that are not in points"),
        ([instance(0, 0, 0, 0, 0)] * 2, None),
    ],
)
def test_what_points_nowhere_is_refused(rows, said, tmp_path):
    path = project(tmp_path / "a.slp", rows, [(0, 0, 7, 0, 1)], tracks=("A",))
    if said is None:
        assert len(slp.read(path)) == 1  # said twice, the same
        return
    with pytest.raises(FormatError, match=said):
        slp.read(path)


def test_two_instances_of_a_track_that_differ_are_refused(tmp_path):
    frames = [(0, 0, 7, 0, 2)]
    rows = [instance(0, 0, 0, 0, 0), instance(1, 0, 0, 0, 3)]
    path = project(tmp_path / "a.slp", rows, frames, tracks=("A",))
    with pytest.raises(FormatError, match="instances: people placed points of track 1 on frame 7 twice, and diff"):
        slp.read(path)
    with h5py.File(path, "a") as file:
        points = file["points"][()]
        points["x"][:3], points["x"][3:] = (10, np.nan, np.nan), (np.nan, 20, 30)
        file["points"][...] = points
    # What one of them leaves open the other one says.
    assert slp.read(path).xy[0, :, 0].tolist() == [10, 20, 30]


def test_links_to_other_files_and_huge_arrays_are_refused(tmp_path):
    write(two_mice(), "slp", tmp_path / "a.slp")
    (tmp_path / "b.slp").write_bytes((tmp_path / "a.slp").read_bytes())
    with h5py.File(tmp_path / "a.slp", "a") as file:
        del file["points"]
        file["points"] = h5py.ExternalLink("b.slp", "points")
    with pytest.raises(FormatError, match=r"a\.slp, points: this is a link to elsewhere"):
        slp.read(tmp_path / "a.slp")
    with h5py.File(tmp_path / "b.slp", "a") as file:
        del file["points"]
        file.create_dataset("points", shape=(10**12,), dtype=_POINT, chunks=(1024,))
    with pytest.raises(FormatError, match=r"b\.slp, points: .* too large"):
        slp.read(tmp_path / "b.slp")


@pytest.mark.parametrize("name", ["../x.png", "a/../x.png", "..\\x.png", "/a/../x.png", ".."])
def test_a_picture_of_a_list_is_looked_for_in_the_folder_of_the_project_alone(name, tmp_path):
    root = tmp_path / "lab"
    root.mkdir()
    (tmp_path / "x.png").write_bytes(b"")
    (tmp_path / "a").mkdir()
    listed = {"filename": [name, "/far/away/y.png"], "backend": {}}
    path = project(root / "a.slp", [instance(0, 0, 0, 0, 0)], [(0, 0, 7, 0, 1)], tracks=("A",), videos=(listed,))
    assert slp_media.sources(path, tmp_path) == [("", {})]
    for place in (root / "x.png", root / "away" / "y.png"):
        place.parent.mkdir(exist_ok=True)
        place.write_bytes(b"")
    inside = {0: root / "x.png"} if name != ".." else {}
    assert slp_media.sources(path, tmp_path) == [("", {**inside, 1: root / "away" / "y.png"})]


def package(path, rows, count):
    """A project of one video whose pictures are ``count`` equal rows, padded with zeros and compressed."""
    video = {"filename": ".", "backend": {"dataset": "video0/video", "filename": "."}}
    project(path, [instance(0, 0, 0, 0, 0)], [(0, 0, 7, 0, 1)], tracks=("A",), videos=(video,))
    with h5py.File(path, "a") as file:
        shape = (count, len(rows))
        pictures = file.create_dataset("video0/video", shape, dtype=np.int8, chunks=(1, len(rows)), compression="gzip")
        pictures[:] = np.frombuffer(rows, dtype=np.int8)
        file["video0/frame_numbers"] = np.arange(count)
    return path


def test_padding_of_a_package_is_not_written(tmp_path):
    data = b"\x89PNG" + np.random.default_rng(1).bytes(500) + b"\x82"
    path = package(tmp_path / "a.pkg.slp", data + bytes(100_000), 100)
    ((_, pictures),) = slp_media.sources(path, tmp_path)
    assert len(pictures) == 100
    assert {file.read_bytes() for file in pictures.values()} == {data}


def test_a_small_package_does_not_fill_the_disk(tmp_path):
    path = package(tmp_path / "a.pkg.slp", b"\x89PNG" + b"\1" * 100_000, 1000)
    (tmp_path / "out").mkdir()
    with pytest.raises(FormatError, match=r"a\.pkg\.slp: its pictures take more than twice the room"):
        slp_media.sources(path, tmp_path / "out")
    assert sum(file.stat().st_size for file in (tmp_path / "out").iterdir()) <= 2 * path.stat().st_size


def test_a_project_may_be_longer_than_what_is_read_whole(tmp_path, monkeypatch):
    write(two_mice(), "slp", tmp_path / "a.slp")
    monkeypatch.setattr(files, "MAX_BYTES", 100)
    with pytest.raises(FormatError, match="longer than 100 bytes"):
        files.read_file(tmp_path / "a.slp")
    assert recognise(tmp_path / "a.slp") == "slp"
    assert len(slp.read(tmp_path / "a.slp")) == len(two_mice())
    assert len(slp_media.sources(tmp_path / "a.slp", tmp_path)) == 2


def test_an_analysis_file_says_the_order_of_its_axes(tmp_path):
    write(two_mice(), "sleap-analysis", tmp_path / "there")
    file_name = tmp_path / "there" / "left.analysis.h5"
    before = sleap_analysis.read(file_name)
    with h5py.File(file_name, "a") as file:
        for name, dims in (("tracks", "frame track node xy"), ("point_scores", "frame track node")):
            values = file[name][()]
            del file[name]
            order = (3, 0, 2, 1) if name == "tracks" else (2, 0, 1)
            file.create_dataset(name, data=np.transpose(values, order)).attrs["dims"] = json.dumps(dims.split())
    after = sleap_analysis.read(file_name)
    assert np.array_equal(before.xy, after.xy)
    assert np.array_equal(before.score, after.score)
    with h5py.File(file_name, "r") as file:
        assert file["tracks"].attrs["dims"]


def test_without_h5py_a_sentence_says_what_to_install(tmp_path, monkeypatch):
    write(two_mice(), "slp", tmp_path / "a.slp")
    monkeypatch.setitem(__import__("sys").modules, "h5py", None)
    with pytest.raises(FormatError, match=r"pip install 'posetween\[formats\]'"):
        hdf5.read_hdf5(tmp_path / "a.slp", lambda file: None)
