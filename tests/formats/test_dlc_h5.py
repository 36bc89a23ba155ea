"""Predictions of DeepLabCut as pandas writes them into HDF5."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest

from formats.dlc_predictions import read
from formats.errors import FormatError
from formats.recognise import recognise
from tests.formats.tables import WITHOUT_EXTRA

if WITHOUT_EXTRA:
    pytest.skip("h5py is not installed", allow_module_level=True)
import h5py

SCORER = "DLC_resnet50_openfieldOct30shuffle1_1030000"
POINTS = ("nose", "tail")


def predictions(path: Path, values: np.ndarray, individuals=(), *, frames=None, columns=None) -> Path:
    """Write ``values``, ``(F, columns)``, the way ``DataFrame.to_hdf(key="df_with_missing", format="table")`` does."""
    axes = ("x", "y", "likelihood")
    names = [
        (SCORER, *([one] if individuals else []), point, axis)
        for one in individuals or ("",)
        for point in POINTS
        for axis in axes
    ]
    names = names if columns is None else columns
    rows = np.zeros(len(values), dtype=[("index", "<i8"), ("values_block_0", "<f8", (values.shape[1],))])
    rows["index"] = np.arange(len(values)) if frames is None else frames
    rows["values_block_0"] = values
    with h5py.File(path, "w") as file:
        group = file.create_group("df_with_missing")
        group.attrs["pandas_type"] = np.bytes_("frame_table")
        group.attrs["non_index_axes"] = np.bytes_(pickle.dumps([(1, names)], 0))
        group.create_dataset("table", data=rows, maxshape=(None,))
    return path


def test_frames_places_and_likelihoods(tmp_path):
    values = np.array([[1, 2, 0.9, 3, 4, 0.5], [5, 6, 1.0, np.nan, np.nan, np.nan], [np.nan] * 6])
    path = predictions(tmp_path / f"walk{SCORER}.h5", values)
    assert recognise(path) == "dlc-predictions"
    found = read(path)
    assert [(video.name, video.num_frames) for video in found.videos] == [("walk", 3)]
    assert found.skeleton.keypoints == POINTS
    assert found.frame.tolist() == [0, 1]
    np.testing.assert_array_equal(found.xy[0], [[1, 2], [3, 4]])
    np.testing.assert_allclose(found.score, [[0.9, 0.5], [1, 0]])
    assert found.visibility.tolist() == [[2, 2], [2, 0]]
    assert not found.human.any()


def test_several_animals_by_name(tmp_path):
    values = np.tile([1.0, 2.0, 0.9], (2, 4))
    values[1, :6] = np.nan
    found = read(predictions(tmp_path / "walkDLC_net.h5", values, ("left", "right")))
    assert found.videos[0].tracks == {1: "left", 2: "right"}
    assert [*zip(found.frame.tolist(), found.track.tolist(), strict=True)] == [(0, 1), (0, 2), (1, 2)]


def test_a_table_that_is_there_as_text_too_is_read_once(tmp_path):
    values = np.tile([1.0, 2.0, 0.9], (2, 2))
    predictions(tmp_path / f"a{SCORER}.h5", values)
    predictions(tmp_path / f"b{SCORER}.h5", values)
    head = f"scorer,{SCORER},{SCORER},{SCORER}\nbodyparts,nose,nose,nose\ncoords,x,y,likelihood\n"
    (tmp_path / f"b{SCORER}.csv").write_text(head + "0,7,8,0.5\n")
    found = read(tmp_path)
    assert [(video.name, video.num_frames) for video in found.videos] == [("a", 2), ("b", 1)]
    assert found.xy[-1, 0].tolist() == [7, 8]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"columns": [(SCORER, "nose", "z")] * 6}, "these are no names of columns"),
        ({"columns": [(SCORER, "nose", "x")] * 6}, "a column stands there twice"),
        ({"columns": [(SCORER, "nose", "x")]}, "6 columns of numbers and 1 names"),
        ({"columns": [(SCORER, "nose", Path("x"))] * 6}, "these are no names of columns"),
        ({"columns": []}, "there is no column"),
        ({"frames": [0, -3]}, "the frame is not in the video"),
        ({"frames": [0, 0]}, "track 1 is on frame 0"),
    ],
)
def test_what_contradicts_itself_is_refused(change, said, tmp_path):
    path = predictions(tmp_path / "walkDLC_net.h5", np.tile([1.0, 2.0, 0.9], (2, 2)), **change)
    with pytest.raises(FormatError, match=said):
        read(path)


def test_labels_in_hdf5_are_named(tmp_path):
    path = tmp_path / "CollectedData_anna.h5"
    predictions(path, np.tile([1.0, 2.0, 0.9], (2, 2)))
    with h5py.File(path, "r+") as file:
        old = file["df_with_missing/table"][()]
        rows = np.zeros(2, dtype=[("level_0", "S20"), ("values_block_0", "<f8", (6,))])
        rows["values_block_0"] = old["values_block_0"]
        del file["df_with_missing/table"]
        file["df_with_missing"].create_dataset("table", data=rows)
    with pytest.raises(FormatError, match=r"its lines are no frames: labels are read from their CollectedData"):
        read(path)


def test_a_table_in_another_file_is_not_read(tmp_path):
    predictions(tmp_path / "other.h5", np.tile([1.0, 2.0, 0.9], (2, 2)))
    with h5py.File(tmp_path / "walkDLC.h5", "w") as file:
        file["df_with_missing"] = h5py.ExternalLink(str(tmp_path / "other.h5"), "df_with_missing")
    with pytest.raises(FormatError, match="this is of no format that is known"):
        recognise(tmp_path / "walkDLC.h5")
    with pytest.raises(FormatError, match="this is missing"):
        read(tmp_path / "walkDLC.h5")
