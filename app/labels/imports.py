"""Importing the labels of a file: read and checked before anything is written, then written as one revision."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import PurePath
from typing import Literal

import numpy as np
from sqlalchemy.orm import Session

from app.errors import Conflict, FieldProblem, Invalid, invalid
from app.labels import history
from app.labels.foreign import Foreign, Read
from app.labels.foreign import piece as foreign_piece
from app.labels.history import Labels
from app.labels.precondition import check_fresh
from app.labels.schemas import MAX_LABELS, FrameNumbers, Imported, NumberedImage
from app.projects import service as projects
from app.runs import imported
from app.runs.imported import Poses
from app.settings import Settings
from app.storage import Storage
from app.tables import Project, Video
from app.tracks import service as tracks
from app.videos.service import readable
from pose.formats.coco import CocoError, CocoPoses, Numbering, PatternError, Reading, read_coco
from pose.track import Track

IMPORT = "import"

#: Most points of the poses that one import takes, unknown ones among them.
MAX_POINTS = 10_000_000

_IMAGES_SHOWN, _FILE_NAME_SHOWN = 5, 500  # images that an answer tells the frames of, characters of their file names


@dataclass(frozen=True)
class Wanted:
    """What is asked for beside the file.

    Attributes:
        mode: ``add`` the file's labels, or ``replace`` all labels of the frames that it has images of.
        numbering: How images say which frame they are.
        scale: What happens to images of another size than the video's.
        pseudo: What happens to a machine's poses: ``skip`` them, keep them as a ``run``, or take them for a person's
            (``human``).
        dry_run: Answer, and write nothing.
    """

    mode: Literal["add", "replace"] = "add"
    numbering: Numbering = Numbering()  # noqa: RUF009  # frozen
    scale: Literal["refuse", "fit"] = "refuse"
    pseudo: Literal["skip", "run", "human"] = "skip"
    dry_run: bool = False

    @property
    def reading(self) -> Reading:
        """How the file is read."""
        return Reading(self.numbering, self.scale, "keep" if self.pseudo == "run" else self.pseudo)


@dataclass(frozen=True, eq=False)
class Sheet:
    """The labels of a file that was read and found right.

    Attributes:
        wanted: What was asked for.
        poses: What the file says, with track ids of its own.
        labels: People's labels in order of track and frame, with the file's track ids.
        run: A machine's poses in storage, where they are kept.
    """

    wanted: Wanted
    poses: CocoPoses
    labels: Labels
    run: Poses | None


def read_sheet(
    session: Session, video: Video, data: bytes, wanted: Wanted, foreign: tuple[Foreign, Read] | None = None
) -> CocoPoses:
    """Read a file that is meant for a video.

    Args:
        session: Knows the skeleton.
        video: Whose labels they are.
        data: A COCO keypoints file; of no account where it is another.
        wanted: What is asked for.
        foreign: How a file of another format is read, and what was read of it.

    Raises:
        Conflict: The video cannot be read (yet).
        Invalid: The file breaks a rule, with a pointer to each place, or nothing of it would be written.
    """
    readable(video)
    assert video.width is not None
    assert video.height is not None
    skeleton = projects.skeleton(session, video.project_id)
    size = video.width, video.height
    piece = None
    if foreign is not None:
        called = (video.slug, PurePath(video.filename).stem)
        piece = foreign_piece(foreign[1], foreign[0], called, size, MAX_POINTS)
        data = piece.coco
    try:
        poses = read_coco(
            data,
            num_frames=video.num_frames,
            size=size,
            skeleton=skeleton,
            reading=wanted.reading,
            most_points=MAX_POINTS,
        )
    except CocoError as error:
        fields = [FieldProblem(pointer=pointer, detail=sentence) for pointer, sentence in error.errors]
        raise Invalid(str(error), fields) from error
    except PatternError as error:
        raise invalid("/frame_pattern", str(error), "query") from error
    if not poses.tracks and (wanted.mode == "add" or not poses.file_names):
        raise invalid("/annotations", "; ".join(["the file labels nothing", *poses.warnings]))
    if piece is None:
        return poses
    names = {track: name for track, name in piece.names.items() if track in poses.tracks}
    warnings = [*piece.warnings, *poses.warnings]
    return replace(poses, names=names, numbered=poses.numbered and not names, warnings=warnings)


def store(storage: Storage, poses: CocoPoses, wanted: Wanted) -> Sheet:
    """Put what a file says into arrays, and a machine's poses that are kept into storage.

    Raises:
        Invalid: They are too many.
    """
    count = poses.skeleton.size
    labelled = sum(len(track) for track in poses.labels.values())
    if labelled > MAX_LABELS:
        sentence = (
            f"one import writes up to {MAX_LABELS} labels of people, and this file has {labelled}: send it in parts"
        )
        raise invalid("/annotations", sentence)
    run = None
    if poses.pseudo:
        run = imported.store(storage, poses.pseudo, dry=wanted.dry_run)
    return Sheet(wanted, poses, _labels(poses.labels, count), run)


def write(
    session: Session,
    settings: Settings,
    storage: Storage,
    video: Video,
    sheet: Sheet,
    *,
    key_id: int | None,
    if_match: int | None,
) -> Imported:
    """Write the labels of a file as one revision; tracks that the video lacks are made.

    Raises:
        Conflict: The skeleton has other keypoints than when the file was read.
        Stale: Somebody wrote since ``if_match``.
    """
    skeleton = projects.skeleton(session, video.project_id)
    if sheet.labels.keypoints.shape[1] != skeleton.size:
        raise Conflict("the skeleton was changed while the file was read; send it again")
    wanted, poses = sheet.wanted, sheet.poses
    present = history.lock(session, video)
    numbers = _numbers(session, settings, video, poses)
    labels = replace(sheet.labels, tracks=np.array([numbers[int(n)] for n in sheet.labels.tracks], dtype=np.int64))
    check_fresh(session, video, labels, present, if_match)
    said = labels.said
    gone = _gone(session, video, labels, poses) if wanted.mode == "replace" else None
    if gone is not None and len(gone) > MAX_LABELS:
        sentence = f"one import takes back up to {MAX_LABELS} labels, and this would take back {len(gone)}"
        raise invalid("/mode", f"{sentence}: send the file in parts", "query")
    changed = labels if gone is None else _joined(labels, gone)
    if gone is not None:
        # A file says nothing of keypoints that are retired, unless it has them.
        said = changed.keypoints[..., 2] > 0
        said[:, skeleton.points] = True
    revision = present
    if len(changed):
        revision = history.begin(session, video, IMPORT, key_id)
        history.append(session, video.id, revision, changed, said)
    run = None
    if sheet.run is not None and not wanted.dry_run:
        project = session.get_one(Project, video.project_id)
        run = imported.add(session, settings, storage, project, video, sheet.run, numbers, label_revision=revision)
    return Imported(
        revision=present if wanted.dry_run else revision,
        written=len(labels),
        removed=0 if gone is None else len(gone),
        skipped=sum(poses.skipped.values()),
        skipped_kinds=poses.skipped,
        tracks=sorted(numbers.values()),
        identities={poses.names[local]: number for local, number in numbers.items() if local in poses.names},
        run_id=None if run is None else run.id,
        run_poses=sum(len(track) for track in poses.pseudo.values()),
        frames=_frame_numbers(sheet),
        dry_run=wanted.dry_run,
        warnings=poses.warnings,
    )


def _numbers(session: Session, settings: Settings, video: Video, poses: CocoPoses) -> dict[int, int]:
    """The video's track for each of the file's: that of its name, else that of its number, else a new one."""
    rows = {row.name: row.number for row in tracks.of_video(session, video)}
    locals_ = sorted(poses.tracks)
    numbers = {local: rows[name] for local, name in poses.names.items() if name in rows}
    taken = set(numbers.values())
    highest = max([tracks.highest(session, video), *(locals_ if poses.numbered else ())])
    for local in locals_:
        if local in numbers:
            continue
        if poses.numbered and local not in taken:
            numbers[local] = local
        else:
            highest += 1
            numbers[local] = highest
        taken.add(numbers[local])
    tracks.ensure(
        session, settings, video, {number: poses.names.get(local) for local, number in sorted(numbers.items())}
    )
    return {local: numbers[local] for local in locals_}


def _gone(session: Session, video: Video, labels: Labels, poses: CocoPoses) -> Labels:
    """Labels on the file's frames of tracks that the file does not label there, as if nothing were known of them."""
    frames = np.array([*poses.file_names], dtype=np.int64)
    size = labels.keypoints.shape[1]
    there = history.read_places(session, video.id, size, frames)
    kept = {*zip(labels.frames.tolist(), labels.tracks.tolist(), strict=True)}
    known = there.said.any(axis=1) & np.isin(there.frames, frames)
    pairs = zip(there.frames.tolist(), there.tracks.tolist(), strict=True)
    rows = [row for row, place in enumerate(pairs) if known[row] and place not in kept]
    return Labels(
        frames=there.frames[rows],
        tracks=there.tracks[rows],
        keypoints=np.zeros_like(there.keypoints[rows]),
        revisions=there.revisions[rows],
    )


