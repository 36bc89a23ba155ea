"""Mean average precision of joints as PoseTrack defines it, by the rules of its evaluation code, poseval.

A predicted joint is correct when it is at most half the true person's head size away: PCKh 0.5 (Andriluka et al., *2D
human pose estimation*, CVPR 2014). On each frame people are matched first, by the share of a true person's joints that
a prediction gets right: each prediction keeps the true person it fits best, each true person the best of the
predictions that kept it. Joints of a prediction without a match are wrong, and so are those that the truth lacks. The
joints of all frames together, in order of their scores, give one average precision per joint (Pishchulin et al.,
*DeepCut*, CVPR 2016).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from pose import boxes
from pose.track import Track

#: Largest distance of a correct joint, in head sizes.
THRESHOLD = 0.5

#: PoseTrack's head size as a share of the diagonal of the head box.
HEAD_SHARE = 0.6

#: Head size as a share of the diagonal of the keypoints' box, where there are no head boxes, see ``stand_in``.
STAND_IN_SHARE = 0.1

#: Columns of PoseTrack's tables, and the keypoints that belong to them, without ``left_`` and ``right_``. Names beyond
#: those of PoseTrack's 15 joints are what other skeletons of people call the same places.
GROUPS: Mapping[str, frozenset[str]] = MappingProxyType(
    {
        "Head": frozenset({"nose", "head_bottom", "head_top", "head", "neck", "face", "eye", "ear"}),
        "Shou": frozenset({"shoulder"}),
        "Elb": frozenset({"elbow"}),
        "Wri": frozenset({"wrist"}),
        "Hip": frozenset({"hip"}),
        "Knee": frozenset({"knee"}),
        "Ankl": frozenset({"ankle"}),
    }
)

_NO_REGIONS: Mapping[int, Sequence[np.ndarray]] = MappingProxyType({})


def head_sizes(head_boxes: np.ndarray) -> np.ndarray:
    """``(...)`` PoseTrack's head sizes, in pixels, of head boxes ``(..., 4)`` x, y, width, height."""
    sizes: np.ndarray = HEAD_SHARE * np.linalg.norm(np.asarray(head_boxes)[..., 2:], axis=-1)
    return sizes


def stand_in(track: Track) -> np.ndarray:
    """Head sizes of a subject without head boxes: a tenth of its median box diagonal, at least 1.

    A head is .13 of a body's height high (Drillis and Contini, *Body segment parameters*, 1966) and some .1 wide, so
    PoseTrack's head size, 0.6 diagonals of the head's box, is .1 of the height. A point is then correct within 5 % of
    the diagonal. Figures made with it compare with each other, not with PoseTrack's.

    Returns:
        ``(F,)`` pixels, the same on each frame.
    """
    diagonal = np.linalg.norm(boxes.around(track.xy, track.visibility)[:, 2:], axis=-1)
    size = STAND_IN_SHARE * float(np.median(diagonal)) if len(diagonal) else 0.0
    return np.full(len(track), max(1.0, size))


@dataclass(frozen=True, eq=False)
class Detections:
    """Predicted joints, judged.

    Attributes:
        joint: ``(N,)`` which of the ``K`` joints each is.
        score: ``(N,)`` its score.
        correct: ``(N,)`` whether it is right.
        positives: ``(K,)`` how many true joints there were to find.
    """

    joint: np.ndarray
    score: np.ndarray
    correct: np.ndarray
    positives: np.ndarray


@dataclass(frozen=True)
class MeanAp:
    """Average precision in a few figures, 0 to 1.

    Attributes:
        groups: Mean over the joints of each group; NaN for a group of which the truth has no joint.
        mean: Mean over all joints that the truth has: joints, not groups, count alike.
    """

    groups: Mapping[str, float]
    mean: float


