"""Writing an export: the poses of a snapshot as a COCO file, with the frames in a ZIP where asked for."""

from __future__ import annotations

import hashlib
import shutil
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from app.database import Database
from app.exports.schemas import ExportIn
from app.labels import windows
from app.labels.windows import Layered
from app.projects import service as projects
from app.runs.staleness import Grounds
from app.snapshots import layer_of
from app.storage import Storage
from app.tables import Export, Project, Video
from app.version import VERSION
from app.videos.images import encode
from pose.formats.coco import Instance, VideoInfo, Written, write_coco
from pose.frame_table import FrameTable
from pose.skeleton import Skeleton
from pose.video import Video as VideoReader

#: Called with the frames written and the frames in all.
Report = Callable[[int, int], None]

# Frames and poses that are read at a time: between two of them a cancellation is heard.
_WINDOW = 1024
_POSES = 10_000
_ANNOTATIONS = "annotations.json"
#: The earliest moment a ZIP can name: a file must not depend on when it was written.
_NO_TIME = (1980, 1, 1, 0, 0, 0)


def build(database: Database, storage: Storage, export: Export, target: Path, report: Report) -> dict[str, Any]:
    """Write an export's file; the same snapshot and specification give the same bytes.

    Args:
        database: Where labels are.
        storage: Where segments and proxies are.
        export: What to write.
        target: File to make.
        report: Told of progress; what it raises ends the export.

    Returns:
        The manifest: name of the file, digest of each file in it, and counts.
    """
    spec = ExportIn.model_validate(export.spec)
    source = _Snapshot(database, storage, export, spec, report)
    if spec.images:
        files, written = _write_zip(source, target)
    else:
        with target.open("wb") as stream:
            written = source.write(stream)
        files = {_ANNOTATIONS: _digest(target)}
    return {
        "file_name": f"project-{export.project_id}.{'zip' if spec.images else 'json'}",
        "files": [{"path": path, "sha256": sha256} for path, sha256 in files.items()],
        "videos": written.videos,
        "images": written.images,
        "annotations": written.annotations,
        "left_out": written.left_out,
        "stale_left_out": source.stale,
        "warnings": source.warnings(),
    }


class _Snapshot:
    """The poses an export is made of, read window by window."""

    def __init__(self, database: Database, storage: Storage, export: Export, spec: ExportIn, report: Report) -> None:
        self.database = database
        self.storage = storage
        self.spec = spec
        self.report = report
        self.layer = layer_of(spec.include)
        self.frames: list[tuple[Video, list[int]]] = []
        with database.session(readonly=True) as session:
            version = export.snapshot["skeleton_version"]
            self.whole: Skeleton = projects.skeleton(session, export.project_id, version)
            self.skeleton = self.whole.active()
            self.name = session.get_one(Project, export.project_id).name
            self.parts = [(session.get_one(Video, part["id"]), part) for part in export.snapshot["videos"]]
        self.total = max(1, sum(video.num_frames or 0 for video, _ in self.parts))
        self.done = 0
        #: Poses from which stale points were left out.
        self.stale = 0

    def warnings(self) -> list[str]:
        """What whoever asked for the export should know of it."""
        found = []
        if {*self.spec.include} == {"accepted"}:
            found.append("no pose is accepted: there are no reviews yet, so the file holds none")
        if self.stale:
            found.append(
                f"stale points of {self.stale} poses were left out, since labels that they rest on were moved or taken"
                " back; propagate again, or ask for include_stale"
            )
        return found

    def write(self, stream: BinaryIO) -> Written:
        info = {"description": self.name, "contributor": f"Posetween {VERSION}", "include": sorted(self.spec.include)}
        return write_coco(stream, self.skeleton, map(self._video, self.parts), info=info)

    def _video(self, part: tuple[Video, dict[str, Any]]) -> tuple[VideoInfo, Iterator[Instance]]:
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
        return about, self._instances(video, snapshot, frames)

    def _instances(self, video: Video, snapshot: dict[str, Any], frames: list[int]) -> Iterator[Instance]:
        assert video.num_frames is not None
        grounds = Grounds(video, self.whole.size, snapshot["revision"])
        start = 0
        while start < video.num_frames and {*self.spec.include} != {"accepted"}:
            stop, tracks = self._window(video, snapshot, grounds, start, min(start + _WINDOW, video.num_frames))
            for track, row in windows.by_frame(tracks):
                self.report(self.done, self.total)
                visibility = self._visibility(track, row)
                if visibility is None:
                    continue
                if self.spec.images and frames[-1:] != [int(track.poses.frames[row])]:
                    frames.append(int(track.poses.frames[row]))
                absent = track.poses.absent[row] & ("human" in self.spec.include)
                yield _instance(track, row, visibility, absent)
            self.done += stop - start
            self.report(self.done, self.total)
            start = stop

    def _visibility(self, track: Layered, row: int) -> np.ndarray | None:
        """``(K,)`` visibility of the points that are asked for; None where a pose has no points of that kind."""
        poses, human, stale = track.poses, track.human[row], track.stale[row]
        visibility: np.ndarray = poses.visibility[row]
        if "human" not in self.spec.include:
            visibility = np.where(human, 0, visibility)
            if track.human[row].any() and not visibility.any():
                return None
        if not self.spec.include_stale:
            self.stale += bool(stale.any())
            visibility = np.where(stale, 0, visibility)
        if self.spec.min_score is not None:
            visibility = np.where(human | (poses.score[row] >= self.spec.min_score), visibility, 0)
        return visibility

    def _window(
        self, video: Video, snapshot: dict[str, Any], grounds: Grounds, start: int, stop: int
    ) -> tuple[int, list[Layered]]:
        what: windows.Choice = {"layer": self.layer, "revision": snapshot["revision"], "runs": snapshot["runs"]}
        with self.database.session(readonly=True) as session:
            end = windows.reach(session, video, start=start, stop=stop, most=_POSES, **what)
            size, here = self.whole.size, {"start": start, "stop": end}
            tracks = windows.read(session, self.storage, video, size, **here, grounds=grounds, **what)
        return end, [track.pick(self.whole.points) for track in tracks]


