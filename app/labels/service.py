"""Writing and reading labels: human ones are revisions, a machine's are a layer below that never touches them."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from msgspec import UNSET
from sqlalchemy import select
from sqlalchemy.orm import Session

from app.errors import Conflict, FieldProblem, Invalid
from app.labels import history
from app.labels.history import Labels
from app.labels.precondition import check_fresh
from app.labels.schemas import LabelIn, Written
from app.projects import service as projects
from app.tables import Run, Video
from app.tracks import service as tracks
from app.videos.service import readable

#: Coordinates beyond this many pixels are a mistake, not a point outside the image.
MAX_COORDINATE = 100_000.0


def put(
    session: Session, video: Video, labels: Sequence[LabelIn], *, key_id: int | None, if_match: int | None
) -> Written:
    """Write labels, all or none.

    Args:
        session: The transaction.
        video: Whose labels.
        labels: What a person says of where points are, and which are absent. A point with v = 0 says nothing, so what
            was labelled before stays.
        key_id: Who says it.
        if_match: The revision the person saw; None to write whatever the present one is.

    Raises:
        Conflict: The video cannot be read (yet), or the skeleton was changed meanwhile.
        Invalid: A field is wrong, with a pointer to each.
        Stale: Somebody wrote since ``if_match``; carries both versions of the labels in question.
    """
    readable(video)
    parsed = _check(session, video, labels)
    written = _write(session, video, "put", parsed, labels, key_id=key_id, if_match=if_match)
    if parsed.keypoints.shape[1] != projects.skeleton(session, video.project_id).size:
        raise Conflict("the skeleton was changed meanwhile; look at it and send this again")
    return written


def delete(
    session: Session,
    video: Video,
    frame_index: int,
    track_number: int,
    keypoints: Sequence[int],
    *,
    key_id: int | None,
    if_match: int | None,
) -> Written:
    """Take a label, or some of its keypoints, back: a revision that says nothing is labelled there. The history stays.

    Raises:
        Invalid: There is no such keypoint.
        Stale: Somebody wrote since ``if_match``.
    """
    size = projects.skeleton(session, video.project_id).size
    _raise([("/keypoint", f"{k} of {size} keypoints, 0-based") for k in keypoints if not 0 <= k < size], "query")
    revision = history.lock(session, video)
    present = history.read(session, video.id, size, start=frame_index, stop=frame_index + 1, tracks=[track_number])
    check_fresh(session, video, present, revision, if_match)
    said = np.zeros(present.keypoints.shape[:2], dtype=bool)
    said[:, list(keypoints) or slice(None)] = True
    if not (present.said & said).any():
        return Written(revision=revision, written=0)
    revision = history.begin(session, video, "delete", key_id)
    gone = Labels(present.frames, present.tracks, np.zeros_like(present.keypoints), present.revisions)
    history.append(session, video.id, revision, gone, said)
    return Written(revision=revision, written=1)


def _write(
    session: Session,
    video: Video,
    kind: str,
    labels: Labels,
    asked: Sequence[LabelIn],
    *,
    key_id: int | None,
    if_match: int | None,
) -> Written:
    if if_match is not None:
        check_fresh(session, video, labels, history.lock(session, video), if_match)
    revision = history.begin(session, video, kind, key_id)
    corrects = {index: label.corrects_run_id for index, label in enumerate(asked) if label.corrects_run_id is not None}
    history.append(session, video.id, revision, labels, said=labels.said, corrects=corrects)
    return Written(revision=revision, written=len(labels))


def _check(session: Session, video: Video, labels: Sequence[LabelIn]) -> Labels:
    """Turn a request's labels into arrays, or say of each bad one what is wrong."""
    size = projects.skeleton(session, video.project_id).size
    numbers = tracks.numbers(session, video)
    assert video.num_frames is not None
    errors = []
    seen: dict[tuple[int, int], int] = {}
    for index, label in enumerate(labels):
        here = f"/labels/{index}"
        if label.frame_index >= video.num_frames:
            errors.append((f"{here}/frame_index", f"the video has the frames 0 to {video.num_frames - 1}"))
        if label.track_id not in numbers:
            errors.append((f"{here}/track_id", f"the video has no track {label.track_id}"))
        if label.keypoints is not UNSET and len(label.keypoints) != size:
            errors.append((f"{here}/keypoints", f"{len(label.keypoints)} keypoints; the skeleton has {size}"))
        first = seen.setdefault((label.frame_index, label.track_id), index)
        if first != index:
            errors.append((here, f"the same frame and track as /labels/{first}"))
    _raise(errors)
    nowhere: list[tuple[float, float, float]] = [(0.0, 0.0, 0.0)] * size
    _check_corrected(session, video, labels)
    parsed = Labels(
        frames=np.array([label.frame_index for label in labels], dtype=np.int64),
        tracks=np.array([label.track_id for label in labels], dtype=np.int64),
        keypoints=np.array(
            [nowhere if label.keypoints is UNSET else label.keypoints for label in labels], dtype=np.float64
        ).reshape(len(labels), size, 3),
        revisions=np.zeros(len(labels), dtype=np.int64),
        absent=_absent(labels, size),
    )
    _check_coordinates(parsed, lambda index, k: f"/labels/{index}/keypoints/{k}")
    v = parsed.keypoints[..., 2]
    odd = np.argwhere(~np.isin(v, (0, 1, 2)))
    _raise([(f"/labels/{i}/keypoints/{k}/2", f"visibility is 0, 1 or 2, not {v[i, k]:g}") for i, k in odd])
    _check_absent(parsed, labels)
    silent = ~parsed.said.any(axis=1)
    sentence = "no keypoint is labelled here, nor said to be absent"
    _raise([(f"/labels/{index}/keypoints", sentence) for index in np.flatnonzero(silent)])
    return parsed


