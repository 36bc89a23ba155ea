"""What the service answers in JSON: each type is the schema of that name in the service's OpenAPI document."""

from __future__ import annotations

from typing import Any, Literal, TypedDict

State = Literal["queued", "running", "succeeded", "failed", "cancelled"]
Layer = Literal["human", "pseudo", "merged"]


class SkeletonSchema(TypedDict, total=False):
    """Named keypoints, with index pairs over them, counted from 0."""

    name: str
    keypoints: list[str]
    edges: list[tuple[int, int]]
    swap: list[tuple[int, int]]
    sigmas: list[float] | None
    retired: list[str]


class ProjectOut(TypedDict):
    """A project."""

    id: int
    name: str
    skeleton: SkeletonSchema
    skeleton_version: int
    created_at: str
    deleted_at: str | None
    restore_until: str | None


class VideoOut(TypedDict):
    """A video; ``status`` is ``ingesting``, ``ready``, ``degraded`` or ``rejected``."""

    id: int
    project_id: int
    filename: str
    slug: str
    status: Literal["ingesting", "ready", "degraded", "rejected"]
    reason: str | None
    num_frames: int | None
    width: int | None
    height: int | None
    fps: float | None
    duration: float | None
    damaged: list[tuple[int, int]]
    variable_rate: bool | None
    stream: dict[str, Any] | None
    sha256: str
    size: int
    revision: int
    share: dict[str, Any] | None
    ingest_job_id: int | None
    created_at: str
    deleted_at: str | None
    restore_until: str | None


class TrackOut(TypedDict):
    """A subject of a video."""

    id: int
    name: str
    deleted: bool
    created_at: str


class Written(TypedDict):
    """The revision that a write made, and how many labels it wrote."""

    revision: int
    written: int


class Imported(Written):
    """What an import wrote."""

    removed: int
    skipped: int
    skipped_kinds: dict[str, int]
    tracks: list[int]
    identities: dict[str, int]
    run_id: int | None
    run_poses: int
    frames: dict[str, Any]
    dry_run: bool
    warnings: list[str]


class JobOut(TypedDict):
    """A job; ``progress`` goes from 0 to 1."""

    id: int
    kind: str
    state: State
    progress: float
    stage: str
    remaining_seconds: float | None
    attempt: int
    project_id: int
    video_id: int | None
    error: str | None
    result: dict[str, Any] | None
    created_at: str
    started_at: str | None
    finished_at: str | None


class RunOut(TypedDict):
    """A machine's poses of a video, with what they were made from."""

    id: int
    video_id: int
    job_id: int
    state: State
    engine: str
    checkpoint_id: int | None
    checkpoint_sha256: str | None
    corrects_run_id: int | None
    label_revision: int
    skeleton_version: int
    code_version: str
    computed: dict[str, Any] | None
    tracks: list[int]
    start: int
    stop: int
    cuts: list[int]
    segments: int
    segments_done: int
    packed: bool
    hidden: bool
    stage: int | None
    other_stage: dict[str, Any] | None
    stale: list[dict[str, Any]]
    calibration: dict[str, Any] | None
    engines: dict[str, Any] | None
    created_at: str
    rests_on_deleted: dict[str, Any] | None


class ExportOut(TypedDict):
    """An export; ``manifest`` is there once it is done."""

    id: int
    project_id: int
    job_id: int
    state: State
    spec: dict[str, Any]
    snapshot: dict[str, Any]
    manifest: dict[str, Any] | None
    created_at: str