def _joined(one: Labels, other: Labels) -> Labels:
    names = ("frames", "tracks", "keypoints", "revisions", "absent")
    return Labels(**{name: np.concatenate([getattr(one, name), getattr(other, name)]) for name in names})


def _labels(known: dict[int, Track], count: int) -> Labels:
    length = [len(track) for track in known.values()]
    poses = [np.concatenate([track.xy, track.visibility[..., None]], axis=-1) for track in known.values()]
    return Labels(
        frames=np.concatenate([track.frames for track in known.values()] or [np.zeros(0, dtype=np.int64)]),
        tracks=np.repeat(np.array([*known], dtype=np.int64), length),
        keypoints=np.concatenate(poses or [np.zeros((0, count, 3))]).astype(np.float32),
        revisions=np.zeros(sum(length), dtype=np.int64),
        absent=np.concatenate([track.absent for track in known.values()] or [np.zeros((0, count), dtype=bool)]),
    )


def _frame_numbers(sheet: Sheet) -> FrameNumbers:
    numbering, named = sheet.wanted.numbering, sheet.poses.file_names
    first = [*named.items()][:_IMAGES_SHOWN]
    return FrameNumbers(
        source=numbering.source,
        pattern=numbering.pattern,
        offset=sheet.poses.offset,
        images=len(named),
        first=[NumberedImage(file_name=name[:_FILE_NAME_SHOWN], frame_index=frame) for frame, name in first],
    )
