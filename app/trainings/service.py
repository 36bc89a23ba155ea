"""Starting trainings: what is learnt from and what is held out is settled when one is asked for."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np
from sqlalchemy import select
from sqlalchemy.orm import Session

from app import snapshots
from app.checkpoints import service as checkpoints
from app.errors import Conflict, invalid
from app.jobs import ledger
from app.jobs.params import Snapshot, Starter, TrainerSettings, TrainingParams, TrainingResult
from app.keys.service import Caller
from app.labels import history
from app.labels.history import Labels
from app.labels.revision import Moved, check_revision
from app.labs import quotas
from app.projects import service as projects
from app.reviews import standing
from app.settings import GPU, Settings
from app.tables import Checkpoint, HeldOut, Job, Project, Video
from app.trainings import holdout
from app.trainings.holdout import TooFewLabels
from app.trainings.schemas import TrainingIn
from app.trainings.spans import Span, Spans
from pose.damage import inside
from pose.skeleton import Skeleton

TRAIN = "train"

_REMEDY = (
    'Label each on a few frames, or have the project do without: PATCH it with {"retired": [its name]}, or with a'
    " skeleton that ends before it"
)

#: Poses that a training learns from at least, see ``models.training.train.FEWEST_LABELS``.
FEWEST_LEARNT = 8


@dataclass(frozen=True, eq=False)
class LabelledVideos:
    """The labels of videos, in the project's skeleton without what is retired, as they stand at revisions."""

    skeleton_version: int
    revisions: dict[int, int]
    labels: dict[int, Labels]


def read(session: Session, project: Project, wanted: TrainingIn) -> LabelledVideos:
    """Read the labels that a training would be measured on and learn from.

    Raises:
        Invalid: A video is not the project's, or cannot be read.
    """
    videos = snapshots.videos_of(session, project, wanted.videos)
    whole = projects.skeleton(session, project.id, project.skeleton_version)
    return LabelledVideos(
        project.skeleton_version,
        {video.id: video.revision for video in videos},
        {one.id: _said(history.read(session, one.id, whole.size).pick(whole.points), one) for one in videos},
    )


def start(
    session: Session, settings: Settings, caller: Caller, project: Project, wanted: TrainingIn, labelled: LabelledVideos
) -> Job:
    """Queue a training on the labels and runs as they are now.

    Raises:
        Moved: There are other videos or labels than were read.
        Conflict: There are too few labels, or a keypoint is not labelled anywhere.
        Invalid: A field is wrong.
        TooMany: The lab has as many jobs waiting as it may.
        NoSpace: It keeps more than it may.
    """
    checkpoints.lock(session, project.id)  # two trainings shall not hold out different frames
    base = _base(session, project, wanted)
    preset = wanted.preset or (base.preset if base else "tiny")
    config = TrainerSettings(
        estimator=wanted.estimator or (base.estimator if base else "stdpose"),
        preset=preset,
        epochs=wanted.epochs,
        batch=wanted.batch,
        rate=wanted.rate,
        seed=wanted.seed,
        minutes=wanted.minutes,
        patience=wanted.patience,
        pretrained=_pretrained(wanted.backbone, preset, base),
    )
    videos = snapshots.videos_of(session, project, wanted.videos)
    whole = projects.skeleton(session, project.id, project.skeleton_version)
    skeleton, labels = whole.active(), labelled.labels
    if (project.skeleton_version, [video.id for video in videos]) != (labelled.skeleton_version, [*labels]):
        raise Moved
    for video in videos:
        check_revision(session, video, labelled.revisions[video.id])
    kept = _held_out(session, project)
    _check_keypoints(skeleton, labels.values(), f"labelled on no frame. {_REMEDY}")
    try:
        new = holdout.choose(labels, {video.id: video.num_frames or 0 for video in videos}, kept, wanted.seed)
    except TooFewLabels as error:
        raise Conflict(str(error)) from error
    held = Spans([*kept.all, *new])
    left = [found.select(~held.cover(video, found.frames)) for video, found in labels.items()]
    _check_keypoints(skeleton, left, "labelled on held-out frames only; label each on more frames first")
    snapshot = snapshots.take(session, project, videos, ended=True)
    _check_enough(session, sum(map(len, left)), wanted, snapshot)
    quotas.check_queue(session, settings, project.lab_id)
    quotas.check_storage(session, settings, project.lab_id)
    job = ledger.enqueue(
        session,
        project,
        TRAIN,
        TrainingParams(
            config=config,
            base_checkpoint_id=base.id if base else None,
            include=sorted({*wanted.include}),
            pseudo_weight=wanted.pseudo_weight,
            snapshot=snapshot,
            held_out=held.to_json(),
            by=Starter(key_id=caller.key_id, session_id=caller.session_id),
        ).to_row(),
        queue=GPU,
        max_attempts=settings.max_attempts,
        work=float(wanted.epochs * _poses(wanted.include, videos, left)),
    )
    session.add_all(HeldOut(video_id=one.video, start=one.start, stop=one.stop, job_id=job.id) for one in new)
    held_out = sum(len(found) for found in labels.values()) - sum(map(len, left))
    job.result = TrainingResult(labels={"human": sum(map(len, left)), "held_out": held_out}).to_row()
    session.flush()
    return job