@dataclass(frozen=True)
class JointRow:
    """The figures of one joint.

    Attributes:
        joint: Its name.
        positives: How many true ones there were.
        ap: Average precision, see ``average_precision``; NaN for a joint the truth never has.
        precision: Share of the predicted ones that are right, whatever their score; NaN where none was predicted.
        recall: Share of the true ones that were found; NaN for a joint the truth never has.
    """

    joint: str
    positives: int
    ap: float
    precision: float
    recall: float


def judge(
    truth: Mapping[int, Track],
    guess: Mapping[int, Track],
    head_size: Mapping[int, np.ndarray],
    *,
    frames: np.ndarray | None = None,
    ignored: Mapping[int, Sequence[np.ndarray]] = _NO_REGIONS,
) -> Detections:
    """Judge the predictions for one video; frames on which nobody is labelled are left out.

    Track ids play no part: who is who is settled on each frame anew.

    Args:
        truth: Labels by track id, not empty.
        guess: Poses by track id, of the same skeleton.
        head_size: ``(F,)`` pixels on the frames of the true track of the same id.
        frames: The only frames to judge, where not all labelled ones.
        ignored: ``(P, 2)`` corners of regions, by frame: joints in them count for nothing, true or predicted.

    Raises:
        ValueError: A labelled person has no head size.
    """
    judged = np.unique(np.concatenate([track.frames[track.visibility.any(axis=1)] for track in truth.values()]))
    judged = judged if frames is None else np.intersect1d(judged, frames)
    true_xy, true_known, _ = _aligned(truth, judged)
    xy, known, score = _aligned(guess, judged) if guess else (true_xy[:, :0], true_known[:, :0], true_known[:, :0])
    size = np.zeros(true_known.shape[:2])
    for person, (track_id, track) in enumerate(truth.items()):
        here = np.isin(track.frames, judged)
        size[np.searchsorted(judged, track.frames[here]), person] = head_size[track_id][here]
    if not (size[true_known.any(axis=-1)] > 0).all():
        raise ValueError("a labelled person has no head size")
    for row in np.flatnonzero(np.isin(judged, list(ignored))):
        for region in ignored[int(judged[row])]:
            true_known[row] &= ~inside(true_xy[row], region)
            known[row] &= ~inside(xy[row], region)
    correct = _correct(true_xy, true_known, size, xy, known)
    return Detections(
        joint=np.nonzero(known)[2],
        score=score[known].astype(np.float64),
        correct=correct[known],
        positives=true_known.sum(axis=(0, 1)),
    )


def join(parts: Sequence[Detections]) -> Detections:
    """The detections of several videos as one."""
    return Detections(
        joint=np.concatenate([part.joint for part in parts]),
        score=np.concatenate([part.score for part in parts]),
        correct=np.concatenate([part.correct for part in parts]),
        positives=np.sum([part.positives for part in parts], axis=0),
    )


def average_precision(detections: Detections) -> np.ndarray:
    """Area under the precision-recall curve of each joint, ``(K,)`` in 0 to 1; NaN for a joint the truth never has.

    Precision is made to fall with recall, as in PASCAL VOC from 2010 on. Joints of equal score come in the order they
    have; poseval leaves their order to chance.
    """
    areas = np.full(len(detections.positives), np.nan)
    for joint in np.flatnonzero(detections.positives):
        mine = detections.joint == joint
        order = np.argsort(-detections.score[mine], kind="stable")
        found = np.cumsum(detections.correct[mine][order])
        precision = found / np.arange(1, len(found) + 1)
        envelope = np.maximum.accumulate(precision[::-1])[::-1]
        areas[joint] = (np.diff(found, prepend=0) * envelope).sum() / detections.positives[joint]
    return areas


def mean_ap(detections: Detections, keypoints: Sequence[str]) -> MeanAp:
    """Average precision by group and over all joints, as PoseTrack tabulates it.

    Args:
        detections: Of one or many videos.
        keypoints: ``K`` names of the joints; see ``group_of``.
    """
    areas = average_precision(detections)
    members: dict[str, list[int]] = {name: [] for name in GROUPS}
    for joint, name in enumerate(keypoints):
        members.setdefault(group_of(name), []).append(joint)
    return MeanAp({name: _mean(areas[joints]) for name, joints in members.items() if joints}, _mean(areas))


