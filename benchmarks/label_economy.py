"""What pseudo-labels are worth: an estimator from all labels, from 26.7 % of them, and from these with pseudo-labels.

Run ``python -m benchmarks.label_economy --folder DIR --data DIR > benchmarks/results/label_economy.md``. Of each 30
frames eight are labelled, every fourth; the engine ``stdpose``, not fitted, propagates them to the others, whose points
count by their scores. The three trainings of a dataset take equally many steps, about as many as all labels need.
Trainings are kept in the folder, see ``benchmarks.kept_training``.
"""

from __future__ import annotations

import argparse
import multiprocessing
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import mean

import numpy as np
import torch

from benchmarks.kept_training import BATCH, FROM_ABOVE, UPRIGHT, short, trained
from benchmarks.labelled_videos import find
from benchmarks.rendered_people import people
from models.propagate import propagate
from models.training.augmentation import Augmentation
from models.training.subjects import Subject
from pose.formats.coco import read_coco
from pose.frame_table import scan
from pose.skeleton import Skeleton
from pose.track import join
from pose.video import VideoReader

EVERY, OF = 4, 30
FOLDS = 4
EPOCHS = 5  # after each, what is kept aside is looked at
LEARNT, ASIDE, TESTED = 8, 8, 40  # rendered videos in each fold; kept aside and tested on are the same in all
FILMED = 3  # frames of film to one of a rendered video, so that a pose is another one four frames later

FIGURES = ("error", "pck@0.05", "pck@0.1")


@dataclass(frozen=True)
class Split:
    """A dataset to train for: what is learnt from with all of its labels, kept aside, and tested on."""

    dataset: str
    number: int
    skeleton: Skeleton
    learnt: Sequence[Subject]
    aside: Sequence[Subject]
    tested: Sequence[Subject]
    steps: int
    augmentation: Augmentation = UPRIGHT


def sparse(subject: Subject) -> Subject:
    """Of each 30 frames the first, the fifth and so on: 26.7 % of the labels."""
    place = (subject.track.frames - subject.track.frames[0]) % OF
    return subject.select(place % EVERY == 0)


def expanded(subject: Subject) -> Subject:
    """The sparse labels, and pseudo-labels on the frames between the first and the last of them."""
    labelled = sparse(subject)
    table = subject.table if subject.table is not None else scan(subject.path)
    first, last = (int(labelled.track.frames[end]) for end in (0, -1))
    with VideoReader(subject.path, table) as video:
        parts = propagate(video, {1: labelled.track}, engine="stdpose", start=first, stop=last + 1)
        dense = join([track for _, _, track in parts])
    human = np.isin(dense.frames, labelled.track.frames)
    weight = np.where(human[:, None], dense.visibility > 0, dense.score).astype(np.float32)
    return replace(subject, track=dense, weight=weight)


LABELS: dict[str, Callable[[Subject], Subject]] = {
    "all labels": lambda subject: subject,
    "26.7 %": sparse,
    "26.7 % and pseudo-labels": expanded,
}


def rendered(folder: Path, folds: int) -> list[Split]:
    """Rendered people whom things pass in front of: learnt from one short video of each, tested on others of them."""
    skeleton, every = people(folder / f"filmed-{FILMED}", 0, FOLDS * LEARNT + ASIDE + TESTED, FILMED)
    aside, tested = every[FOLDS * LEARNT :][:ASIDE], every[-TESTED:]
    return [
        Split("rendered people", fold, skeleton, every[fold * LEARNT :][:LEARNT], aside, tested, steps=400)
        for fold in range(folds)
    ]


def real(data: Path, group: str) -> tuple[Skeleton, list[Subject]]:
    """The tracks of the videos of a folder."""
    subjects, skeleton = [], None
    for video in find(data / group):
        read = read_coco(video.truth.read_bytes())
        skeleton = read.skeleton
        subjects += [
            Subject.labelled(f"{video.name}/{number}", video.video, track) for number, track in read.tracks.items()
        ]
    assert skeleton is not None
    return skeleton, subjects


