"""Checkpoints: keeping what trainings made, and which one a project uses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from app import blobs
from app.checkpoints.schemas import CheckpointOut, Verdict
from app.errors import Conflict, NotFound
from app.json_numbers import finite
from app.projects import service as projects
from app.storage import Storage, Stored
from app.tables import Blob, Checkpoint, CheckpointFile, Project
from app.trash import dependants


def add(
    session: Session,
    storage: Storage,
    weights: Stored,
    files: Mapping[str, Stored],
    verdict: Verdict,
    **facts: Any,
) -> Checkpoint:
    """Write down a checkpoint whose files are in storage.

    Args:
        session: The transaction.
        storage: Where the files are.
        weights: The weights.
        files: What else the training left, by name, see ``schemas.FILES``.
        verdict: Of the promotion gate; whoever adds it promotes it.
        facts: The other columns of the row.

    Raises:
        Busy: A file was removed since it was put; put it again.
    """
    for stored in (weights, *files.values()):
        blobs.record(session, storage, stored)
    values = {name: finite(value) for name, value in facts.items()}
    checkpoint = Checkpoint(weights_sha256=weights.sha256, verdict=finite(verdict.model_dump()), **values)
    session.add(checkpoint)
    session.flush()
    session.add_all(
        CheckpointFile(checkpoint_id=checkpoint.id, name=name, sha256=stored.sha256) for name, stored in files.items()
    )
    session.flush()
    return checkpoint


def lock(session: Session, project_id: int) -> None:
    """Let nobody else promote a checkpoint of the project, or choose what is held out, until the transaction ends."""
    # Rows may refer to the project meanwhile.
    session.get_one(Project, project_id, with_for_update={"key_share": True}, populate_existing=True)


def current(session: Session, project_id: int) -> Checkpoint | None:
    """The project's promoted checkpoint."""
    query = select(Checkpoint).where(Checkpoint.project_id == project_id, Checkpoint.promoted)
    return session.scalars(query).one_or_none()


def promote(session: Session, checkpoint: Checkpoint) -> bool:
    """Make a checkpoint the one that its project uses; tells whether it was not."""
    lock(session, checkpoint.project_id)
    session.refresh(checkpoint)
    if checkpoint.promoted:
        return False
    session.execute(
        update(Checkpoint)
        .where(Checkpoint.project_id == checkpoint.project_id, Checkpoint.promoted)
        .values(promoted=False)
        .execution_options(synchronize_session="fetch")
    )
    checkpoint.promoted, checkpoint.promoted_at = True, datetime.now(UTC)
    session.flush()
    return True


def usable(session: Session, checkpoint: Checkpoint, project: Project) -> int:
    """The version of the project's skeleton that a checkpoint speaks of.

    Raises:
        Conflict: It was trained on another skeleton.
    """
    if checkpoint.project_id == project.id:
        return checkpoint.skeleton_version
    theirs = projects.skeleton(session, checkpoint.project_id, checkpoint.skeleton_version).active().keypoints
    ours = projects.skeleton(session, project.id, project.skeleton_version).active().keypoints
    if theirs != ours:
        raise Conflict(
            f"checkpoint {checkpoint.id} was trained on another skeleton: it knows {', '.join(theirs)}; this project"
            f" has {', '.join(ours)}"
        )
    return project.skeleton_version


def file(session: Session, checkpoint: Checkpoint, name: str) -> str:
    """Digest of a file that a training left beside the weights.

    Raises:
        NotFound: It left none of that name.
    """
    row = session.get(CheckpointFile, (checkpoint.id, name))
    if row is None:
        raise NotFound(f"checkpoint {checkpoint.id} has no {name}")
    return row.sha256


def show(session: Session, checkpoint: Checkpoint) -> CheckpointOut:
    """A checkpoint as the API shows it."""
    (shown,) = show_all(session, [checkpoint])
    return shown


def show_all(session: Session, checkpoints: Sequence[Checkpoint]) -> list[CheckpointOut]:
    """Checkpoints as the API shows them, with one question for each kind of thing that is known of all."""
    weights = select(Blob.sha256, Blob.size).where(Blob.sha256.in_([one.weights_sha256 for one in checkpoints]))
    sizes: dict[str, int] = {sha256: size for sha256, size in session.execute(weights)}  # noqa: C416
    files: dict[int, list[str]] = {one.id: [] for one in checkpoints}
    names = select(CheckpointFile.checkpoint_id, CheckpointFile.name).where(CheckpointFile.checkpoint_id.in_(files))
    for number, name in session.execute(names):
        files[number].append(name)
    deleted = dependants.deleted_under(session, checkpoints)
    shown = []
    for one in checkpoints:
        made = {
            "sha256": one.weights_sha256,
            "size": sizes[one.weights_sha256],
            "files": sorted(files[one.id]),
            "rests_on_deleted": deleted.get(one.id),
        }
        fields = {name: getattr(one, name) for name in CheckpointOut.model_fields if name not in made}
        shown.append(CheckpointOut.model_validate({**fields, **made}))
    return shown
