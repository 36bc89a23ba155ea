"""The poses that an export is made of: what a snapshot and a specification choose, window by window."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import IO, BinaryIO, cast

import msgspec
import numpy as np
from sqlalchemy.orm import Session

from app import snapshots
from app.database import Database
from app.exports.schemas import ExportIn
from app.jobs.params import Snapshot, VideoSnapshot
from app.labels import windows
from app.labels.windows import Layered
from app.projects import service as projects
from app.runs.basis import Basis, stored
from app.runs.radii import state_of
from app.runs.staleness import Grounds
from app.storage import Storage
from app.tables import Export, Project, Run, Video
from app.version import VERSION
from pose.formats.coco import Instance, VideoInfo, Written, write_coco
from pose.formats.coco_layout import counted
from pose.frame_table import FrameTable
from pose.skeleton import Skeleton

#: Called with the frames read and the frames in all.
Report = Callable[[int, int], None]

#: Gives which frames of a video are read.
Windows = Callable[[Video], Iterator[tuple[int, int]]]

#: Gives what radii of a video are read by.
BasisOf = Callable[[Session, Video, VideoSnapshot], Basis | None]

# Frames and poses that are read at a time: between two of them a cancellation is heard.
_WINDOW = 1024
_POSES = 10_000


#: What an export's ZIP calls its COCO file.
ANNOTATIONS = "annotations.json"


def image_name(video: Video, frame: int) -> str:
    """The name of a frame's image in an export."""
    return f"{video.slug}/frame_{frame:06d}.jpg"


def whole(video: Video) -> Iterator[tuple[int, int]]:
    """All frames of a video, some at a time."""
    count = video.num_frames or 0
    return ((start, min(start + _WINDOW, count)) for start in range(0, count, _WINDOW))


def named(session: Session, video: Video, snapshot: VideoSnapshot) -> Basis | None:
    """What a snapshot says that radii of a video are read by."""
    return None if isinstance(snapshot.basis, msgspec.UnsetType) else stored(session, video.id, snapshot.basis)