def _absent(labels: Sequence[LabelIn], size: int) -> np.ndarray:
    """``(L, K)`` bool, which points the labels say are absent."""
    absent = np.zeros((len(labels), size), dtype=bool)
    for index, label in enumerate(labels):
        if isinstance(label.absent, bool):
            absent[index] = label.absent
            continue
        here = f"/labels/{index}/absent"
        _raise(
            [
                (f"{here}/{place}", f"there is no keypoint {k}; the skeleton has the keypoints 0 to {size - 1}")
                for place, k in enumerate(label.absent)
                if k >= size
            ]
        )
        absent[index, label.absent] = True
    return absent


def _check_absent(parsed: Labels, labels: Sequence[LabelIn]) -> None:
    """A point cannot be here and absent in one label."""
    errors = []
    for index, k in np.argwhere((parsed.keypoints[..., 2] > 0) & parsed.absent).tolist():
        said = labels[index].absent
        where = "" if isinstance(said, bool) else f"/{said.index(k)}"
        errors.append((f"/labels/{index}/absent{where}", f"keypoint {k} is said to be absent, and given a place"))
    _raise(errors)


def _check_corrected(session: Session, video: Video, labels: Sequence[LabelIn]) -> None:
    named = {label.corrects_run_id for label in labels} - {None}
    known = set(session.scalars(select(Run.id).where(Run.video_id == video.id, Run.id.in_(named)))) if named else set()
    _raise(
        [
            (f"/labels/{index}/corrects_run_id", f"the video has no run {label.corrects_run_id}")
            for index, label in enumerate(labels)
            if label.corrects_run_id is not None and label.corrects_run_id not in known
        ]
    )


def _check_coordinates(labels: Labels, pointer: Callable[[int, int], str]) -> None:
    xy = labels.keypoints[..., :2]
    bad = ~(np.abs(xy) <= MAX_COORDINATE).all(axis=-1) & (labels.keypoints[..., 2] > 0)
    detail = f"a coordinate is a finite number of pixels within ±{MAX_COORDINATE:.0f}"
    _raise([(pointer(index, k), detail) for index, k in np.argwhere(bad)])


def _raise(errors: Sequence[tuple[str, str]], location: str = "body") -> None:
    if errors:
        fields = [FieldProblem(pointer=pointer, detail=detail, location=location) for pointer, detail in errors[:20]]
        more = f", and {len(errors) - 1} more" if len(errors) > 1 else ""
        raise Invalid(f"{errors[0][0]}: {errors[0][1]}{more}", fields)
