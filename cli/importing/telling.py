"""What an import says of itself: which video is which file."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from cli.dataset_counts import video_line
from cli.importing.numbering import Placed
from formats.dataset import Dataset
from pose.formats.coco_layout import counted


def mapping(dataset: Dataset, placed: Sequence[Placed]) -> list[dict[str, Any]]:
    """Which video of the data set is which file, for machines."""
    return [
        {
            "name": dataset.videos[one.source.number].name,
            "kind": one.source.kind,
            "file": None if one.source.file is None else str(one.source.file),
            "told": one.source.media.file or None,
            **one.report,
        }
        for one in placed
    ]


def source_line(about: dict[str, Any], placed: Placed) -> str:
    """A video, what of it is read, and where its pixels come from."""
    source, report = placed.source, placed.report
    pictures = counted(report["pictures"], "labelled picture")
    where = {
        "video": f"is {source.file}",
        "stills": f"becomes a video of its {pictures}, since its file was not found",
        "missing": "is nowhere" + (f"; the project says {source.media.file}" if source.media.file else ""),
        "bare": "is nowhere, and nothing is labelled in it: it is left out",
    }[source.kind]
    if placed.proof is not None:
        proved = f"{report['proved']} of {len(placed.proof.frames)} pictures are the frames that they say"
        moved = "".join(
            f", {_are(count)} {counted(abs(int(by)), 'frame')} {'later' if int(by) > 0 else 'earlier'}"
            for by, count in report["moved"].items()
        )
        unlike = f", {_are(len(report['unlike']))} like no frame near" if report["unlike"] else ""
        where += f"; {proved}{moved}{unlike}"
    if any(placed.shift):
        where += f"; labels were made on a crop and move by {placed.shift[0]}, {placed.shift[1]} pixels"
    return f"{video_line(about)}\n  {where}"


def _are(count: int) -> str:
    return f"{count} {'is' if count == 1 else 'are'}"
