"""The tables. Human labels are append-only; a machine's poses are arrays in storage that rows only point at."""

from app.tables.accounts import ApiKey, AuditEntry, BrowserSession, Idempotency, Lab, SignIn
from app.tables.checkpoints import Checkpoint, CheckpointFile, HeldOut
from app.tables.declaring import BigId, Table, UtcDateTime
from app.tables.erasures import BackupCopy, Discard, Erasure
from app.tables.jobs import Duty, Job, JobLine, JobSegment
from app.tables.labels import Label, LabelRevision, TrackRevision, TrackRow
from app.tables.numbers import use_autoincrement
from app.tables.projects import Blob, Project, SkeletonVersion, Upload, Video
from app.tables.reviews import Review, ReviewSpan
from app.tables.runs import Basis, Export, ExportVideo, Measurement, Run, RunSlab
from app.tables.shares import VideoShare

__all__ = [
    "ApiKey",
    "AuditEntry",
    "BackupCopy",
    "Basis",
    "BigId",
    "Blob",
    "BrowserSession",
    "Checkpoint",
    "CheckpointFile",
    "Discard",
    "Duty",
    "Erasure",
    "Export",
    "ExportVideo",
    "HeldOut",
    "Idempotency",
    "Job",
    "JobLine",
    "JobSegment",
    "Lab",
    "Label",
    "LabelRevision",
    "Measurement",
    "Project",
    "Review",
    "ReviewSpan",
    "Run",
    "RunSlab",
    "SignIn",
    "SkeletonVersion",
    "Table",
    "TrackRevision",
    "TrackRow",
    "Upload",
    "UtcDateTime",
    "Video",
    "VideoShare",
]

use_autoincrement(Table.metadata)
