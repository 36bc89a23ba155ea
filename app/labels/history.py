"""Human labels in the database: revisions are added, the state at any revision is read back."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any

import numpy as np
from sqlalchemy import BindParameter, ColumnElement, Select, and_, bindparam, func, insert, select, update
from sqlalchemy.dialects import postgresql
from sqlalchemy.orm import Session, aliased

from app.errors import NotFound
from app.tables import Label, LabelRevision, Video
from pose.track import Track

#: Labels that are read between two moments at which a cancellation is heard.
AT_ONCE = 20_000

_POINT = np.dtype("<f4")

_SPARSE = 4  # times as many frames as are wanted are better not read
_NAMED = 5000  # frames that a statement names; databases take some ten thousand parameters


class More(Exception):
    """There are more labels than were to be read."""


@dataclass(frozen=True, eq=False)
class Labels:
    """Human labels of a video as they stood at a revision, in order of frame and track.

    Attributes:
        frames: ``(L,)`` int64 frame indices.
        tracks: ``(L,)`` int64 track numbers.
        keypoints: ``(L, K, 3)`` float32 x, y, visibility.
        revisions: ``(L,)`` int64 revision that last changed each label.
        absent: ``(L, K)`` bool, which points are absent; none where it is not given. Their visibility is 0.
    """

    frames: np.ndarray
    tracks: np.ndarray
    keypoints: np.ndarray
    revisions: np.ndarray
    absent: np.ndarray = field(default_factory=lambda: np.zeros(0, dtype=bool))

    def __post_init__(self) -> None:
        if self.absent.shape == (0,):
            object.__setattr__(self, "absent", np.zeros(self.keypoints.shape[:2], dtype=bool))

    def __len__(self) -> int:
        return len(self.frames)

    @property
    def said(self) -> np.ndarray:
        """``(L, K)`` bool, where a point is labelled: its place, or that it is absent."""
        said: np.ndarray = (self.keypoints[..., 2] > 0) | self.absent
        return said

    def select(self, rows: np.ndarray) -> Labels:
        """Those that ``rows``, a boolean mask or positions, picks."""
        return Labels(
            self.frames[rows], self.tracks[rows], self.keypoints[rows], self.revisions[rows], self.absent[rows]
        )

    def pick(self, points: np.ndarray) -> Labels:
        """Only some keypoints, by their indices."""
        return replace(self, keypoints=self.keypoints[:, points], absent=self.absent[:, points])

    def track(self, number: int) -> Track:
        """The labels of one track; frames on which nothing is labelled any more are left out."""
        mine = (self.tracks == number) & self.said.any(axis=1)
        return Track.labelled(self.frames[mine], self.keypoints[mine], self.absent[mine])

    def by_track(self) -> dict[int, Labels]:
        """The labels of each track, by number: sorted once, since there can be as many tracks as labels."""
        order = np.argsort(self.tracks, kind="stable")
        numbers, starts = np.unique(self.tracks[order], return_index=True)
        columns = (self.frames, self.tracks, self.keypoints, self.revisions, self.absent)
        parts = zip(*(np.split(column[order], starts[1:]) for column in columns), strict=True)
        return dict(zip(numbers.tolist(), (Labels(*part) for part in parts), strict=False))


def read(
    session: Session,
    video_id: int,
    num_keypoints: int,
    *,
    start: int = 0,
    stop: int | None = None,
    revision: int | None = None,
    tracks: list[int] | None = None,
    frames: list[int] | None = None,
    most: int | None = None,
) -> Labels:
    """Read labels as they stood at a revision.

    Args:
        session: The transaction.
        video_id: Whose labels.
        num_keypoints: ``K`` of the skeleton to read them in; earlier labels know nothing of added keypoints.
        start: First frame.
        stop: Frame after the last; None for all.
        revision: The past to read; None for the present.
        tracks: Only these tracks; None for all.
        frames: Only these frames; None for all.
        most: How many labels to read; None for all.

    Raises:
        More: There are more than ``most``.
    """
    room = None if most is None else most + 1
    given = {"video_id": video_id, "start": start, "stop": stop, "revision": revision, "tracks": tracks, "room": room}
    given["frames"] = frames
    until, past, some, there, limited = (value is not None for value in (stop, revision, tracks, frames, room))
    postgres = session.get_bind().dialect.name == "postgresql"
    statement = _statement(distinct_on=postgres, until=until, past=past, some=some, there=there, limited=limited)
    rows = session.execute(statement, {name: value for name, value in given.items() if value is not None}).all()
    if most is not None and len(rows) > most:
        raise More
    return _labels(rows, num_keypoints)


def read_places(
    session: Session,
    video_id: int,
    num_keypoints: int,
    frames: np.ndarray,
    tracks: np.ndarray | None = None,
    *,
    revision: int | None = None,
) -> Labels:
    """Read labels on some frames, see ``read``; two of them may be the first and the last of a million labelled ones.

    Args:
        session: The transaction.
        video_id: Whose labels.
        num_keypoints: ``K`` of the skeleton to read them in.
        frames: ``(F,)``, one at least, in any order.
        tracks: Only these tracks, ``(T,)``; None for all.
        revision: The past to read; None for the present.
    """
    wanted = np.unique(frames)
    mine = None if tracks is None else np.unique(tracks).tolist()
    parts = []
    for at in range(0, len(wanted), _NAMED):
        part = wanted[at : at + _NAMED]
        start, stop = int(part[0]), int(part[-1]) + 1
        named = part.tolist() if _SPARSE * len(part) < stop - start else None
        parts.append(
            read(
                session,
                video_id,
                num_keypoints,
                start=start,
                stop=stop,
                revision=revision,
                tracks=mine,
                frames=named,
            )
        )
    return join(parts, num_keypoints)


def join(parts: Sequence[Labels], num_keypoints: int) -> Labels:
    """Labels of parts of a video, in their order."""
    nothing = _labels((), num_keypoints)
    columns = [(part.frames, part.tracks, part.keypoints, part.revisions, part.absent) for part in (nothing, *parts)]
    return Labels(*(np.concatenate(column) for column in zip(*columns, strict=True)))


def parts(
    session: Session, video: Video, step: Callable[[], None], *, revision: int | None = None
) -> Iterator[tuple[int, int]]:
    """Spans of frames that have about ``AT_ONCE`` labels each, for who reads all of them and shall hear meanwhile.

    Args:
        session: The transaction.
        video: Whose labels.
        step: Called before each; what it raises ends this.
        revision: The past to read; None for the present.
    """
    start, stop = 0, video.num_frames or 0
    while start < stop:
        step()
        end = reach(session, video.id, start=start, stop=stop, most=AT_ONCE, revision=revision)
        yield start, end
        start = end


def _labels(rows: Sequence[Any], num_keypoints: int) -> Labels:
    frames, tracks_, points, revisions, absent = zip(*rows, strict=True) if rows else ((), (), (), (), ())
    width = num_keypoints * 3 * _POINT.itemsize
    keypoints = np.frombuffer(b"".join(each[:width].ljust(width, b"\0") for each in points), dtype=_POINT)
    return Labels(
        frames=np.array(frames, dtype=np.int64),
        tracks=np.array(tracks_, dtype=np.int64),
        keypoints=keypoints.reshape(-1, num_keypoints, 3),
        revisions=np.array(revisions, dtype=np.int64),
        absent=_absent(absent, num_keypoints),
    )


def _absent(rows: Sequence[bytes | None], size: int) -> np.ndarray:
    """``(L, K)``; a subject that was absent before keypoints were added lacks those too."""
    absent = np.zeros((len(rows), size), dtype=bool)
    for index, row in enumerate(rows):
        if row is not None:
            points = np.frombuffer(row, dtype=np.uint8).astype(bool)
            absent[index, : len(points)] = points[:size]
            absent[index, len(points) :] = points.all()
    return absent


def reach(session: Session, video_id: int, *, start: int, stop: int, most: int, revision: int | None = None) -> int:
    """The frame up to which a window may go that is to hold at most so many labels: at least one frame, ``stop`` at
    most.
    """
    place = Label.frame_index, Label.track_number
    query = select(Label.frame_index).where(Label.video_id == video_id, Label.frame_index.between(start, stop - 1))
    if revision is not None:
        query = query.where(Label.revision <= revision)
    beyond = session.scalar(query.group_by(*place).order_by(*place).offset(most).limit(1))
    return stop if beyond is None else max(int(beyond), start + 1)


@cache
def _statement(
    *, distinct_on: bool, until: bool, past: bool, some: bool, there: bool, limited: bool
) -> Select[int, int, bytes, int, bytes | None]:
    """The statement that reads labels; putting it together takes as long as reading one.

    Args:
        distinct_on: Whether the database has ``DISTINCT ON``. Postgres would compare each label with each where it does
            not know yet how many there are: right after an import.
        until: Whether a last frame is given.
        past: Whether a revision is.
        some: Whether tracks are.
        there: Whether frames are.
        limited: Whether there is a most.
    """
    place = Label.frame_index, Label.track_number
    columns = *place, Label.keypoints, Label.revision, Label.absent
    mine: list[ColumnElement[bool]] = [
        Label.video_id == bindparam("video_id"),
        Label.frame_index >= bindparam("start"),
    ]
    if until:
        mine.append(Label.frame_index < bindparam("stop"))
    if past:
        mine.append(Label.revision <= bindparam("revision"))
    if some:
        mine.append(Label.track_number.in_(bindparam("tracks", expanding=True)))
    if there:
        mine.append(Label.frame_index.in_(bindparam("frames", expanding=True)))
    room: BindParameter[int] | None = bindparam("room") if limited else None
    if distinct_on:
        newest = select(*columns).ext(postgresql.distinct_on(*place)).where(*mine)
        return newest.order_by(*place, Label.revision.desc()).limit(room)
    latest = select(*place, func.max(Label.revision).label("revision")).where(*mine).group_by(*place)
    # In the order of the primary key, so that no more is looked at.
    last = (latest.order_by(*place).limit(room) if limited else latest).subquery()
    same = [getattr(last.c, name) == getattr(Label, name) for name in ("frame_index", "track_number", "revision")]
    return select(*columns).join(last, and_(*same)).where(Label.video_id == bindparam("video_id")).order_by(*place)


def changed(
    session: Session,
    video_id: int,
    num_keypoints: int,
    *,
    since: int,
    until: int,
    tracks: list[int],
    start: int,
    stop: int,
) -> tuple[Labels, Labels]:
    """The labels about which something was said between two revisions, as they stood at either.

    Args:
        session: The transaction.
        video_id: Whose labels.
        num_keypoints: ``K`` of the skeleton to read them in.
        since: The earlier revision.
        until: The later one.
        tracks: Only these tracks.
        start: First frame.
        stop: Frame after the last.

    Returns:
        The same labels twice, in order of frame and track: those of which there was one at the earlier revision, and
        those that anything is absent of.
    """
    older = aliased(Label)
    existed = select(older.revision).where(
        older.video_id == video_id,
        older.frame_index == Label.frame_index,
        older.track_number == Label.track_number,
        older.revision <= since,
    )
    touched = (
        select(Label.frame_index, Label.track_number)
        .where(Label.video_id == video_id, Label.revision > since, Label.revision <= until)
        .where(Label.frame_index >= start, Label.frame_index < stop)
        .where(Label.track_number.in_(tracks), Label.absent.is_not(None) | existed.exists())
        .distinct()
        .subquery()
    )
    place = (Label.frame_index == touched.c.frame_index) & (Label.track_number == touched.c.track_number)
    rows = session.execute(
        select(Label.frame_index, Label.track_number, Label.keypoints, Label.revision, Label.absent)
        .join(touched, place)
        .where(Label.video_id == video_id, Label.revision <= until)
        .order_by(Label.frame_index, Label.track_number, Label.revision)
    ).all()
    now = {(row.frame_index, row.track_number): row for row in rows}
    then = {(row.frame_index, row.track_number): row for row in rows if row.revision <= since}
    was = [then.get(place, (*place, b"", 0, None)) for place in now]
    return _labels(was, num_keypoints), _labels([*now.values()], num_keypoints)


def lock(session: Session, video: Video) -> int:
    """The video's present revision; until the transaction ends nobody else can open the next one."""
    return int(session.execute(select(Video.revision).where(Video.id == video.id).with_for_update()).scalar_one())


