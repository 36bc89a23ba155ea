"""NWB with ndx-pose, ``VIDEO_SUBJECT.nwb``: one file for each subject of a video, a series for each keypoint.

A series has a sample for each frame of the video. Times are counted in frames, since a table of poses knows no seconds.
What ndx-pose has no place for stands beside it, in series of the module ``behavior`` (``BESIDE``).
"""

from __future__ import annotations

import warnings
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import NAMESPACE_URL, uuid5

import numpy as np

from formats.dataset import Dataset
from formats.errors import refuse
from formats.hdf5 import needs
from formats.individuals import individuals
from formats.names import folder_name, folder_names
from formats.nwb_read import BESIDE, MODULE, VIDEO, dataset_of
from formats.rows import MAX_POINTS

LOSES = (
    "retired", "run", "absent", "track_numbers", "empty_frames", "bare_videos", "video_names", "video_order",
    "skeleton_name", "swap", "sigmas",
)  # fmt: skip

CONFIDENCE = (
    "Probability that the point is within tolerance of the true one: 1 where a person placed it, 0 where nothing is"
    " known and the place is NaN"
)
_FRAME = "pixels of the displayed frame from its top left, pixel centres at integers"
#: Letters of a file's name: a video's and a subject's.
_LONGEST = 120
#: No format of ours has a clock in it; NWB must have one.
_NO_TIME = datetime(1970, 1, 1, tzinfo=UTC)


def read(path: Path) -> Dataset:
    """Read a file, or those of a folder.

    Args:
        path: Of the file or folder.

    Raises:
        FormatError: It cannot be read.
    """
    return dataset_of(path)


def write(dataset: Dataset, target: Path) -> None:
    """Write a file for each subject of each video.

    Args:
        dataset: What.
        target: An empty folder.

    Raises:
        FormatError: A video has too many frames for so many keypoints, or pynwb or ndx-pose is not installed.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of things that NWB would like to know, such as who did the experiment
        pynwb, pose = needs(target, "pynwb"), needs(target, "ndx_pose")
        names, name_of = individuals(dataset)
        folders = folder_names(video.name for video in dataset.videos)
        pairs = [
            (number, track)
            for number in range(len(folders))
            for track in np.unique(dataset.track[dataset.rows_of(number)]).tolist()
        ]
        # Subject "1_x" of video "mouse" and subject "x" of video "mouse_1" would be one file: all are named together.
        called = [f"{folders[number]}_{folder_name(name_of[number, track])}" for number, track in pairs]
        for (number, track), file in zip(pairs, folder_names(called, _LONGEST), strict=True):
            made = _file(pynwb, pose, dataset, number, folders[number], track, name_of[number, track], target)
            made.keywords = names
            _number(made)
            with pynwb.NWBHDF5IO(target / f"{file}.nwb", "w") as stream:
                stream.write(made)


def _file(
    pynwb: Any, pose: Any, dataset: Dataset, number: int, folder: str, track: int, called: str, target: Path
) -> Any:
    """The contents of a file."""
    length, *_ = dataset.shape_of(number)
    skeleton, video = dataset.skeleton, dataset.videos[number]
    if length * skeleton.size > MAX_POINTS:
        raise refuse(target, "", f"{length} frames of {skeleton.size} keypoints are too many for one file")
    rows = np.arange(len(dataset))[dataset.rows_of(number)]
    rows = rows[dataset.track[rows] == track]
    file = pynwb.NWBFile(
        session_description=f"Poses of {called} in {folder}",
        identifier=f"{folder}/{called}",
        session_start_time=_NO_TIME,
        file_create_date=_NO_TIME,
        session_id=folder,
    )
    file.subject = pynwb.file.Subject(subject_id=called, description="the subject that the poses are of")
    size = {"dimension": [video.width, video.height]} if video.width and video.height else {}
    source = pynwb.image.ImageSeries(
        name=VIDEO,
        external_file=[f"{folder}.mp4"],
        format="external",
        starting_frame=[0],
        num_samples=length,
        description="the video that the poses are of; its name may be another on your disk",
        **_EVERY_FRAME,
        **size,
    )
    file.add_acquisition(source)
    module = file.create_processing_module(name=MODULE, description="poses and what belongs to them")
    edges = np.array(skeleton.edges, dtype=np.uint8 if skeleton.size <= 256 else np.uint16).reshape(-1, 2)
    shape = pose.Skeleton(name="skeleton", nodes=[*skeleton.keypoints], edges=edges, subject=file.subject)
    module.add(pose.Skeletons(skeletons=[shape]))
    frames, known = dataset.frame[rows], dataset.known[rows]
    xy = _dense(np.where(known[..., None], dataset.xy[rows], np.float32(np.nan)), frames, length, np.nan)
    scores = _dense(dataset.score[rows], frames, length, 0)
    series = [
        pose.PoseEstimationSeries(
            name=name,
            data=_packed(pynwb, xy[:, k]),
            reference_frame=_FRAME,
            confidence=_packed(pynwb, scores[:, k]),
            confidence_definition=CONFIDENCE,
            description=f"place of {skeleton.keypoints[k]}",
            **_EVERY_FRAME,
        )
        for k, name in enumerate(folder_names(skeleton.keypoints))
    ]
    module.add(
        pose.PoseEstimation(
            pose_estimation_series=series,
            description="Poses that people labelled and a machine filled in between",
            scorer="Posetween",
            source_software="Posetween",
            skeleton=shape,
            source_video=source,
        )
    )
    for name, (kind, unit, what) in BESIDE.items():
        data = _dense(getattr(dataset, name)[rows].astype(kind), frames, length, 0)
        about = {"name": name, "unit": unit, "description": f"{what}, by frame and keypoint"}
        module.add(pynwb.TimeSeries(data=_packed(pynwb, data), **about, **_EVERY_FRAME))
    return file


_EVERY_FRAME: dict[str, Any] = {"starting_time": 0.0, "rate": 1.0, "comments": "times are counted in frames"}


def _dense(values: np.ndarray, frames: np.ndarray, length: int, nothing: float) -> np.ndarray:
    """``(length, ...)`` values by frame, of ``(N, ...)`` on some of them."""
    dense = np.full((length, *values.shape[1:]), nothing, dtype=values.dtype)
    dense[frames] = values
    return dense


def _packed(pynwb: Any, data: np.ndarray) -> Any:
    return pynwb.H5DataIO(data, compression="gzip", compression_opts=1, shuffle=True) if data.size else data


def _number(file: Any) -> None:
    """Give each part of a file an id that depends on its place alone; pynwb draws them at random."""
    for part in file.all_children():
        names, above = [], part
        while above is not None:
            names.append(above.name)
            above = above.parent
        place = "/".join([file.identifier, *reversed(names)])
        part._AbstractContainer__object_id = str(uuid5(NAMESPACE_URL, place))
