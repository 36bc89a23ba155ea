"""Writing a project into a service, so that a call that broke off is gone on with by calling again.

A project is found again by its name, a video by its bytes, and each request of labels by a key made from its bytes.
Labels are written on top of the revision that the video had: what people did on the service since stays.
"""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cli.importing import stills
from cli.importing.numbering import Placed
from cli.importing.parts import LabelBatch, parts
from cli.importing.standing import run_of
from formats.dataset import Dataset
from formats.names import folder_name
from pose.formats.coco_layout import counted
from posetween import ApiError, Client
from posetween.answers import Imported, ProjectOut, SkeletonSchema, VideoOut

#: Hears what is done, and how much of it, from 0 to 1.
Show = Callable[[str, float], None]

_STALE, _UNFIT = 412, 422


class SendingError(Exception):
    """The service has something that does not go together with the project; the text says what."""


@dataclass
class Sent:
    """What was written of a video.

    Attributes:
        video: As the service has it.
        name: What the data set calls it.
        labels: Labels of people.
        poses: Poses of a machine.
        runs: The runs that they became.
        tracks: The video's tracks.
        unnamed: Names of tracks that the service does not take.
    """

    video: VideoOut
    name: str
    labels: int = 0
    poses: int = 0
    runs: list[int] = field(default_factory=list)
    tracks: list[int] = field(default_factory=list)
    unnamed: list[str] = field(default_factory=list)

    @property
    def report(self) -> dict[str, Any]:
        """For machines."""
        video = {"video_id": self.video["id"], "name": self.name, "num_frames": self.video["num_frames"]}
        return {
            **video,
            "labels": self.labels,
            "poses": self.poses,
            "runs": self.runs,
            "tracks": self.tracks,
            "unnamed": self.unnamed,
        }


def project_for(client: Client, name: str, dataset: Dataset) -> ProjectOut:
    """The project of a name, made where there is none.

    Raises:
        SendingError: There are several, or its keypoints are others.
    """
    found = client.projects(name)
    if len(found) > 1:
        raise SendingError(f"there are {len(found)} projects called {name!r}; choose another name with --project")
    if not found:
        return client.create_project(name, _skeleton(name, dataset))
    (project,) = found
    there, wanted = {*project["skeleton"]["keypoints"]}, {*dataset.skeleton.keypoints}
    if there != wanted:
        lacks, more = ", ".join(sorted(wanted - there)), ", ".join(sorted(there - wanted))
        told = "; ".join([f"it lacks {lacks}"] * bool(lacks) + [f"this has no {more}"] * bool(more))
        raise SendingError(f"the project {name!r} has other keypoints: {told}; choose another name with --project")
    return project


def _skeleton(name: str, dataset: Dataset) -> SkeletonSchema:
    skeleton = dataset.skeleton
    return {
        "name": skeleton.name.strip() or name,
        "keypoints": [*skeleton.keypoints],
        "edges": [*skeleton.edges],
        "swap": [*skeleton.swap],
        "sigmas": [*skeleton.sigmas] or None,
    }


def upload(client: Client, project: ProjectOut, placed: Placed, name: str, show: Show) -> VideoOut:
    """Send the pixels of a video and begin to have them read; gives the video as it is then.

    Raises:
        OSError: A file cannot be read.
    """

    def sent(done: int, of: int) -> None:
        show(f"uploading {name}", done / max(of, 1))

    source = placed.source
    if source.kind == "video":
        assert source.file is not None
        return client.upload(project["id"], source.file, sent=sent)
    with tempfile.TemporaryDirectory(prefix="posetween-") as folder:
        archive = Path(folder) / f"{folder_name(name)}.zip"
        stills.write_archive(source, archive)
        return client.upload(project["id"], archive, sent=sent)


def ingested(client: Client, video: VideoOut, name: str, show: Show) -> VideoOut:
    """Wait until a video is read.

    Raises:
        SendingError: It could not be.
        JobError: The job failed.
    """
    if video["status"] == "ingesting" and video["ingest_job_id"] is not None:
        client.wait(video["ingest_job_id"], lambda job: show(f"reading {name}", job["progress"]))
        video = client.video(video["id"])
    if video["status"] == "rejected":
        raise SendingError(f"video {name!r}: the service could not read it: {video['reason']}")
    return video


def check_video(dataset: Dataset, number: int, video: VideoOut) -> None:
    """See that the labels are of this video, before any is written.

    Raises:
        SendingError: It is of another size, or shorter.
    """
    about, rows = dataset.videos[number], dataset.rows_of(number)
    told, found = (about.width, about.height), (video["width"], video["height"])
    if None not in told and told != found:
        sizes = f"{told[0]} x {told[1]} pixels, and its file has {found[0]} x {found[1]}"
        raise SendingError(f"video {about.name!r} has {sizes}: labels would stand elsewhere")
    last = int(dataset.frame[rows].max(initial=-1))
    if last >= (video["num_frames"] or 0):
        length = counted(video["num_frames"] or 0, "frame")
        sentence = f"frame {last} is labelled, and the service reads {length} of its file"
        raise SendingError(f"video {about.name!r}: {sentence}")


