"""Mending tracks: rename, delete, swap, merge and split, each one revision of the labels that one call undoes.

Labels move as whole poses, with the points that are not labelled: a pose made up of two subjects' points is none. A
revision says something of every label that was ever made on the frames it touches, so that undoing an earlier one does
not bring back a point of a subject that is somewhere else by now.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace

import numpy as np
from sqlalchemy.orm import Session

from app.errors import Conflict, FieldProblem, NotFound, invalid
from app.labels import history
from app.labels.history import Labels
from app.labels.precondition import check_fresh
from app.labels.revision import check_revision
from app.labels.schemas import Written
from app.projects import service as projects
from app.settings import Settings
from app.tables import TrackRow, Video
from app.tracks import revisions
from app.tracks import service as tracks
from app.tracks.schemas import MergeIn, SplitIn, SwapIn, TrackWritten
from app.videos.service import readable

#: Labels that one call may move or take back: nobody else writes to the video meanwhile, and to SQLite at all.
MAX_MENDED = 100_000

_NAMED = 20  # frames in a sentence


def rename(
    session: Session, video: Video, number: int, name: str, *, key_id: int | None, if_match: int | None
) -> TrackWritten:
    """Give a track another name: a revision without labels; none where it has the name already.

    Raises:
        NotFound: The video has no such track.
        Stale: Somebody wrote since ``if_match``.
    """
    present = history.lock(session, video)
    track = find(session, video, number)
    check_fresh(session, video, None, present, if_match)
    if track.name != name:
        present = history.begin(session, video, f"{revisions.RENAME} {number}", key_id)
        revisions.change(session, track, present, name=name)
    return TrackWritten(**tracks.show(track).model_dump(), revision=present, written=0)


@dataclass(frozen=True, eq=False)
class Before:
    """The labels of the tracks that are to be mended, with those that were taken back, as they stand at a revision."""

    revision: int
    labels: Labels


def look(
    session: Session, video: Video, numbers: list[int], start: int | None = None, stop: int | None = None
) -> Before:
    """Read the labels of tracks, before it is one's turn to write.

    Raises:
        Conflict: Some frames are meant, and the video cannot be read (yet).
        Invalid: There are no such frames, or more labels than one call mends.
    """
    first, end = (0, None) if start is None and stop is None else _span(video, start, stop)
    size = projects.skeleton(session, video.project_id).size
    try:
        labels = history.read(session, video.id, size, start=first, stop=end, tracks=numbers, most=MAX_MENDED)
    except history.More:
        named = " and ".join(map(str, sorted(numbers)))
        raise invalid(
            "",
            f"one call mends up to {MAX_MENDED} labels, taken back ones among them, and track{'s' * (len(numbers) > 1)}"
            f" {named} {'have' if len(numbers) > 1 else 'has'} more there: swap or merge some frames at a time, with"
            " start and stop",
        ) from None
    return Before(video.revision, labels)


def delete(
    session: Session, video: Video, number: int, before: Before, *, key_id: int | None, if_match: int | None
) -> Written:
    """Delete a track: its labels get tombstones. Its number is not given to another one.

    Raises:
        Moved: The video has other labels than were read.
        NotFound: The video has no such track.
        Stale: Somebody wrote since ``if_match``.
    """
    check_revision(session, video, present := before.revision)
    track = find(session, video, number)
    labels = before.labels
    check_fresh(session, video, _blank(labels), present, if_match)
    revision = history.begin(session, video, f"{revisions.DELETE} {number}", key_id)
    revisions.change(session, track, revision, deleted=True)
    return _append(session, video, revision, _blank(labels), labels)


def swap(
    session: Session, video: Video, wanted: SwapIn, before: Before, *, key_id: int | None, if_match: int | None
) -> Written:
    """Let two tracks change places.

    Raises:
        Moved: The video has other labels than were read.
        Conflict: The video cannot be read (yet).
        Invalid: A field is wrong, or nothing is labelled there.
        Stale: Somebody wrote since ``if_match``.
    """
    span = _span(video, wanted.start, wanted.stop)
    check_revision(session, video, present := before.revision)
    _named(session, video, {"/a": wanted.a, "/b": wanted.b})
    if wanted.a == wanted.b:
        raise invalid("/b", f"track {wanted.a} cannot be swapped with itself")
    labels = before.labels
    first, second = _of(labels, wanted.a), _of(labels, wanted.b)
    after = _join([_taking(first, second), _taking(second, first)], [wanted.a, wanted.b])
    check_fresh(session, video, after, present, if_match)
    _check_labelled(labels, f"neither track {wanted.a} nor track {wanted.b} has a label", span)
    revision = history.begin(session, video, f"{revisions.SWAP} {wanted.a} and {wanted.b}", key_id)
    return _append(session, video, revision, after, labels)


def merge(
    session: Session, video: Video, wanted: MergeIn, before: Before, *, key_id: int | None, if_match: int | None
) -> Written:
    """Let one track's labels become another's. Where that is so on all frames, the track is deleted.

    Raises:
        Moved: The video has other labels than were read.
        Conflict: The video cannot be read (yet), or both tracks are labelled on a frame, they differ, and nothing
            says which counts.
        Invalid: A field is wrong, or nothing is labelled there.
        Stale: Somebody wrote since ``if_match``.
    """
    span = _span(video, wanted.start, wanted.stop)
    check_revision(session, video, present := before.revision)
    giver, _ = _named(session, video, {"/from": wanted.from_, "/into": wanted.into})
    if wanted.from_ == wanted.into:
        raise invalid("/into", f"track {wanted.from_} cannot be merged with itself")
    prefers = {None: None, "from": "from", "into": "into", wanted.from_: "from", wanted.into: "into"}
    if wanted.prefer not in prefers:
        raise invalid("/prefer", f"expected from, into, {wanted.from_} or {wanted.into}")
    labels = before.labels
    given, taking = _of(labels, wanted.from_), _of(labels, wanted.into)
    moving = _moving(given, taking, prefers[wanted.prefer])
    after = _join([moving, _blank(given)], [wanted.into, wanted.from_])
    check_fresh(session, video, after, present, if_match)
    whole = span == (0, video.num_frames)
    if not whole:
        _check_labelled(given, f"track {wanted.from_} has no label", span)
    revision = history.begin(session, video, f"{revisions.MERGE} {wanted.from_} into {wanted.into}", key_id)
    if whole:
        revisions.change(session, giver, revision, deleted=True)
    return _append(session, video, revision, after, given)


def split(
    session: Session,
    settings: Settings,
    video: Video,
    wanted: SplitIn,
    before: Before,
    *,
    key_id: int | None,
    if_match: int | None,
) -> TrackWritten:
    """Let a track's labels from a frame on become those of a new track.

    Raises:
        Moved: The video has other labels than were read.
        Conflict: The video cannot be read (yet).
        Invalid: A field is wrong, or no label lies on one side of the frame.
        Stale: Somebody wrote since ``if_match``.
    """
    readable(video)
    check_revision(session, video, present := before.revision)
    _named(session, video, {"/track": wanted.track})
    labels = before.labels
    labelled = labels.frames[_labelled(labels)]
    if not len(labelled):
        raise invalid("/track", f"track {wanted.track} has no label")
    if not labelled[0] < wanted.start <= labelled[-1]:
        where = f"on the frames {labelled[0]} to {labelled[-1]}" if len(labelled) > 1 else f"on frame {labelled[0]}"
        side = "before" if wanted.start <= labelled[0] else "from"
        sentence = f"track {wanted.track} is labelled {where}: there is no label {side} frame {wanted.start}"
        raise invalid("/start", f"{sentence}{' on' if side == 'from' else ''}")
    moving = _select(labels, np.flatnonzero(labels.frames >= wanted.start))
    check_fresh(session, video, moving, present, if_match)
    revision = history.begin(session, video, f"{revisions.SPLIT} {wanted.track} at {wanted.start}", key_id)
    made = tracks.create(session, settings, video, wanted.name or "")
    made.name = made.name or f"track {made.number}"
    revisions.change(session, made, revision, made=True)
    after = _join([_select(moving, _labelled(moving)), _blank(moving)], [made.number, wanted.track])
    written = _append(session, video, revision, after, moving)
    return TrackWritten(**tracks.show(made).model_dump(), **written.model_dump())


def find(session: Session, video: Video, number: int) -> TrackRow:
    """A track that is not deleted.

    Raises:
        NotFound: The video has none of that number.
    """
    track = session.get(TrackRow, (video.id, number))
    if track is None or track.deleted:
        raise NotFound(f"the video has no track {number}")
    return track


def _named(session: Session, video: Video, wanted: Mapping[str, int]) -> list[TrackRow]:
    """The tracks that fields of the body name."""
    found = {track.number: track for track in tracks.of_video(session, video)}
    for pointer, number in wanted.items():
        if number not in found:
            raise invalid(pointer, f"the video has no track {number}")
    return [found[number] for number in wanted.values()]


def _span(video: Video, start: int | None, stop: int | None) -> tuple[int, int]:
    readable(video)
    assert video.num_frames is not None
    first, end = start or 0, video.num_frames if stop is None else stop
    if end > video.num_frames:
        raise invalid("/stop", f"the video has {video.num_frames} frames")
    if first >= end:
        raise invalid("/start", f"no frame lies between start {first} and stop {end}")
    return first, end


def _check_labelled(labels: Labels, sentence: str, span: tuple[int, int]) -> None:
    if not _labelled(labels).any():
        where = f"the frames {span[0]} to {span[1] - 1}" if span[1] - span[0] > 1 else f"frame {span[0]}"
        raise invalid("/start", f"{sentence} on {where}")


def _append(session: Session, video: Video, revision: int, after: Labels, before: Labels) -> Written:
    """Write whole poses; what counts as written are the labels that there were."""
    if len(after):
        history.append(session, video.id, revision, after, np.ones(after.keypoints.shape[:2], dtype=bool))
    return Written(revision=revision, written=int(_labelled(before).sum()))


def _moving(given: Labels, taking: Labels, prefer: str | None) -> Labels:
    """The labels that a merge carries over: those of ``given``, save where ``taking`` has labels and wins."""
    mine = _select(given, _labelled(given))
    labelled = _labelled(taking)
    place = {int(frame): row for row, frame in enumerate(taking.frames) if labelled[row]}
    both = [row for row, frame in enumerate(mine.frames) if int(frame) in place]
    differ = [row for row in both if not _same(mine, row, taking, place[int(mine.frames[row])])]
    if differ and prefer is None:
        raise _conflict(given, taking, mine.frames[differ].tolist())
    left = both if prefer != "from" else []
    return _select(mine, np.setdiff1d(np.arange(len(mine)), left))


def _same(one: Labels, row: int, other: Labels, place: int) -> bool:
    return all(
        np.array_equal(getattr(one, name)[row], getattr(other, name)[place])
        for name in _COLUMNS
        if name not in ("frames", "tracks", "revisions")
    )


def _conflict(given: Labels, taking: Labels, frames: Sequence[int]) -> Conflict:
    numbers = int(given.tracks[0]), int(taking.tracks[0])
    named = ", ".join(map(str, frames[:_NAMED])) + (f" and {len(frames) - _NAMED} more" if len(frames) > _NAMED else "")
    return Conflict(
        f"tracks {numbers[0]} and {numbers[1]} are both labelled on frame{'s' if len(frames) > 1 else ''} {named};"
        ' say with prefer whose labels stand there: "from" or "into"',
        [
            FieldProblem(pointer="/prefer", detail=f"both tracks are labelled on frame {frame}")
            for frame in frames[:_NAMED]
        ],
        conflicts=[{"frame_index": frame} for frame in frames],
    )


_COLUMNS = [field.name for field in fields(Labels)]


def _select(labels: Labels, rows: np.ndarray) -> Labels:
    return Labels(*(getattr(labels, name)[rows] for name in _COLUMNS))


def _labelled(labels: Labels) -> np.ndarray:
    """``(L,)`` bool, which of the labels say anything."""
    labelled: np.ndarray = np.any(labels.said, axis=1)
    return labelled


def _of(labels: Labels, number: int) -> Labels:
    return _select(labels, labels.tracks == number)


def _blank(labels: Labels) -> Labels:
    """The same labels, with nothing said any more."""
    return Labels(labels.frames, labels.tracks, np.zeros_like(labels.keypoints), labels.revisions)


def _taking(taking: Labels, given: Labels) -> Labels:
    """The labels of ``given``, and where it has none, nothing in the place of those that ``taking`` had."""
    bare = _select(taking, ~np.isin(taking.frames, given.frames))
    return _join([given, _blank(bare)])


def _join(parts: Sequence[Labels], numbers: Sequence[int] | None = None) -> Labels:
    """Labels together, each part as labels of the track that is named."""
    if numbers is not None:
        parts = [replace(part, tracks=np.full(len(part), number)) for part, number in zip(parts, numbers, strict=True)]
    return Labels(*(np.concatenate([getattr(part, name) for part in parts]) for name in _COLUMNS))
