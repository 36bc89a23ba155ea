"""Labels as the API takes and shows them; read with msgspec, since a request can carry 20 000 of them."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Annotated, Any, Literal, TypeVar

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType
from pydantic import BaseModel, ConfigDict

from app.errors import FieldProblem, Invalid, Malformed, invalid
from pose.formats.not_json import non_finite

MAX_LABELS = 20_000

#: Most keypoints that a label names as absent.
MAX_POINTS = 4096

Keypoint = tuple[float, float, Annotated[float, Meta(ge=0, le=2, description="0, 1 or 2")]]
Layer = Literal["human", "pseudo", "merged"]
Source = Literal["human", "accepted", "pseudo"]
RadiusState = Literal["prior", "provisional", "calibrated"]

Body = TypeVar("Body")


class LabelIn(Struct, forbid_unknown_fields=True):
    """What a person says of one track on one frame.

    ``keypoints`` has an entry for each keypoint of the skeleton; v = 0 says nothing about that point here. ``absent``
    says what is not here: ``true`` the subject, or the keypoints of these numbers, counted from 0.
    """

    frame_index: Annotated[int, Meta(ge=0, le=2**53)]
    track_id: Annotated[int, Meta(ge=1, le=2**53)]
    keypoints: list[Keypoint] | UnsetType = UNSET
    absent: bool | Annotated[list[Annotated[int, Meta(ge=0, le=2**53)]], Meta(max_length=MAX_POINTS)] = False
    corrects_run_id: Annotated[int, Meta(ge=1, le=2**53)] | None = None


class LabelsIn(Struct, forbid_unknown_fields=True):
    """Labels to be written together or not at all."""

    labels: Annotated[list[LabelIn], Meta(min_length=1, max_length=MAX_LABELS)]


class LabelOut(Struct, omit_defaults=True):
    """A pose of one track on one frame.

    ``absent`` is there where a person said that something is not here: ``true`` for the subject, else the numbers of
    the keypoints, counted from 0. ``stale`` stands where a machine's points rest on labels that were moved or taken
    back since: ``stale_keypoints``, counted from 0. ``source`` is ``accepted`` where a person accepted all of a
    machine's points; ``keypoint_sources`` stands where they are of several sources. ``rejected`` stands where a person
    rejected ``rejected_keypoints``.
    ``radius90_state`` tells what a machine's radii and scores rest on: ``provisional`` or ``calibrated``, by
    ``radius90_keyframes`` labels of the video that were hidden from the engine; left out where they are as the engine
    gave them (``prior``). Where its points differ in that it is the least of them, and ``keypoint_radius90_states``
    tells of each.
    """

    frame_index: int
    track_id: int
    keypoints: list[tuple[float, float, int]]
    source: Source
    revision: int | None = None
    run_id: int | None = None
    score: float | None = None
    keypoint_scores: list[float] | None = None
    keypoint_radius90: list[float] | None = None
    radius90_state: RadiusState | None = None
    radius90_keyframes: int | None = None
    keypoint_radius90_states: list[RadiusState | None] | None = None
    keypoint_sources: list[Source | None] | None = None
    absent: Literal[True] | list[int] | None = None
    stale: bool = False
    stale_keypoints: list[int] | None = None
    rejected: bool = False
    rejected_keypoints: list[int] | None = None


class LabelsOut(Struct):
    """A window of frames: all labels from ``start`` up to ``stop``, which may come before the frame that was asked for.

    ``next_start`` is null where the window has all that was asked for. Else ask again with ``start`` of that value, the
    same ``stop``, and ``revision`` of this answer so that a write in between does not show in one part only. ``basis``
    names what radii were read by, see ``GET /videos/{id}/reviews``; it is left out where they are as engines gave them.
    """

    revision: int
    layer: Layer
    start: int
    stop: Annotated[int, Meta(description="The frame after the window's last")]
    next_start: Annotated[int | None, Meta(description="Where to go on; null where nothing is missing")]
    labels: list[LabelOut]
    basis: str | UnsetType = UNSET


class Written(BaseModel):
    """The revision a write made, and how many labels it wrote."""

    revision: int
    written: int


class Undone(Written):
    """The revision that an undo made, how many labels it put back, and how many it left to later revisions."""

    kept: int


class RevisionOut(BaseModel):
    """One act of labelling: ``put``, ``delete``, ``import`` or ``undo N``, by which key and when."""

    model_config = ConfigDict(from_attributes=True)

    revision: int
    kind: str
    key_id: int | None
    created_at: datetime


class NumberedImage(BaseModel):
    """An image of a file, and the frame that it was taken for."""

    file_name: str
    frame_index: int


class FrameNumbers(BaseModel):
    """How the images of a file were taken for frames.

    ``source`` is ``field`` for ``frame_index``, or ``file_name``; ``offset`` is the number that the video's first frame
    has in it. ``first`` are the first of ``images``.
    """

    source: Literal["field", "file_name"]
    pattern: str | None
    offset: int
    images: int
    first: list[NumberedImage]


class Imported(Written):
    """What an import wrote, and on which tracks.

    ``removed`` labels were taken back (``mode=replace``). ``skipped`` annotations were passed over: ``skipped_kinds``
    counts them by kind, and ``warnings`` say where the first of each stands. ``identities`` are the tracks of subjects
    that the file does not call by a ``track_id``. ``run_id`` is the run that ``run_poses`` of a machine are kept as.
    A dry run made no run and no revision: ``revision`` is the present one, and new tracks would have these numbers.
    """

    removed: int
    skipped: int
    skipped_kinds: dict[str, int]
    tracks: list[int]
    identities: dict[str, int]
    run_id: int | None
    run_poses: int
    frames: FrameNumbers
    dry_run: bool
    warnings: list[str]


def read_body(data: bytes, kind: type[Body]) -> Body:
    """Read a JSON body.

    Raises:
        Malformed: It is not JSON.
        Invalid: It is JSON of another shape; the pointer says where.
    """
    try:
        return msgspec.json.decode(data, type=kind)
    except msgspec.ValidationError as error:
        message, _, path = str(error).partition(" - at `$")
        raise invalid(_pointer(path.rstrip("`")), message) from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise _unreadable(data, error) from error


def schema(kind: type) -> dict[str, Any]:
    """The JSON schema of a msgspec type, for OpenAPI."""
    (definition,), parts = msgspec.json.schema_components([kind], ref_template="#/$defs/{name}")
    return dict(_inline(definition, parts))


def _inline(node: Any, parts: dict[str, Any]) -> Any:
    if isinstance(node, list):
        return [_inline(item, parts) for item in node]
    if not isinstance(node, dict):
        return node
    if "$ref" in node:
        return _inline(parts[node["$ref"].rpartition("/")[2]], parts)
    return {key: _inline(value, parts) for key, value in node.items()}


def _pointer(path: str) -> str:
    return "".join(f"/{index or name}" for index, name in re.findall(r"\[(\d+|\.\.\.)\]|\.([A-Za-z_]+)", path))


def _unreadable(data: bytes, error: Exception) -> Malformed | Invalid:
    found = next(non_finite(data), None)
    if found is None:
        return Malformed(f"the body is not JSON: {error}")
    detail = "a coordinate is a finite number"
    return Invalid(detail, [FieldProblem(pointer=found[0], detail=detail)])