def write(client: Client, dataset: Dataset, number: int, video: VideoOut, show: Show, *, overwrite: bool) -> Sent:
    """Write the labels of a video, its tracks' names and a machine's poses.

    Args:
        client: To the service.
        dataset: The table.
        number: Of the video in it.
        video: The video, which has been read.
        show: Hears how far it is.
        overwrite: Write over labels that people changed on the service.

    Raises:
        SendingError: People labelled on the service what would be written.
    """
    sent = Sent(video, dataset.videos[number].name)
    size = {"width": video["width"] or 0, "height": video["height"] or 0, "num_frames": video["num_frames"] or 0}
    of = max(dataset.rows_of(number).stop - dataset.rows_of(number).start, 1)
    revision: int | None = None if overwrite else 0
    for part in parts(dataset, number, **size):
        show(f"writing labels of {sent.name}", min((sent.labels + sent.poses) / of, 1.0))
        standing = None if part.human else run_of(client, video, part)
        if standing is not None:
            sent.poses += part.poses
            sent.runs.append(standing["id"])
            sent.tracks = sorted({*sent.tracks, *standing["tracks"]})
            continue
        answer = _write_part(client, video, part, revision, sent.name)
        if answer is None:  # it is there already
            sent.labels += part.poses
            continue
        sent.tracks = sorted({*sent.tracks, *answer["tracks"]})
        if part.human:
            sent.labels += answer["written"]
            revision = None if overwrite else answer["revision"]
        else:
            sent.poses += answer["run_poses"]
            sent.runs += [answer["run_id"]] if answer["run_id"] is not None else []
    sent.unnamed = _name_tracks(client, video, dataset.videos[number].tracks)
    return sent


def _write_part(client: Client, video: VideoOut, part: LabelBatch, revision: int | None, name: str) -> Imported | None:
    """Write some; None where just this is there already."""
    # What was written once is written over other labels anew: an answer that is remembered would leave those.
    again = f" over {video['revision']}" if part.human and revision is None else ""
    key = hashlib.sha256(f"import {video['id']} {part.human}{again}".encode() + part.coco).hexdigest()
    if not part.human:
        return client.import_labels(video["id"], part.coco, pseudo="run", key=f"import-{key}")
    while True:
        try:
            return client.import_labels(video["id"], part.coco, if_match=revision, key=f"import-{key}")
        except ApiError as error:
            if error.status != _STALE:
                raise
            conflicts = error.problem.get("conflicts", [])
            other = [one for one in conflicts if not _same(one)]
            if other:
                frames = ", ".join(str(frame) for frame in sorted({one["frame_index"] for one in other})[:10])
                raise SendingError(
                    f"video {name!r}: people labelled on the service what would be written, on"
                    f" {counted(len(other), 'pose')} (frames {frames}); nothing was written over them,"
                    " --overwrite does it"
                ) from None
            if len(conflicts) == part.poses:
                return None
            revision = int(error.problem["revision"])


def _same(conflict: Mapping[str, Any]) -> bool:
    """Return whether what would be written is what is there."""
    yours, theirs = conflict["yours"], conflict["theirs"]
    same = all(
        mine[2] == 0 or (mine[2] == other[2] and abs(mine[0] - other[0]) < 0.01 and abs(mine[1] - other[1]) < 0.01)
        for mine, other in zip(yours, theirs, strict=True)
    )
    return same and conflict.get("yours_absent") == conflict.get("theirs_absent")


def _name_tracks(client: Client, video: VideoOut, names: Mapping[int, str]) -> list[str]:
    """Call tracks as the data set does, unless somebody gave them other names; gives names that cannot be."""
    refused: list[str] = []
    there = {track["id"]: track["name"] for track in client.tracks(video["id"])} if names else {}
    for number, name in names.items():
        if there.get(number) != f"track {number}" or name == there[number]:
            continue
        try:
            client.rename_track(video["id"], number, name)
        except ApiError as error:
            if error.status != _UNFIT:
                raise
            refused.append(name)
    return refused


def totals(sent: Sequence[Sent]) -> dict[str, int]:
    """What was written in all."""
    return {
        "videos": len(sent),
        "labels": sum(one.labels for one in sent),
        "poses": sum(one.poses for one in sent),
        "tracks": sum(len(one.tracks) for one in sent),
    }
