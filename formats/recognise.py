"""Which format a file or folder is of, by what is in it."""

from __future__ import annotations

import re
from pathlib import Path

from formats.dlc_h5 import TABLE
from formats.errors import FormatError, refuse
from formats.files import read_file, read_head, read_text
from formats.hdf5 import MAGIC, Hdf5, read_hdf5

_HEAD = 4096
#: Fields that images have in PoseTrack's files alone.
_POSETRACK = (b'"is_labeled"', b'"has_labeled_person"', b'"ignore_regions_x"', b'"annolist"')
#: The name of a frame that PoseMark alone gives.
_SESSION_IMAGE = re.compile(rb'"file_name"\s*:\s*"sub-[A-Za-z0-9]+_ses-[A-Za-z0-9]+_cam-[A-Za-z0-9]+_frame-[0-9]')


def recognise(path: Path) -> str:
    """The format of a file or folder, a key of ``formats.registry.FORMATS``.

    Args:
        path: Of the file or folder.

    Raises:
        FormatError: It is of none.
    """
    found = _folder(path) if path.is_dir() else _file(path)
    if found is None:
        raise refuse(path, "", "this is of no format that is known; name it where you know better")
    return found


def _folder(path: Path) -> str | None:
    if (path / "data.yaml").is_file():
        return "yolo"
    if (path / "labeled-data").is_dir() and not [*path.glob("CollectedData*.csv")]:
        return "dlc"
    if (path / "config.yaml").is_file() and "video_sets" in read_text(path / "config.yaml"):
        return "dlc"
    tables = sorted(path.glob("*.csv"))
    if tables:
        found = _file(tables[0])
        # Lightning Pose has one table for all videos at the top of a project.
        return "lightning-pose" if found == "dlc" and (path / "labeled-data").is_dir() else found
    arrays = [*sorted(path.glob("*.h5")), *sorted(path.glob("*.hdf5")), *sorted(path.glob("*.nwb"))]
    if arrays:
        return _file(arrays[0])
    documents = sorted(path.rglob("*.json"))
    found = _file(documents[0]) if documents else None
    return found if found in ("posetrack", "posemark") else None


def _file(path: Path) -> str | None:
    data = read_head(path, 2**20)
    head = data[:_HEAD].removeprefix(b"\xef\xbb\xbf").lstrip()
    if data.startswith(MAGIC):
        return read_hdf5(path, _hdf5)
    if head.startswith(b"<"):
        return "cvat" if b"<annotations" in data[:_HEAD] else None
    if head.startswith(b"["):
        return "label-studio"
    if head.startswith(b"{"):
        whole = read_file(path)
        if _SESSION_IMAGE.search(whole) is not None:
            return "posemark"
        return "posetrack" if any(field in whole for field in _POSETRACK) else "coco"
    if b"kpt_shape:" in data:
        return "yolo"
    if head.startswith(b"scorer"):
        return _table(path, data)
    return None


def _hdf5(file: Hdf5) -> str | None:
    if file.attribute("metadata", "json") is not None and file.has("instances"):
        return "slp"
    if file.attribute("", "nwb_version") is not None:
        return "nwb"
    if file.has(TABLE):
        return "dlc-predictions"
    return "sleap-analysis" if file.has("tracks") and file.has("node_names") else None


def _table(path: Path, data: bytes) -> str | None:
    coords = re.search(rb"(?m)^coords,(.*)$", data)
    if coords is None:
        raise FormatError(path, [("", "this is no table of DeepLabCut: it has no row coords in its header")])
    said = {cell.strip().strip(b'"') for cell in coords[1].split(b",")}
    if b"likelihood" in said:
        return "dlc-predictions"
    return "lightning-pose" if b"visible" in said else "dlc"
