"""COCO keypoint files, as pycocotools reads them: keyframes come in, labels and pseudo-labels go out.

Beyond COCO, images carry ``video_id`` and ``frame_index`` (from 0), annotations ``track_id`` (from 1), ``source``
(``human``, ``accepted`` or ``pseudo``), ``run_id``, ``keypoint_scores`` and ``keypoint_radius90``, and, where points of
one instance differ in source, ``keypoint_sources``. Categories carry the OKS ``sigmas`` and the mirrored pairs as
``swap``, by keypoint name, so that a skeleton is read back as it was written. A point that is not known is ``0,0,0``.
"""

from pose.formats.coco_check import Finding, check_coco
from pose.formats.coco_frames import MAX_PATTERN, Numbering, PatternError
from pose.formats.coco_instances import Instance, VideoInfo, instances
from pose.formats.coco_layout import MAX_COORDINATE, CocoError
from pose.formats.coco_read import AS_IS, CocoPoses, Reading, read_coco
from pose.formats.coco_write import Written, write_coco

__all__ = [
    "AS_IS",
    "MAX_COORDINATE",
    "MAX_PATTERN",
    "CocoError",
    "CocoPoses",
    "Finding",
    "Instance",
    "Numbering",
    "PatternError",
    "Reading",
    "VideoInfo",
    "Written",
    "check_coco",
    "instances",
    "read_coco",
    "write_coco",
]
