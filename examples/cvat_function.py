"""An auto-annotation function for CVAT: skeletons where Posetween has poses of a task's picture.

``cvat-cli task auto-annotate 12 --function-module examples.cvat_function -p project=str:mice``
"""

from __future__ import annotations

from collections.abc import Sequence

import cvat_sdk.auto_annotation as cvataa
import numpy as np
from cvat_sdk import models
from PIL.Image import Image

from examples.frame_poses import FramePoses, connected

_LABEL = 1


class PosetweenFunction:
    """Detects on a picture what Posetween's project has there.

    Args:
        poses: Where poses are.
    """

    def __init__(self, poses: FramePoses) -> None:
        self.poses = poses

    @property
    def spec(self) -> cvataa.DetectionFunctionSpec:
        """One skeleton, called as the project's; CVAT matches it and its points by name."""
        skeleton = self.poses.skeleton
        points = [cvataa.keypoint_spec(name, k) for k, name in enumerate(skeleton.keypoints, start=1)]
        return cvataa.DetectionFunctionSpec(
            labels=[cvataa.skeleton_label_spec(skeleton.name or "subject", _LABEL, points)]
        )

    def detect(self, context: cvataa.DetectionFunctionContext, image: Image) -> Sequence[models.LabeledShapeRequest]:
        """The skeletons on a picture; a point that is not known, or not sure enough, is ``outside``.

        Raises:
            ValueError: The picture is of another size than the video.
        """
        found = self.poses.of(context.frame_name)
        if found is None:
            return []
        video = found.videos[0]
        if image.size != (video.width, video.height):
            there, here = f"{video.width} x {video.height}", f"{image.size[0]} x {image.size[1]}"
            raise ValueError(f"{context.frame_name} has {here} pixels, and the video {video.name} {there}")
        sure = found.known & (found.score >= (context.conf_threshold or 0))
        return [
            self._shape(found.xy[row], found.visibility[row], sure[row]) for row in np.flatnonzero(sure.any(axis=1))
        ]

    def _shape(self, xy: np.ndarray, visibility: np.ndarray, sure: np.ndarray) -> models.LabeledShapeRequest:
        elements = [
            cvataa.keypoint(k, place, occluded=bool(seen == 1), outside=not there)
            for k, (place, seen, there) in enumerate(zip(xy.tolist(), visibility, sure.tolist(), strict=True), start=1)
        ]
        return cvataa.skeleton(_LABEL, elements)


def create(project: str) -> PosetweenFunction:
    """The function, for a project of the service that ``POSETWEEN_SERVER`` and ``POSETWEEN_KEY`` name.

    Raises:
        LookupError: There is no such project, or no key.
    """
    return PosetweenFunction(connected(project))