def _instance(track: Layered, row: int, visibility: np.ndarray, absent: np.ndarray) -> Instance:
    poses, human = track.poses, track.human[row]
    made = (visibility > 0) & ~human
    by_hand = not made.any()
    stale = tuple(np.flatnonzero(track.stale[row] & made).tolist())
    mixed = made.any() and bool((human & (visibility > 0)).any())
    return Instance(
        frame_index=int(poses.frames[row]),
        track_id=track.number,
        xy=poses.xy[row],
        visibility=visibility,
        source="human" if by_hand else "pseudo",
        scores=None if by_hand else poses.score[row],
        radius90=None if by_hand else poses.radius90[row],
        run_id=None if by_hand else int(track.runs[row]) or None,
        point_sources=tuple("human" if label else "pseudo" for label in human) if mixed else None,
        stale_points=stale or None,
        absent=tuple(np.flatnonzero(absent).tolist()),
    )


def _write_zip(source: _Snapshot, target: Path) -> tuple[dict[str, str], Written]:
    digests = {}
    with zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as archive:
        with source.storage.scratch_file() as sheet:
            with sheet.open("wb") as stream:
                written = source.write(stream)
            digests[_ANNOTATIONS] = _digest(sheet)
            with sheet.open("rb") as data, archive.open(_entry(_ANNOTATIONS), "w", force_zip64=True) as entry:
                shutil.copyfileobj(data, entry)
        for video, frames in source.frames:
            for name, image in _images(source, video, frames):
                digests[name] = hashlib.sha256(image).hexdigest()
                archive.writestr(_entry(name), image)
    return digests, written


def _images(source: _Snapshot, video: Video, frames: list[int]) -> Iterator[tuple[str, bytes]]:
    assert video.proxy_sha256 is not None
    assert video.proxy_table_sha256 is not None
    table = FrameTable.from_bytes(source.storage.get(video.proxy_table_sha256))
    with VideoReader(source.storage.file(video.proxy_sha256), table) as reader:
        for frame in frames:
            yield f"{video.slug}/frame_{frame:06d}.jpg", encode(reader.read(frame), "jpeg")
            source.report(source.done, source.total)


def _entry(name: str) -> zipfile.ZipInfo:
    entry = zipfile.ZipInfo(name, _NO_TIME)
    entry.external_attr = 0o644 << 16
    return entry


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