def begin(session: Session, video: Video, kind: str, key_id: int | None) -> int:
    """Open the video's next revision.

    Raises:
        NotFound: It was deleted meanwhile.
    """
    revision = session.execute(
        update(Video)
        .where(Video.id == video.id, Video.deleted_at.is_(None))
        .values(revision=Video.revision + 1)
        .returning(Video.revision)
        .execution_options(synchronize_session=False)
    ).scalar_one_or_none()
    if revision is None:
        raise NotFound(f"there is no video {video.id}")
    session.execute(insert(LabelRevision).values(video_id=video.id, revision=revision, kind=kind, key_id=key_id))
    return int(revision)


def append(
    session: Session,
    video_id: int,
    revision: int,
    labels: Labels,
    said: np.ndarray,
    corrects: Mapping[int, int] | None = None,
) -> None:
    """Add what a revision says to the history.

    Args:
        session: The transaction.
        video_id: Whose labels.
        revision: From ``begin``.
        labels: What was said; its revisions are ignored.
        said: ``(L, K)`` bool: where something was said. Elsewhere each point stays as it was.
        corrects: Run that a label (by its position) corrects.
    """
    before, before_absent = np.zeros_like(labels.keypoints), np.zeros_like(labels.absent)
    if not said.all():  # else nothing stays as it was
        present = read_places(session, video_id, labels.keypoints.shape[1], labels.frames, labels.tracks)
        place = {key: index for index, key in enumerate(zip(present.frames, present.tracks, strict=True))}
        for index, key in enumerate(zip(labels.frames, labels.tracks, strict=True)):
            if key in place:
                before[index], before_absent[index] = present.keypoints[place[key]], present.absent[place[key]]
    after = np.where(said[..., None], labels.keypoints, before).astype(_POINT)
    absent = np.where(said, labels.absent, before_absent)
    after[(after[..., 2] == 0) | absent] = 0
    changed = said.astype(np.uint8)
    corrects = corrects or {}
    session.execute(
        insert(Label),
        [
            {
                "video_id": video_id,
                "frame_index": int(labels.frames[index]),
                "track_number": int(labels.tracks[index]),
                "revision": revision,
                "keypoints": after[index].tobytes(),
                "changed": changed[index].tobytes(),
                "absent": absent[index].astype(np.uint8).tobytes() if absent[index].any() else None,
                "corrects_run_id": corrects.get(index),
            }
            for index in range(len(labels))
        ],
    )
