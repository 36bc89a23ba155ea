"""Starting estimates: a checkpoint's poses become a run of the video, as a propagation's do."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy.orm import Session

from app.checkpoints import service as checkpoints
from app.errors import Conflict, invalid
from app.estimates.schemas import EstimateIn
from app.jobs import lanes
from app.jobs.params import EstimateParams
from app.labels import history
from app.labels.revision import check_revision
from app.projects import service as projects
from app.runs import filling, packing, poses
from app.settings import Settings
from app.tables import Checkpoint, Job, Project, Run, TrackRow, Video
from app.tracks import service as tracks

ESTIMATE = "estimate"


@dataclass(frozen=True)
class Started:
    """The rows that starting an estimate made.

    Attributes:
        job: The job.
        track: A track that the video did not have.
    """

    job: Job
    track: TrackRow | None


@dataclass(frozen=True)
class Posed:
    """The tracks that have a label with a place at a revision."""

    revision: int
    tracks: set[int]


def read(session: Session, video: Video) -> Posed:
    """See which tracks people posed."""
    labels = history.read(session, video.id, projects.skeleton(session, video.project_id).size)
    return Posed(video.revision, {int(number) for number in labels.tracks[(labels.keypoints[..., 2] > 0).any(axis=1)]})


def start(session: Session, settings: Settings, video: Video, wanted: EstimateIn, posed: Posed) -> Started:
    """Queue an estimate of a video.

    Raises:
        Moved: It has other labels than were read.
        Conflict: The video cannot be read (yet), the project has no promoted checkpoint, or the checkpoint is of
            another skeleton.
        Invalid: A field is wrong, or there are several tracks of which one has no pose to look around.
        TooMany: The lab has as many jobs waiting as it may.
    """
    check_revision(session, video, posed.revision)
    stop = filling.check_frames(video, wanted.start, wanted.stop)
    project = session.get_one(Project, video.project_id)
    checkpoint = _checkpoint(session, project, wanted.checkpoint_id)
    version = checkpoints.usable(session, checkpoint, project)
    runs = poses.visible_runs(session, video.id, ended=True)
    numbers, around, made = _subjects(session, settings, video, runs, wanted, posed.tracks)
    params = EstimateParams(
        checkpoint_id=checkpoint.id,
        tracks=numbers,
        start=wanted.start,
        stop=stop,
        runs=runs,
        whole_frame=not around,
    )
    run = Run(
        video_id=video.id,
        engine=f"estimator {checkpoint.estimator}",
        checkpoint_sha256=checkpoint.weights_sha256,
        label_revision=posed.revision,
        skeleton_version=version,
    )
    job = filling.queue(session, settings, project, ESTIMATE, params, run, lanes.of_estimate)
    return Started(job, made)


def _checkpoint(session: Session, project: Project, number: int | None) -> Checkpoint:
    if number is None:
        checkpoint = checkpoints.current(session, project.id)
        if checkpoint is None:
            raise Conflict("the project has no promoted checkpoint; name one, or train an estimator first")
        return checkpoint
    checkpoint = session.get(Checkpoint, number)
    if checkpoint is None or not projects.is_there(session, project.lab_id, checkpoint.project_id):
        raise invalid("/checkpoint_id", f"there is no checkpoint {number}")
    return checkpoint


def _subjects(
    session: Session, settings: Settings, video: Video, runs: list[int], wanted: EstimateIn, labelled: set[int]
) -> tuple[list[int], bool, TrackRow | None]:
    """The tracks, whether they have poses to look around, and a track that was made for lack of any."""
    known = [track.number for track in tracks.of_video(session, video)]
    for index, number in enumerate(wanted.tracks or []):
        if number not in known:
            raise invalid(f"/tracks/{index}", f"the video has no track {number}")
    posed = labelled | {number for extent in packing.extents(session, runs).values() for number in extent.tracks}
    asked = sorted({*wanted.tracks}) if wanted.tracks else sorted(posed) or known
    if len(asked) == 1 and asked[0] not in posed:
        return asked, False, None
    if not asked:
        made = tracks.create(session, settings, video, "subject")
        return [made.number], False, made
    for number in asked:
        if number not in posed:
            field = f"/tracks/{wanted.tracks.index(number)}" if wanted.tracks else "/tracks"
            sentence = f"track {number} has no pose to look around; label one of its frames, or ask for one track alone"
            raise invalid(field, sentence)
    return asked, True, None