def clips_out(data: Path, folds: int) -> list[Split]:
    """The clips of jhmdb, a quarter of them in each fold, tested on by a network that saw none of these."""
    skeleton, every = real(data, "jhmdb")
    splits = []
    for fold in range(folds):
        tested = every[fold::FOLDS]
        rest = [subject for number, subject in enumerate(every) if number % FOLDS != fold]
        aside = rest[::8]
        learnt = [subject for subject in rest if subject not in aside]
        splits.append(Split("jhmdb, clips left out", fold, skeleton, learnt, aside, tested, steps=320))
    return splits


def time_out(data: Path, group: str) -> list[Split]:
    """A long video: learnt from its first 60 %, tested on its last 30 %."""
    skeleton, every = real(data, group)

    def part(begin: float, end: float) -> list[Subject]:
        cut = []
        for subject in every:
            place = np.arange(len(subject.track)) / len(subject.track)
            cut.append(subject.select((place >= begin) & (place < end)))
        return cut

    parts = part(0, 0.6), part(0.62, 0.68), part(0.7, 1)
    return [Split(f"{group}, its end", 0, skeleton, *parts, steps=600, augmentation=FROM_ABOVE)]


def run(folder: Path, split: Split, labels: str, estimator: str) -> dict[str, float]:
    """Train and test with one set of labels."""
    torch.set_num_threads(1)
    name = f"{split.dataset}-{split.number}-{labels}-{estimator}-{split.steps}".replace(" ", "_")
    place = folder / "runs" / name
    learnt = split.learnt if (place / "result.json").exists() else [LABELS[labels](one) for one in split.learnt]
    config = short(estimator, split.steps, EPOCHS, 0, split.augmentation)
    return trained(place, config, split.skeleton, learnt, split.aside, split.tested)


def main() -> None:
    """Train what is missing and print a Markdown page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--data", type=Path, help="folder with jhmdb, flies_long and two_flies")
    parser.add_argument("--estimator", default="stdpose")
    parser.add_argument("--folds", type=int, choices=range(1, FOLDS + 1), default=FOLDS, help="of the four of people")
    parser.add_argument("--at-once", type=int, default=1)
    wish = parser.parse_args()
    splits = rendered(wish.folder, wish.folds)
    if wish.data is not None:
        splits += (
            clips_out(wish.data, wish.folds) + time_out(wish.data, "flies_long") + time_out(wish.data, "two_flies")
        )
    with ProcessPoolExecutor(wish.at_once, mp_context=multiprocessing.get_context("spawn")) as pool:
        runs = {
            (split.dataset, split.number, labels): pool.submit(run, wish.folder, split, labels, wish.estimator)
            for split in splits
            for labels in LABELS
        }
        results = {key: future.result() for key, future in runs.items()}
    print("# Label economy\n")
    asked = f"--estimator {wish.estimator} --folds {wish.folds}"
    print(f"Command: `python -m benchmarks.label_economy --folder DIR --data DIR {asked}`\n")
    print(
        f"`{wish.estimator}`, preset `tiny`, steps of {BATCH} clips. Errors are per cent of the box diagonal, PCK per "
        f"cent of points; means over folds. Of the film of rendered people one frame in {FILMED} is used.\n"
    )
    print(f"| dataset | steps | labels | {' | '.join(FIGURES)} | pck@0.1 over that of all labels | by fold |")
    print(f"|{'---|' * 8}")
    for dataset, steps in {split.dataset: split.steps for split in splits}.items():
        whole = 0.0
        for labels in LABELS:
            own = [result for key, result in sorted(results.items()) if key[0] == dataset and key[2] == labels]
            figures = [mean(result[figure] for result in own) for figure in FIGURES]
            whole = whole or figures[-1]
            cells = " | ".join(f"{figure:.2f}" for figure in figures)
            by_fold = ", ".join(f"{result[FIGURES[-1]]:.1f}" for result in own)
            print(f"| {dataset} | {steps} | {labels} | {cells} | {figures[-1] / whole:.3f} | {by_fold} |")


if __name__ == "__main__":
    main()