def _base(session: Session, project: Project, wanted: TrainingIn) -> Checkpoint | None:
    if wanted.base_checkpoint_id is None:
        return None
    field = "/base_checkpoint_id"
    base = session.get(Checkpoint, wanted.base_checkpoint_id)
    if base is None or not projects.is_there(session, project.lab_id, base.project_id):
        raise invalid(field, f"there is no checkpoint {wanted.base_checkpoint_id}")
    if wanted.preset is not None and wanted.preset != base.preset:
        sentence = f"checkpoint {base.id} is of the preset {base.preset}; leave preset out to go on from it"
        raise invalid("/preset", sentence)
    if wanted.backbone is not None:
        raise invalid("/backbone", f"checkpoint {base.id} brings its own; leave backbone out to go on from it")
    version = project.skeleton_version
    theirs = projects.skeleton(session, base.project_id, base.skeleton_version).active().keypoints
    if theirs != projects.skeleton(session, project.id, version).active().keypoints:
        raise invalid(field, f"checkpoint {base.id} is of another skeleton: it knows {', '.join(theirs)}")
    return base


def _pretrained(backbone: str | None, preset: str, base: Checkpoint | None) -> str:
    """Where the backbone's weights come from, see ``models.estimators.presets.build``."""
    if backbone == "shipped" and preset != "tiny":
        sentence = f"the package has weights for the preset tiny alone; put a backbone {preset} on the workers"
        raise invalid("/backbone", sentence)
    return backbone or ("shipped" if base is not None or preset == "tiny" else preset)


def _held_out(session: Session, project: Project) -> Spans:
    query = select(HeldOut).join(Video, Video.id == HeldOut.video_id).where(Video.project_id == project.id)
    return Spans(Span(row.video_id, row.start, row.stop) for row in session.scalars(query))


def _said(labels: Labels, video: Video) -> Labels:
    """Without those that were taken back, and those on damaged frames, whose picture is another one's."""
    said: np.ndarray = np.any(labels.keypoints[..., 2] > 0, axis=1)
    return labels.select(said & ~inside(video.damaged or (), labels.frames))


def _check_keypoints(skeleton: Skeleton, labels: Collection[Labels], why: str) -> None:
    labelled = np.zeros(skeleton.size, dtype=bool)
    for found in labels:
        labelled |= (found.keypoints[..., 2] > 0).any(axis=0)
    if labelled.any() and not labelled.all():
        names = [name for name, known in zip(skeleton.keypoints, labelled, strict=True) if not known]
        raise Conflict(f"an estimator cannot learn what it is never shown: {', '.join(names)} {_is(names)} {why}")


def _check_enough(session: Session, human: int, wanted: TrainingIn, snapshot: Snapshot) -> None:
    """Where only people's labels are learnt from it is known how many there are."""
    last = {part.id: part.reviews for part in snapshot.videos}
    accepted = "accepted" in wanted.include and standing.any_accepts(session, last)
    if {*wanted.include} == {"accepted"} and not accepted:
        raise Conflict("no pose is accepted: review poses first, or include human or pseudo")
    human = human if "human" in wanted.include else 0
    pseudo = accepted or ("pseudo" in wanted.include and any(part.runs for part in snapshot.videos))
    if not pseudo and human < FEWEST_LEARNT:
        raise Conflict(
            f"{human} labelled poses are left to learn from beside those that are held out, and a training needs at"
            f" least {FEWEST_LEARNT}; label more frames, or propagate first and learn from that"
        )


def _is(names: Sequence[str]) -> str:
    return "is" if len(names) == 1 else "are"


def _poses(include: Collection[str], videos: Collection[Video], left: Collection[Labels]) -> int:
    """About how many poses are learnt from."""
    human = sum(map(len, left))
    return human if {*include} == {"human"} else max(human, sum(video.num_frames or 0 for video in videos))
