"""Windows: what STDPose is asked to fill, as arrays for one subject and as tensors for a batch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor


@dataclass(frozen=True, eq=False)
class Window:
    """Consecutive frames of one subject and each keypoint's own labels before and after them, in crop pixels.

    Attributes:
        times: ``(T,)`` frame indices.
        before: ``(K,)`` frame of the label before; it may lie outside the window.
        after: ``(K,)`` frame of the label after.
        has_before: ``(K,)`` whether there is one.
        has_after: ``(K,)`` whether there is one.
        begin: ``(K, 2)`` place of the label before; that of the label after where there is none before.
        end: ``(K, 2)`` place of the label after; that of the label before where there is none after.
    """

    times: np.ndarray
    before: np.ndarray
    after: np.ndarray
    has_before: np.ndarray
    has_after: np.ndarray
    begin: np.ndarray
    end: np.ndarray

    @property
    def valid(self) -> np.ndarray:
        """``(T, K)`` whether a frame lies between the keypoint's labels, or on the open side of its only one."""
        times = self.times[:, None]
        valid: np.ndarray = (
            (~self.has_before | (times >= self.before))
            & (~self.has_after | (times <= self.after))
            & (self.has_before | self.has_after)
        )
        return valid

    @property
    def anchored(self) -> np.ndarray:
        """``(T, K)`` whether the keypoint is labelled there."""
        times = self.times[:, None]
        anchored: np.ndarray = (self.has_before & (times == self.before)) | (self.has_after & (times == self.after))
        return anchored

    @property
    def elapsed(self) -> np.ndarray:
        """``(T, K)`` share of the way in time from the label before to the label after.

        Where a label is on one side only it approaches one half with the distance from it.
        """
        since, left = self._since(), self._left()
        closed = self.has_before & self.has_after
        share = since / np.maximum(since + left, 1)
        open_share = np.where(self.has_before, 0.5 * since / (since + 16), 1 - 0.5 * left / (left + 16))
        elapsed: np.ndarray = np.where(closed, share, open_share)
        return elapsed

    @property
    def steps(self) -> np.ndarray:
        """``(T, K, 2)`` frames since the label before and until the label after, 0 where there is none."""
        return np.stack([self._since() * self.has_before, self._left() * self.has_after], axis=-1)

    def interpolate(self) -> np.ndarray:
        """``(T, K, 2)`` linear interpolation between the labels, held outside them and where there is one."""
        since, left = self._since(), self._left()
        share = (since / np.maximum(since + left, 1))[..., None]
        places: np.ndarray = self.begin * (1 - share) + self.end * share
        return places

    def select(self, keypoints: np.ndarray) -> Window:
        """The same of some keypoints only, by index."""
        per_keypoint = ("before", "after", "has_before", "has_after", "begin", "end")
        return replace(self, **{name: getattr(self, name)[keypoints] for name in per_keypoint})

    def _since(self) -> np.ndarray:
        since: np.ndarray = np.maximum(self.times[:, None] - self.before, 0)
        return since

    def _left(self) -> np.ndarray:
        left: np.ndarray = np.maximum(self.after - self.times[:, None], 0)
        return left


@dataclass(frozen=True, eq=False)
class WindowBatch:
    """Windows as the network takes them.

    Attributes:
        rows: ``(B, T)`` position of each frame in the maps of descriptors.
        anchor_rows: ``(B, K, 2)`` the same of the frames of the labels before and after.
        anchor_xy: ``(B, K, 2, 2)`` crop pixels of the labels before and after.
        has: ``(B, K, 2)`` whether there is a label before, and after.
        valid: ``(B, T, K)`` see ``Window.valid``; false where padded.
        anchored: ``(B, T, K)`` see ``Window.anchored``.
        elapsed: ``(B, T, K)`` see ``Window.elapsed``.
        steps: ``(B, T, K, 2)`` see ``Window.steps``.
    """

    rows: Tensor
    anchor_rows: Tensor
    anchor_xy: Tensor
    has: Tensor
    valid: Tensor
    anchored: Tensor
    elapsed: Tensor
    steps: Tensor

    def first(self) -> WindowBatch:
        """The first window alone."""
        return WindowBatch(**{name: value[:1] for name, value in vars(self).items()})

    def repeated(self, count: int) -> WindowBatch:
        """A single window so many times."""
        return WindowBatch(**{name: value.expand(count, *value.shape[1:]) for name, value in vars(self).items()})

    def mirrored(self, width: int) -> WindowBatch:
        """The same windows of frames of this width seen in a mirror."""
        x, y = self.anchor_xy.unbind(-1)
        return replace(self, anchor_xy=torch.stack([width - 1 - x, y], dim=-1))

    def to(self, device: torch.device) -> WindowBatch:
        """The same on a device."""
        return WindowBatch(**{name: value.to(device) for name, value in vars(self).items()})


def stack(windows: Sequence[Window], frames: np.ndarray) -> WindowBatch:
    """Windows of one length and number of keypoints as a batch.

    Args:
        windows: ``B`` windows.
        frames: ``(N,)`` ascending frame indices of the maps of descriptors; they hold every frame of the windows and
            of their labels.
    """

    def tensor(parts: list[np.ndarray], dtype: torch.dtype) -> Tensor:
        return torch.from_numpy(np.stack(parts)).to(dtype)

    def rows(times: np.ndarray) -> np.ndarray:
        return np.minimum(np.searchsorted(frames, times), len(frames) - 1)

    def pair(window: Window, first: str, second: str) -> np.ndarray:
        return np.stack([getattr(window, first), getattr(window, second)], axis=1)

    return WindowBatch(
        rows=tensor([rows(window.times) for window in windows], torch.int64),
        anchor_rows=tensor([rows(pair(window, "before", "after")) for window in windows], torch.int64),
        anchor_xy=tensor([pair(window, "begin", "end") for window in windows], torch.float32),
        has=tensor([pair(window, "has_before", "has_after") for window in windows], torch.bool),
        valid=tensor([window.valid for window in windows], torch.bool),
        anchored=tensor([window.anchored for window in windows], torch.bool),
        elapsed=tensor([window.elapsed for window in windows], torch.float32),
        steps=tensor([window.steps for window in windows], torch.float32),
    )