def joint_rows(detections: Detections, keypoints: Sequence[str]) -> tuple[JointRow, ...]:
    """Average precision, precision and recall of each joint, as poseval writes them down.

    Args:
        detections: Of one or many videos.
        keypoints: ``K`` names of the joints.
    """
    areas = average_precision(detections)
    predicted = np.bincount(detections.joint, minlength=len(keypoints))
    found = np.bincount(detections.joint[detections.correct], minlength=len(keypoints))
    nan = float("nan")
    return tuple(
        JointRow(
            joint=name,
            positives=int(positives),
            ap=float(area),
            precision=float(right / given) if given else nan,
            recall=float(right / positives) if positives else nan,
        )
        for name, positives, area, given, right in zip(
            keypoints, detections.positives, areas, predicted, found, strict=True
        )
    )


def group_of(keypoint: str) -> str:
    """The column of a keypoint: PoseTrack's for a part of a person that it has, else the keypoint's own name."""
    bare = keypoint.removeprefix("left_").removeprefix("right_")
    return next((group for group, names in GROUPS.items() if bare in names), bare)


def inside(xy: np.ndarray, polygon: np.ndarray) -> np.ndarray:
    """Return whether each point of ``(..., 2)`` lies in the polygon of corners ``(P, 2)``.

    It does when a ray to its right crosses an odd number of sides.
    """
    from_corner = np.asarray(xy, dtype=np.float64)[..., None, :] - polygon  # (..., P, 2)
    side = np.roll(polygon, -1, axis=0) - polygon
    level = (from_corner[..., 1] < 0) != (from_corner[..., 1] < side[:, 1])
    turn = from_corner[..., 0] * side[:, 1] - from_corner[..., 1] * side[:, 0]
    crossings = level & (turn * np.sign(side[:, 1]) < 0)
    odd: np.ndarray = crossings.sum(axis=-1) % 2 == 1
    return odd


def _aligned(tracks: Mapping[int, Track], frames: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Places ``(F, P, K, 2)``, whether they are known and their scores ``(F, P, K)``, of people on some frames."""
    count = next(iter(tracks.values())).num_keypoints
    shape = (len(frames), len(tracks), count)
    xy, known, score = np.zeros((*shape, 2)), np.zeros(shape, dtype=bool), np.zeros(shape)
    for person, track in enumerate(tracks.values()):
        here = np.isin(track.frames, frames)
        row = np.searchsorted(frames, track.frames[here])
        xy[row, person], known[row, person] = track.xy[here], track.visibility[here] > 0
        score[row, person] = track.score[here]
    return xy, known, score


def _correct(
    true_xy: np.ndarray, true_known: np.ndarray, size: np.ndarray, xy: np.ndarray, known: np.ndarray
) -> np.ndarray:
    """``(F, P, K)`` which predicted joints are right, people matched."""
    distance = np.linalg.norm(xy[:, :, None] - true_xy[:, None], axis=-1)  # (F, P, G, K)
    near = (distance <= THRESHOLD * size[:, None, :, None]) & known[:, :, None] & true_known[:, None]
    share = near.sum(axis=-1) / np.maximum(true_known.sum(axis=-1), 1)[:, None]  # (F, P, G)
    if not share.size:
        return np.zeros(known.shape, dtype=bool)
    kept = np.arange(share.shape[2]) == share.argmax(axis=2)[..., None]
    share = np.where(kept, share, 0)
    matched = (np.arange(share.shape[1])[:, None] == share.argmax(axis=1)[:, None]) & (share > 0)
    correct: np.ndarray = (near & matched[..., None]).any(axis=2)
    return correct


def _mean(areas: np.ndarray) -> float:
    some = areas[~np.isnan(areas)]
    return float(some.mean()) if len(some) else float("nan")
