"""Poses of a project of a running service, by the names of the pictures that another tool has of its frames."""

from __future__ import annotations

import os
from pathlib import PurePath

import numpy as np

from formats.dataset import Dataset, Video
from formats.losses import forget
from formats.pictures import video_and_frame
from pose.skeleton import Skeleton
from posetween import Client
from posetween.answers import VideoOut
from posetween.poses import ACCEPTED, HUMAN, PSEUDO

_LOOPBACK = "http://127.0.0.1:8000"


class FramePoses:
    """Looks poses up, people's and a machine's that nobody rejected.

    Args:
        client: Of the service.
        project: Name of the project.

    Raises:
        LookupError: There is no single project of this name.
    """

    def __init__(self, client: Client, project: str) -> None:
        found = client.projects(project)
        if len(found) != 1:
            raise LookupError(f"{len(found)} projects are called {project!r}")
        self._client = client
        self._project = found[0]["id"]
        self._videos: list[VideoOut] = []
        said = found[0]["skeleton"]
        self._whole = Skeleton(
            name=said["name"],
            keypoints=tuple(said["keypoints"]),
            edges=tuple((a, b) for a, b in said.get("edges", ())),
            retired=tuple(said.get("retired", ())),
        )

    def close(self) -> None:
        """End the connection to the service."""
        self._client.close()

    @property
    def skeleton(self) -> Skeleton:
        """The project's keypoints that are not retired."""
        return self._whole.active()

    def of(self, picture: str) -> Dataset | None:
        """The poses on a picture: one video, one frame; None where the name tells no frame of the project.

        Args:
            picture: As our exports name it, ``mouse/frame_000012.jpg``, or ``mouse_0012.png``.
        """
        called, frame = video_and_frame(picture)
        video = self._video(called)
        if video is None or not frame < (video["num_frames"] or 0):
            return None
        shown = self._client.poses(video["id"], frame, frame + 1)
        source = shown.source[:, 0]
        known = np.isin(source, (HUMAN, ACCEPTED, PSEUDO))
        names = {track["id"]: track["name"] for track in self._client.tracks(video["id"])}
        about = Video(
            name=video["slug"],
            width=video["width"],
            height=video["height"],
            num_frames=video["num_frames"],
            tracks={track: names[track] for track in shown.tracks.tolist() if names.get(track)},
        )
        dataset = Dataset.of(
            self._whole,
            (about,),
            video=np.zeros(len(shown.tracks)),
            frame=np.full(len(shown.tracks), frame),
            track=shown.tracks,
            xy=np.where(known[..., None], shown.xy[:, 0], 0),
            visibility=np.where(known, np.where(shown.hidden[:, 0], 1, 2), 0),
            score=shown.score[:, 0],
            radius90=shown.radius90[:, 0],
            human=source == HUMAN,
        )
        return forget(dataset, ("retired",))

    def _video(self, called: str) -> VideoOut | None:
        """The video that is called so; videos that came since, or were not counted yet, are looked for."""
        video = _alone(self._videos, called)
        if video is None or not video["num_frames"]:
            self._videos = self._client.videos(self._project)
            video = _alone(self._videos, called)
        return video


def _alone(videos: list[VideoOut], called: str) -> VideoOut | None:
    """The video of this slug, else the only one whose file is named so: cameras of a day often name theirs alike."""
    wanted = {called, PurePath(called).name}
    slugs = [video for video in videos if video["slug"] in wanted]
    found = slugs or [video for video in videos if PurePath(video["filename"]).stem in wanted]
    return found[0] if len(found) == 1 else None


def connected(project: str) -> FramePoses:
    """The poses of a project of the service that ``POSETWEEN_SERVER`` and ``POSETWEEN_KEY`` name.

    Raises:
        LookupError: There is no single project of this name, or no key.
    """
    key = os.environ.get("POSETWEEN_KEY")
    if not key:
        raise LookupError("set POSETWEEN_KEY to a key of the service")
    return FramePoses(Client(os.environ.get("POSETWEEN_SERVER", _LOOPBACK), key), project)
