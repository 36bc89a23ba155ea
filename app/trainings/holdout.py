"""Choosing the frames that an estimator is measured on and never learns from.

What was held out once stays so: a training adds to it where there is too little, and takes nothing away. Otherwise a
checkpoint would be measured, as the one to beat, on frames that it has learnt from.

The promotion gate needs frames in several stretches of time, so a little more is held out where a fifth has too few.

Where five videos or more have labels, whole videos are held out first; of them nothing is learnt, however it came
about. Else it is blocks of time: tenths of a video's labelled frames, each of frames that follow each other. Of a block
everything is held out from the label before it to the label after it, since the frames in between look like its own.
Single frames are never drawn: the ones beside them are nearly the same.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

import numpy as np

from app.labels.history import Labels
from app.trainings.spans import Span, Spans

#: Share of the labelled poses that is held out, and the share that may be where the gate needs so many.
SHARE, MOST = 0.2, 0.4

#: Poses that are held out at least, and that are left to learn from at least.
FEWEST_HELD_OUT, FEWEST_LEARNT = 2, 3

#: What the gate can tell a difference by: so many poses in so many stretches of so many frames each, see
#: ``models.evaluation.promotion``.
GATE_POSES, GATE_STRETCHES, STRETCH = 10, 6, 15

_FEWEST_VIDEOS = 5
_BLOCKS = 10  # of a video


class TooFewLabels(ValueError):
    """There is not enough to learn from and to measure on; the text is for people."""


def choose(labels: Mapping[int, Labels], lengths: Mapping[int, int], kept: Spans, seed: int) -> list[Span]:
    """Choose what is held out beside what already is.

    Args:
        labels: Human labels by video.
        lengths: Frames of each video.
        kept: What is held out already, of these videos and others.
        seed: The same labels and seed give the same choice.

    Returns:
        The new spans, none where enough is held out.

    Raises:
        TooFewLabels: With what would be held out, too little would be left to learn from.
    """
    known = {video: _Counted(found, kept, video) for video, found in labels.items()}
    known = {video: counted for video, counted in known.items() if len(counted.frames)}
    poses = sum(len(counted.frames) for counted in known.values())
    if poses < FEWEST_HELD_OUT + FEWEST_LEARNT:
        raise TooFewLabels(
            f"a training needs {FEWEST_HELD_OUT + FEWEST_LEARNT} labelled poses, {FEWEST_HELD_OUT} of them to measure"
            f" on; there {'is' if poses == 1 else 'are'} {poses}"
        )
    wanted = max(FEWEST_HELD_OUT, round(SHARE * poses))
    judgeable = int(MOST * poses) >= GATE_POSES
    target = max(wanted, GATE_POSES) if judgeable else wanted
    most = max(wanted, int(MOST * poses)) if judgeable else poses // 2
    held = sum(int(counted.held.sum()) for counted in known.values())
    left = np.sum([counted.points[~counted.held].sum(axis=0) for counted in known.values()], axis=0)
    chosen: list[Span] = []
    for span in _candidates(known, lengths, kept, seed):
        if held >= target and not (judgeable and _stretches(known) < GATE_STRETCHES):
            break
        counted = known[span.video]
        more = Spans([span]).cover(span.video, counted.frames) & ~counted.held
        gained, points = int(more.sum()), counted.points[more].sum(axis=0)
        bearable = held + gained <= most and poses - held - gained >= FEWEST_LEARNT
        if gained and bearable and ((left == 0) | (left > points)).all():
            chosen.append(span)
            counted.held |= more
            held, left = held + gained, left - points
    if held < FEWEST_HELD_OUT or poses - held < FEWEST_LEARNT:
        raise TooFewLabels(
            f"of {poses} labelled poses {held} can be held out to measure on, and a training needs {FEWEST_HELD_OUT} of"
            f" them and {FEWEST_LEARNT} to learn from; label more frames, some way from each other"
        )
    return chosen


class _Counted:
    """The labelled poses of a video.

    Attributes:
        frames: ``(L,)`` their frames, ascending, one entry for each pose.
        points: ``(L, K)`` bool, which keypoints are labelled.
        held: ``(L,)`` bool, which poses are held out.
    """

    def __init__(self, labels: Labels, kept: Spans, video: int) -> None:
        points = labels.keypoints[..., 2] > 0
        some = points.any(axis=1)
        self.frames = labels.frames[some]
        self.points = points[some]
        self.held = kept.cover(video, self.frames)


def _stretches(known: Mapping[int, _Counted]) -> int:
    """In how many stretches of time the poses are that are held out."""
    return sum(len(np.unique(counted.frames[counted.held] // STRETCH)) for counted in known.values())


def _candidates(known: Mapping[int, _Counted], lengths: Mapping[int, int], kept: Spans, seed: int) -> list[Span]:
    """Spans in the order in which they are tried: whole videos where there are enough, then blocks."""
    videos: list[Span] = []
    blocks: list[tuple[int, bytes, Span]] = []
    if len(known) >= _FEWEST_VIDEOS:
        wanted = SHARE * sum(len(counted.frames) for counted in known.values())
        untouched = [video for video, counted in known.items() if not counted.held.any()]
        # One long video must not take most of the labels with it, nor many short ones most of the variety.
        small = [Span(video, 0, lengths[video]) for video in untouched if len(known[video].frames) <= 2 * wanted]
        room = round(SHARE * len(known)) - sum(bool(counted.held.all()) for counted in known.values())
        videos = sorted(small, key=lambda span: _draw(seed, span))[: max(0, room)]
    for video, counted in known.items():
        mine = sorted(_blocks(video, counted, lengths[video], kept), key=lambda span: _draw(seed, span))
        blocks += [(turn, _draw(seed, span), span) for turn, span in enumerate(mine)]
    return videos + [span for *_, span in sorted(blocks)]


def _blocks(video: int, counted: _Counted, length: int, kept: Spans) -> list[Span]:
    labelled = np.unique(counted.frames)
    free = np.unique(counted.frames[~counted.held])
    if not len(free):
        return []
    size = -(-len(free) // _BLOCKS)
    before = np.searchsorted(np.sort([span.stop for span in kept.of(video)]), free, side="right")
    spans = []
    # What is held out already parts the rest: no block lies across it.
    for stretch in np.split(free, np.flatnonzero(np.diff(before)) + 1):
        for first in range(0, len(stretch), size):
            begin, end = int(stretch[first]), int(stretch[first : first + size][-1])
            earlier, later = labelled[labelled < begin], labelled[labelled > end]
            start = max([int(earlier[-1]) + 1 if len(earlier) else 0, *_edges(kept, video, begin, after=False)])
            stop = min([int(later[0]) if len(later) else length, *_edges(kept, video, end, after=True)])
            spans.append(Span(video, start, stop))
    return spans


def _edges(kept: Spans, video: int, frame: int, *, after: bool) -> list[int]:
    if after:
        return [span.start for span in kept.of(video) if span.start > frame]
    return [span.stop for span in kept.of(video) if span.stop <= frame]


def _draw(seed: int, span: Span) -> bytes:
    return hashlib.sha256(f"{seed} {span.canonical}".encode()).digest()
