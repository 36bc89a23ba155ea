"""Average precision and recall by object keypoint similarity, as COCO defines them: computed by pycocotools itself.

Each subject on each frame is an instance, and a frame of a video is an image. Guesses are matched anew on every frame;
track ids play no part. The score of a guess is the mean of its known points' scores, and a point that it lacks is at
0, 0, as in a results file. Frames on which the truth has nobody do not count.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import redirect_stdout
from dataclasses import dataclass
from io import StringIO
from typing import Any

import numpy as np
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from pose import boxes
from pose.formats.coco_write import AREA_SHARE, MIN_PADDING, PADDING
from pose.track import Track


@dataclass(frozen=True)
class CocoAp:
    """The ten figures that COCO tabulates for keypoints, 0 to 1; NaN where no subject is of such a size.

    Attributes:
        ap: Average precision, mean over OKS thresholds .50, .55 to .95.
        ap50: At .50.
        ap75: At .75.
        ap_medium: ``ap`` of subjects of 32² to 96² square pixels.
        ap_large: ``ap`` of larger ones.
        ar: Average recall, mean over the same thresholds.
        ar50: At .50.
        ar75: At .75.
        ar_medium: ``ar`` of subjects of 32² to 96² square pixels.
        ar_large: ``ar`` of larger ones.
    """

    ap: float
    ap50: float
    ap75: float
    ap_medium: float
    ap_large: float
    ar: float
    ar50: float
    ar75: float
    ar_medium: float
    ar_large: float


def coco_ap(videos: Iterable[tuple[Mapping[int, Track], Mapping[int, Track]]], sigmas: np.ndarray) -> CocoAp:
    """Compare guesses with the truth.

    An object's area, which files of labels lack too, is that of ``pose.formats.coco_write``: a share of its padded box.

    Args:
        videos: For each video the truth and the guess, by track id.
        sigmas: ``(K,)`` falloffs, see ``Skeleton.oks_sigmas``.

    Raises:
        ValueError: A track has another number of keypoints than there are sigmas.
    """
    images: list[dict[str, Any]] = []
    truths: list[dict[str, Any]] = []
    guesses: list[dict[str, Any]] = []
    for truth, guess in videos:
        image_of: dict[int, int] = {}
        for track in truth.values():
            for frame in track.frames[track.visibility.any(axis=1)].tolist():
                if frame not in image_of:
                    image_of[frame] = len(images) + 1
                    images.append({"id": len(images) + 1})
        for track in truth.values():
            truths += _instances(track, image_of, len(truths), len(sigmas))
        for track in guess.values():
            guesses += _instances(track, image_of, len(guesses), len(sigmas))
    for row in guesses:
        # What pycocotools takes for the size of a result.
        row["area"] = row["bbox"][2] * row["bbox"][3]
    with redirect_stdout(StringIO()):
        evaluation = COCOeval(_index(images, truths), _index(images, guesses), "keypoints")
        evaluation.params.kpt_oks_sigmas = np.asarray(sigmas, dtype=np.float64)
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    return CocoAp(*(float(figure) if figure >= 0 else float("nan") for figure in evaluation.stats))


def _instances(track: Track, image_of: Mapping[int, int], before: int, count: int) -> list[dict[str, Any]]:
    """The subject on each frame that is an image, with ids from ``before + 1`` on."""
    if track.num_keypoints != count:
        raise ValueError(f"a track of {track.num_keypoints} keypoints does not go with {count} sigmas")
    known = track.visibility > 0
    box = boxes.around(track.xy, track.visibility, relative=PADDING, minimum=MIN_PADDING)
    points = np.concatenate([np.where(known[..., None], track.xy, 0), track.visibility[..., None]], axis=-1)
    rows = [row for row in np.flatnonzero(known.any(axis=1)).tolist() if int(track.frames[row]) in image_of]
    return [
        {
            "id": number,
            "image_id": image_of[int(track.frames[row])],
            "category_id": 1,
            "keypoints": points[row].ravel().tolist(),
            "num_keypoints": int(known[row].sum()),
            "bbox": box[row].tolist(),
            "area": AREA_SHARE * float(box[row, 2] * box[row, 3]),
            "iscrowd": 0,
            "score": float(track.score[row][known[row]].mean()),
        }
        for number, row in enumerate(rows, start=before + 1)
    ]


def _index(images: list[dict[str, Any]], annotations: list[dict[str, Any]]) -> COCO:
    coco = COCO()
    coco.dataset = {"images": images, "annotations": annotations, "categories": [{"id": 1, "name": "subject"}]}
    coco.createIndex()
    return coco
