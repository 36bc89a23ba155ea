"""Writing reviews down, and showing them."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np
from sqlalchemy import insert
from sqlalchemy.orm import Session

from app.errors import Conflict, NotFound, invalid
from app.labels import windows
from app.projects import service as projects
from app.reviews import standing
from app.reviews.outdated import outdated
from app.reviews.schemas import ReviewIn, ReviewOut
from app.reviews.standing import ACCEPT, UNDO, Segments
from app.runs import basis as bases
from app.runs import poses
from app.runs.basis import Basis
from app.runs.owners import owners, spans
from app.storage import Storage
from app.tables import Review, ReviewSpan, Video
from app.tracks import service as tracks
from app.videos.service import readable
from pose.damage import inside

#: Track, run, first frame and frame after the last.
Span = tuple[int, int, int, int]


@dataclass(frozen=True)
class Measured:
    """What a review that is asked for judges.

    Attributes:
        poses: Poses of which it judges points; None where there are too many to count.
        left_out: Poses of which it judges none.
        radius90: The largest radius of the points, in pixels; None where the machine does not say.
        spans: Where which run's poses are seen.
        basis: What radii were read by; None where they are as engines gave them.
    """

    poses: int | None
    left_out: int | None
    radius90: float | None
    spans: tuple[Span, ...]
    basis: Basis | None


def measure(session: Session, storage: Storage, video: Video, wanted: ReviewIn) -> Measured:
    """Look at what a review would judge, before anything is written.

    Raises:
        Conflict: The video cannot be read (yet), or there is nothing to judge.
        Invalid: A field is wrong, or there is too much to find the error bound of.
    """
    readable(video)
    chosen = _chosen(session, video, wanted)
    start, stop = wanted.start, wanted.stop
    shown = _seen(session, video, wanted, chosen)
    count = sum(last - first for _, _, first, last in shown)
    if not count:
        raise Conflict("no machine's poses are seen on these frames; there is nothing to review")
    basis = bases.present(session, storage, video) if wanted.verdict == ACCEPT else None
    if count > windows.MAX_POSES:
        if wanted.verdict == ACCEPT and wanted.max_radius90 is None:
            raise invalid(
                "/max_radius90",
                f"with {count} poses the largest radius is not looked for; say what is good enough, or accept fewer",
            )
        return Measured(None, None, wanted.max_radius90, shown, basis)
    size = projects.skeleton(session, video.project_id).size
    judged, left_out, widest = 0, 0, 0.0
    for track in windows.read(session, storage, video, size, start=start, stop=stop, layer="merged", basis=basis):
        if track.number not in chosen:
            continue
        mine = (track.poses.visibility > 0) & ~track.human & (track.runs > 0)[:, None]
        if wanted.run_id is not None:
            mine &= (track.runs <= wanted.run_id)[:, None]
        meant = mine if wanted.keypoints is None else mine & np.isin(np.arange(size), wanted.keypoints)
        if wanted.verdict == ACCEPT:
            meant = meant & ~track.stale & ~inside(video.damaged or (), track.poses.frames)[:, None]
            if wanted.max_radius90 is not None:
                meant &= track.poses.radius90 <= wanted.max_radius90
        judged += int(meant.any(axis=1).sum())
        left_out += int((track.runs > 0).sum()) - int(meant.any(axis=1).sum())
        widest = max(widest, float(track.poses.radius90[meant].max(initial=0)))
    if not judged:
        raise Conflict(
            f"nothing is left to {wanted.verdict} there: the poses are people's, rest on labels that do not stand any"
            " more, are on damaged frames, or are less sure than max_radius90"
        )
    return Measured(judged, left_out, wanted.max_radius90 or widest or None, shown, basis)


def add(session: Session, video: Video, wanted: ReviewIn, measured: Measured, *, key_id: int | None) -> Review:
    """Write a review of the poses that are seen now.

    Raises:
        Conflict: The video cannot be read (yet), or other poses are seen there by now than were measured.
        Invalid: A field is wrong.
    """
    session.refresh(video, with_for_update=True)  # two acts shall not have one number
    readable(video)
    chosen = _chosen(session, video, wanted)
    if not _still_seen(session, video, wanted, chosen, measured.spans):
        raise Conflict("other poses are seen on these frames since a moment ago; look at them and send this again")
    rows = [
        {"track_number": track, "run_id": run, "start": first, "stop": stop}
        for track, run, first, stop in measured.spans
    ]
    review = Review(
        video_id=video.id,
        number=standing.last(session, video.id) + 1,
        verdict=wanted.verdict,
        start=wanted.start,
        stop=wanted.stop,
        track_number=wanted.track_id,
        keypoints=sorted({*wanted.keypoints}) if wanted.keypoints is not None else None,
        max_radius90=wanted.max_radius90,
        radius90=measured.radius90 if wanted.verdict == ACCEPT else None,
        basis_sha256=bases.keep(session, video.id, measured.basis),
        label_revision=video.revision,
        key_id=key_id,
    )
    session.add(review)
    session.flush()
    session.execute(insert(ReviewSpan), [{"video_id": video.id, "number": review.number, **row} for row in rows])
    return review


def undo(session: Session, video: Video, number: int, *, key_id: int | None) -> Review:
    """Take a review back, by an act of its own, which can be undone too.

    Raises:
        NotFound: The video has no such review.
        Conflict: It is undone already.
    """
    session.refresh(video, with_for_update=True)
    act = session.get(Review, (video.id, number))
    if act is None:
        raise NotFound(f"this video has no review {number}")
    if number in standing.undone(session, video.id):
        raise Conflict(f"review {number} is undone already")
    review = Review(
        video_id=video.id,
        number=standing.last(session, video.id) + 1,
        verdict=UNDO,
        undoes=number,
        start=act.start,
        stop=act.stop,
        track_number=act.track_number,
        label_revision=video.revision,
        key_id=key_id,
    )
    session.add(review)
    session.flush()
    return review


def show(session: Session, video: Video, reviews: Sequence[Review]) -> list[ReviewOut]:
    """Reviews of a video as the API shows them."""
    gone = standing.undone(session, video.id)
    changed = outdated(session, video, [review.number for review in reviews])
    return [
        ReviewOut.model_validate(
            {
                "id": review.number,
                "verdict": review.verdict,
                "undoes": review.undoes,
                "undone": review.number in gone,
                "start": review.start,
                "stop": review.stop,
                "track_id": review.track_number,
                "keypoints": review.keypoints,
                "max_radius90": review.max_radius90,
                "radius90": review.radius90,
                "basis": review.basis_sha256,
                "outdated": changed.get(review.number, []),
                "key_id": review.key_id,
                "created_at": review.created_at,
            }
        )
        for review in reviews
    ]


def _seen(session: Session, video: Video, wanted: ReviewIn, chosen: Collection[int]) -> tuple[Span, ...]:
    """Whose poses are seen and judged."""
    runs = poses.visible_runs(session, video.id)
    found = owners(session, runs, start=wanted.start, stop=wanted.stop, tracks=chosen)
    return tuple(
        (track, *span) for track, owner in sorted(found.items()) for span in spans(_judged(wanted, owner), wanted.start)
    )


def _still_seen(
    session: Session, video: Video, wanted: ReviewIn, chosen: Collection[int], measured: Collection[Span]
) -> bool:
    """Whether the poses that were measured are the ones that are seen by now, be it those of another run."""
    runs = poses.visible_runs(session, video.id)
    found = owners(session, runs, start=wanted.start, stop=wanted.stop, tracks=chosen)
    segments = Segments(session, chosen, {*runs, *(run for _, run, *_ in measured)}, wanted.start, wanted.stop)
    for track, run, first, stop in measured:
        part = slice(first - wanted.start, stop - wanted.start)
        if track not in found:
            return False
        owner = found[track]
        if (owner[part] != run).any() and not (segments.same(track, run, owner) | (owner == run))[part].all():
            return False
    return True


def _judged(wanted: ReviewIn, owner: np.ndarray) -> np.ndarray:
    """``(F,)`` run of each frame whose poses are judged, else 0: not those of runs that nobody has looked at."""
    return owner if wanted.run_id is None else np.where(owner <= wanted.run_id, owner, 0)


def _chosen(session: Session, video: Video, wanted: ReviewIn) -> set[int]:
    """The tracks that are meant.

    Raises:
        Invalid: There are no such frames, track or keypoints.
    """
    assert video.num_frames is not None
    if wanted.stop > video.num_frames:
        raise invalid("/stop", f"the video has {video.num_frames} frames")
    if wanted.start >= wanted.stop:
        raise invalid("/start", f"no frame lies between start {wanted.start} and stop {wanted.stop}")
    if wanted.max_radius90 is not None and wanted.verdict != ACCEPT:
        raise invalid("/max_radius90", "only an acceptance states an error bound")
    size = projects.skeleton(session, video.project_id).size
    for index, k in enumerate(wanted.keypoints or []):
        if k >= size:
            raise invalid(f"/keypoints/{index}", f"the skeleton has the keypoints 0 to {size - 1}")
    numbers = tracks.numbers(session, video)
    if wanted.track_id is None:
        return numbers
    if wanted.track_id not in numbers:
        raise invalid("/track_id", f"the video has no track {wanted.track_id}")
    return {wanted.track_id}
