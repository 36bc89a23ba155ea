"""``If-Match``: a write that somebody made in ignorance of another one is refused, with both versions."""

from __future__ import annotations

import re
from typing import Annotated, Any

from fastapi import Depends, Header
from sqlalchemy.orm import Session

from app.errors import FieldProblem, Stale, invalid
from app.labels import history
from app.labels.absences import absences
from app.labels.history import Labels
from app.tables import Video

_TAG = re.compile(r"([0-9]{1,15})(?:-[0-9a-f]{8})?")


def tag(revision: int, basis_sha256: str | None) -> str:
    """The ``ETag`` of what is read of a video: the labels' revision, for ``If-Match``, and what radii were read by."""
    return f'"{revision}"' if basis_sha256 is None else f'"{revision}-{basis_sha256[:8]}"'


async def _if_match(if_match: Annotated[str | None, Header(max_length=100)] = None) -> int | None:
    if if_match is None or if_match.strip() == "*":
        return None
    found = _TAG.fullmatch(if_match.strip().strip('"'))
    if found is None:
        raise invalid("/if-match", "expected a revision number", "header")
    return int(found[1])


IfMatch = Annotated[int | None, Depends(_if_match)]


def check_fresh(session: Session, video: Video, yours: Labels | None, present: int, if_match: int | None) -> None:
    """Refuse a write made in ignorance of another one.

    Args:
        session: The transaction; it holds the lock on the video's labels.
        video: Whose labels.
        yours: What would be written; None where no label would be.
        present: The revision that the labels are at.
        if_match: The revision that the writer saw; None where any will do.

    Raises:
        Stale: Somebody wrote since ``if_match``; carries both versions of the labels in question.
    """
    if if_match is None or if_match == present:
        return
    conflicts = _conflicts(session, video, yours, if_match) if yours else []
    raise Stale(
        f"the labels are at revision {present}, not {if_match}: somebody was faster",
        [FieldProblem(pointer="/if-match", detail=f"the present revision is {present}", location="header")],
        revision=present,
        conflicts=conflicts,
    )


def _conflicts(session: Session, video: Video, yours: Labels, if_match: int) -> list[dict[str, Any]]:
    """Both versions of each label that changed since ``if_match``."""
    theirs = history.read_places(session, video.id, yours.keypoints.shape[1], yours.frames, yours.tracks)
    place = {key: index for index, key in enumerate(zip(theirs.frames, theirs.tracks, strict=True))}
    conflicts = []
    for index, key in enumerate(zip(yours.frames, yours.tracks, strict=True)):
        other = place.get(key)
        if other is not None and theirs.revisions[other] > if_match:
            conflicts.append(
                {
                    "frame_index": int(key[0]),
                    "track_id": int(key[1]),
                    "yours": yours.keypoints[index].tolist(),
                    "theirs": theirs.keypoints[other].tolist(),
                    **absences(yours=yours.absent[index], theirs=theirs.absent[other]),
                    "revision": int(theirs.revisions[other]),
                }
            )
    return conflicts
