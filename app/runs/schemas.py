"""Propagations as the API takes them and runs as it shows them."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    StrictBool,
    ValidationError,
    ValidatorFunctionWrapHandler,
    WrapValidator,
)
from pydantic_core import PydanticCustomError

from app.jobs.schemas import State
from app.runs.trust_schemas import EnginesOut
from app.trash.schemas import RestsOnDeleted

Engine = Literal["auto", "stdpose", "flow", "linear"]
Frame = Annotated[int, Field(ge=0, le=2**53)]
TrackId = Annotated[int, Field(ge=1, le=2**53)]
RunId = Annotated[int, Field(ge=1, le=2**53)]


def _one_sentence(value: Any, settle: ValidatorFunctionWrapHandler) -> Any:
    """One error in place of one for each thing that a value may be."""
    try:
        return settle(value)
    except ValidationError as error:
        raise PydanticCustomError("detector", "Input should be the id of a checkpoint, or 'none'") from error


Detector = Annotated[Annotated[int, Field(strict=True, ge=1, le=2**53)] | Literal["none"], WrapValidator(_one_sentence)]


class PropagationIn(BaseModel):
    """What to propagate.

    Args:
        engine: What propagates; ``auto`` takes ``stdpose`` in two stages where that is worth it: first as it is, then
            fitted to the video, see ``RunOut.other_stage``. Else it takes ``stdpose`` with ``adapt``, and ``flow``
            without.
        tracks: Only these tracks; all that have labels where left out.
        start: First frame.
        stop: Frame after the last.
        keyframes: Use only the labels on these frames; all where left out.
        adapt: Fit ``stdpose`` to the video's labels first: better, and a minute or so slower. All segments then depend
            on all labels. ``flow`` and ``linear`` refuse it. Left out, ``auto`` chooses.
        checkpoint_id: Weights to use; there are none but those of the package.
        detector: Checkpoint of an estimator whose poses are candidates of ``stdpose``, which ``auto`` then takes; the
            project's promoted checkpoint where left out and ``stdpose`` propagates, ``none`` to go without. It may be
            of another skeleton: what it has no keypoint for is left to the rest. ``flow`` and ``linear`` refuse it.
        corrects_run_id: The run that somebody saw and corrected, so that this is propagated anew. It changes nothing of
            what is computed.
    """

    model_config = ConfigDict(extra="forbid")

    engine: Engine = "auto"
    tracks: list[TrackId] | None = Field(default=None, min_length=1, max_length=10_000)
    start: Frame = 0
    stop: Frame | None = None
    keyframes: list[Frame] | None = Field(default=None, min_length=1, max_length=100_000)
    adapt: StrictBool | None = None
    checkpoint_id: None = None
    detector: Detector | None = None
    corrects_run_id: RunId | None = None


class StaleSpan(BaseModel):
    """Frames ``start <= frame < stop`` of a track on which a run's poses rest on labels that do not stand any more.

    ``keypoints``, counted from 0, are those that are stale; None where all are.
    """

    track_id: int
    start: int
    stop: int
    keypoints: list[int] | None


class OtherStage(BaseModel):
    """The run of the other stage of a propagation, and the job that fills it."""

    run_id: int
    job_id: int
    state: State


class RegimeOut(BaseModel):
    """What is known of an engine's error bars on a video in one kind of situation.

    ``regime``: ``between`` labels, ``outside`` them (after the last one or before the first), ``occluded``: between
    labels, where the point is hidden in the picture.
    ``state`` is what calibrated radii rest on: ``prior`` with fewer than two hidden ``keyframes`` of the video, or
    where nothing else is known; ``calibrated`` with eight or more and nine other ``videos`` of the project; else
    ``provisional``. ``shipped`` is how many rendered videos stand in for those that the project lacks, ``points`` how
    many there were on the hidden keyframes.
    ``coverage_as_given``: the share of these points that were within the engine's own ``radius90``, which is the one
    that runs keep, and that is read where the state is ``prior``; it ought to be 0.9. ``coverage_calibrated``: the same
    of radii that are calibrated by the other keyframes, as poses and exports have them elsewhere. Both are None with
    fewer than two hidden keyframes, the latter also where nothing can be calibrated.
    ``auroc`` is the probability that a point off by more than 5 % of the subject's size has a lower calibrated score
    than one that is not, ``calibration_error`` how far these scores are from the share of points that are within it.
    Both are None where there are not enough points to tell: eight keyframes and a hundred points.
    """

    regime: Literal["between", "outside", "occluded"]
    state: Literal["prior", "provisional", "calibrated"]
    keyframes: int
    points: int
    videos: int
    shipped: int
    coverage_as_given: float | None
    coverage_calibrated: float | None
    auroc: float | None
    calibration_error: float | None


class CalibrationOut(BaseModel):
    """How far an engine's error bars can be trusted on a video, by labels that were hidden from it.

    ``measured_run_id`` is the last run of this engine on the video that was measured; None where none was yet.
    ``learnt`` says why nothing can be hidden: the engine was ``fitted`` to the labels, or a ``checkpoint`` helped it
    that may have learnt from them. Nothing is known then, and every state is ``prior``.
    """

    engine: str
    measured_run_id: int | None
    learnt: Literal["fitted", "checkpoint"] | None
    regimes: list[RegimeOut]


class RunOut(BaseModel):
    """One propagation's output, or an estimator's: what made it, from which labels, and how far it is.

    ``checkpoint_id`` is the checkpoint whose estimator saw the poses, or helped the engine that propagated them; None
    where there was none. ``corrects_run_id`` is the run that somebody corrected, so that this one was propagated.
    ``cuts`` are the first frames of shots, as far as the video has been looked through; no pose is carried across one.
    ``computed`` says where and how: ``device``, ``precision`` and ``threads`` of the network and, if it was fitted to
    the video, ``fit``: how many ``steps`` of those ``planned`` there was time for, and the ``seconds`` it took. None
    for engines without a network.
    ``stage`` is 1 or 2 where the propagation has two: the first is there soon, the second is fitted to the video and
    takes its place once it is complete; ``other_stage`` is the other one's run. Where the second was cancelled or
    failed, the first stays.
    ``packed`` tells whether ``/runs/{id}/content`` can be downloaded. ``rests_on_deleted`` names what the checkpoint
    was made from that was deleted since. ``stale`` tells where the run rests on labels that
    were moved or taken back since: propagate again to have that computed from the labels as they are.
    ``calibration`` tells how far the engine's error bars can be trusted on this video. It is None where a list of runs
    is asked for, and for poses that no engine propagated. ``engines`` compares those that were measured on the video;
    it is None in a list too, and where fewer than two were measured on the same keyframes.
    """

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
    other_stage: OtherStage | None
    stale: list[StaleSpan]
    calibration: CalibrationOut | None
    engines: EnginesOut | None
    created_at: datetime
    rests_on_deleted: RestsOnDeleted | None