class Selection:
    """The poses an export is made of, read window by window.

    Args:
        database: Where labels are.
        storage: Where segments are.
        export: Of which project and snapshot.
        report: Told of progress; what it raises ends the reading.
        windows: Which frames of a video are read, as first frames and frames after the last, ascending.
        basis_of: What radii of a video are read by; what the snapshot names where left out.
    """

    def __init__(
        self,
        database: Database,
        storage: Storage,
        export: Export,
        report: Report,
        windows: Windows = whole,
        basis_of: BasisOf = named,
    ) -> None:
        self.database = database
        self.storage = storage
        self.spec = ExportIn.model_validate(export.spec)
        self.windows = windows
        self._basis_of = basis_of
        #: What radii of each video are read by, of those that were begun.
        self.bases: dict[int, Basis | None] = {}
        self.report = report
        self.layer = snapshots.layer_of(self.spec.include)
        self.frames: list[tuple[Video, list[int]]] = []
        with database.session(readonly=True) as session:
            snapshot = Snapshot.of(export.snapshot)
            self.whole: Skeleton = projects.skeleton(session, export.project_id, snapshot.skeleton_version)
            self.skeleton = self.whole.active()
            self.name = session.get_one(Project, export.project_id).name
            self.parts = [(session.get_one(Video, part.id), part) for part in snapshot.videos]
        self.total = max(1, sum(video.num_frames or 0 for video, _ in self.parts))
        self.done = 0
        #: Poses from which stale points were left out.
        self.stale = 0
        #: Poses from which rejected points were left out.
        self.rejected = 0
        self.accepted = 0
        #: Runs that a pose in the file is of, and those of which one has a radius that is not as the engine gave it.
        self.used: set[int] = set()
        self._calibrated: set[int] = set()

    def warnings(self) -> list[str]:
        """Warnings about the export for the person who asked for it."""
        found = []
        if {*self.spec.include} == {"accepted"} and not self.accepted:
            found.append("no pose is accepted, so the file holds none: review poses first, or include pseudo")
        if self.stale:
            found.append(
                f"stale points of {counted(self.stale, 'pose')} were left out, since labels that they rest on were"
                " moved or taken back; propagate again, or ask for include_stale"
            )
        if firsts := sorted({run for _, part in self.parts for run in part.first_stages or ()} & self.used):
            found.append(
                f"the poses of run{'s' * (len(firsts) > 1)} {', '.join(map(str, firsts))} are those of the first stage:"
                " the second, fitted to the video, had not ended when the export was asked for"
            )
        return found

    def calibrated(self) -> dict[int, set[str]]:
        """The engines, by video, of whose poses in the file a radius is not as the engine gave it."""
        found: dict[int, set[str]] = {}
        with self.database.session(readonly=True) as session:
            for run_id in sorted(self._calibrated):
                run = session.get_one(Run, run_id)
                found.setdefault(run.video_id, set()).add(run.engine)
        return found

    def write(self, stream: BinaryIO) -> Written:
        """Write the annotations as one COCO file."""
        info = {"description": self.name, "contributor": f"Posetween {VERSION}", "include": sorted(self.spec.include)}
        heard = cast("BinaryIO", Heard(stream, self.listen))
        return write_coco(heard, self.skeleton, map(self.opened, self.parts), info=info)

    def listen(self) -> None:
        """Hear whether the export shall go on."""
        self.report(self.done, self.total)

    def opened(self, part: tuple[Video, VideoSnapshot]) -> tuple[VideoInfo, Iterator[Instance]]:
        """A video of ``parts``, and its poses as they are read."""
        video, snapshot = part
        assert video.num_frames is not None
        assert video.width is not None
        assert video.height is not None
        assert video.frame_table_sha256 is not None
        about = VideoInfo(
            id=video.id,
            slug=video.slug,
            width=video.width,
            height=video.height,
            num_frames=video.num_frames,
            times=FrameTable.from_bytes(self.storage.get(video.frame_table_sha256)).times,
            damaged=video.damaged or (),
        )
        frames: list[int] = []
        self.frames.append((video, frames))
        if self.layer != "human":
            with self.database.session(readonly=True) as session:
                self.bases[video.id] = self._basis_of(session, video, snapshot)
        return about, self._instances(video, snapshot, frames)

    def _instances(self, video: Video, snapshot: VideoSnapshot, frames: list[int]) -> Iterator[Instance]:
        grounds = Grounds(video, self.whole.size, snapshot.revision, self.listen)
        for start, stop in self.windows(video):
            yield from self._part(video, snapshot, grounds, frames, start, stop)

    def _part(
        self, video: Video, snapshot: VideoSnapshot, grounds: Grounds, frames: list[int], start: int, end: int
    ) -> Iterator[Instance]:
        while start < end:
            stop, tracks = self._window(video, snapshot, grounds, start, end)
            for track, row in windows.by_frame(tracks):
                self.report(self.done, self.total)
                visibility = self._visibility(track, row)
                if visibility is None:
                    continue
                if self.spec.images and frames[-1:] != [int(track.poses.frames[row])]:
                    frames.append(int(track.poses.frames[row]))
                absent = track.poses.absent[row] & ("human" in self.spec.include)
                found = _instance(track, row, visibility, absent)
                if found.run_id is not None:
                    self.used.add(found.run_id)
                    if found.radius90_states is not None:
                        self._calibrated.add(found.run_id)
                yield found
            self.done += stop - start
            self.report(self.done, self.total)
            start = stop

    def _visibility(self, track: Layered, row: int) -> np.ndarray | None:
        """``(K,)`` visibility of the points that are asked for; None where a pose has no points of that kind."""
        poses, human, stale, rejected = track.poses, track.human[row], track.stale[row], track.rejected[row]
        visibility: np.ndarray = poses.visibility[row]
        include, accepted = {*self.spec.include}, track.accepted[row]
        kinds = (("human", human), ("accepted", accepted), ("pseudo", ~human & ~accepted))
        asked = (visibility > 0) & np.any([kind & (name in include) for name, kind in kinds], axis=0)
        absent = "human" in include and bool(poses.absent[row].any())
        if visibility.any() and not absent and not asked.any():
            return None
        visibility = np.where(asked, visibility, 0)
        self.accepted += bool((asked & accepted).any())
        self.rejected += bool((asked & rejected).any())
        visibility = np.where(rejected, 0, visibility)
        if not self.spec.include_stale:
            self.stale += bool((asked & stale).any())
            visibility = np.where(stale, 0, visibility)
        if self.spec.min_score is not None:
            visibility = np.where(human | (poses.score[row] >= self.spec.min_score), visibility, 0)
        return visibility

    def _window(
        self, video: Video, snapshot: VideoSnapshot, grounds: Grounds, start: int, stop: int
    ) -> tuple[int, list[Layered]]:
        what: windows.Choice = {"layer": self.layer, "revision": snapshot.revision, "runs": snapshot.runs}
        with self.database.session(readonly=True) as session:
            end = windows.reach(session, video, start=start, stop=stop, most=_POSES, **what)
            size = self.whole.size
            here = {"start": start, "stop": end, "reviews": snapshot.reviews}
            tracks = windows.read(
                session, self.storage, video, size, **here, grounds=grounds, basis=self.bases.get(video.id), **what
            )
        return end, [track.pick(self.whole.points) for track in tracks]


def _instance(track: Layered, row: int, visibility: np.ndarray, absent: np.ndarray) -> Instance:
    poses, human = track.poses, track.human[row]
    made = (visibility > 0) & ~human
    by_hand = not made.any()
    stale = tuple(np.flatnonzero(track.stale[row] & made).tolist())
    sources = [source if v else None for source, v in zip(track.sources(row), visibility, strict=True)]
    kinds = {*sources} - {None}
    return Instance(
        frame_index=int(poses.frames[row]),
        track_id=track.number,
        xy=poses.xy[row],
        visibility=visibility,
        source="human" if by_hand else "accepted" if kinds == {"accepted"} else "pseudo",
        scores=None if by_hand else poses.score[row],
        radius90=None if by_hand else poses.radius90[row],
        radius90_states=None if by_hand else _states(track, row, made),
        run_id=None if by_hand else int(track.runs[row]) or None,
        point_sources=tuple(source or "pseudo" for source in sources) if len(kinds) > 1 else None,
        stale_points=stale or None,
        absent=tuple(np.flatnonzero(absent).tolist()),
    )


def _states(track: Layered, row: int, made: np.ndarray) -> tuple[str | None, ...] | None:
    """What a machine's radii rest on; None where all are as engines gave them."""
    if track.rests is None or not track.rests[row][made].any():
        return None
    rests = track.rests[row].tolist()
    return tuple(state_of(one)[0].value if mine else None for one, mine in zip(rests, made.tolist(), strict=True))


class Heard:
    """A file in whose writing a cancellation is heard: it may take long after the last pose."""

    def __init__(self, stream: IO[bytes], step: Callable[[], None]) -> None:
        self._stream = stream
        self._step = step

    def write(self, data: bytes) -> int:
        """Write some bytes; gives how many."""
        self._step()
        return self._stream.write(data)
