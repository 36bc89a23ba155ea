"""Where the pixels of each video of a data set come from: its file, its labelled pictures, or nowhere."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Literal

from formats.dataset import Dataset
from formats.errors import refuse
from formats.files import files_below
from formats.media import Media
from formats.names import folder_name

#: What is taken for a video by the end of its name.
VIDEOS = (
    ".mp4",
    ".avi",
    ".mov",
    ".mkv",
    ".webm",
    ".m4v",
    ".mpg",
    ".mpeg",
    ".wmv",
    ".mts",
    ".m2ts",
    ".ts",
    ".mjpg",
    ".zip",
)

Kind = Literal["video", "stills", "missing", "bare"]


class SourceError(Exception):
    """It is not clear which file a video is; the text says what would tell."""


@dataclass(frozen=True)
class Source:
    """Where a video's pixels come from.

    Attributes:
        number: Its place among the data set's videos.
        kind: ``video``, its file is there; ``stills``, labelled pictures are; ``missing``, neither is; ``bare``,
            neither is and nothing is labelled in it.
        file: The video's file; None unless ``video``.
        media: What the data set says.
    """

    number: int
    kind: Kind
    file: Path | None
    media: Media


def find_sources(
    path: Path, dataset: Dataset, media: Sequence[Media], folders: Sequence[Path], named: Mapping[str, Path]
) -> list[Source]:
    """Find the pixels of every video.

    Files are looked for by name: in ``folders`` and below, in the project's own folder and below, and for a project
    that is one file beside it and in ``videos`` there. What a project says of other places is only told, never read: it
    may name any file of this machine.

    Args:
        path: The project.
        dataset: What was read of it.
        media: What is said of the pixels of each video.
        folders: Where videos may be.
        named: Files by the name of the video.

    Raises:
        SourceError: Several files could be one video, one file several videos, or ``named`` names a video that is none.
        FormatError: A folder cannot be read.
    """
    names = [video.name for video in dataset.videos]
    for name in named:
        if names.count(name) != 1:
            told = ", ".join(names[:20])
            count = "no" if name not in names else "more than one"
            raise SourceError(f"--video {name}=…: {count} video is called so; there are {told}")
    there = _videos(path, folders)
    found = []
    for number, (video, said) in enumerate(zip(dataset.videos, media, strict=True)):
        file = named.get(video.name) or _file(video.name, said, there)
        rows = dataset.rows_of(number)
        labelled = rows.stop > rows.start or bool(video.empty)
        kind: Kind = "video" if file else "stills" if said.pictures and labelled else "missing" if labelled else "bare"
        found.append(Source(number, kind, file, said))
    _check_apart(found, names)
    return found


def _check_apart(found: Sequence[Source], names: Sequence[str]) -> None:
    taken: dict[Path, int] = {}
    for source in found:
        if source.file is None:
            continue
        other = taken.setdefault(source.file.resolve(), source.number)
        if other != source.number:
            pair = f"{names[other]!r} and {names[source.number]!r}"
            raise SourceError(f"{source.file} would be both of the videos {pair}; name files with --video NAME=FILE")


def _videos(path: Path, folders: Sequence[Path]) -> list[Path]:
    """The files that may be videos, the likelier ones first, each once."""
    found: list[Path] = []
    for folder in folders:
        if not folder.is_dir():
            raise refuse(folder, "", "there is no such folder")
        found += files_below(folder)
    if path.is_dir():
        found += files_below(path)
    else:
        near = path.absolute().parent
        found += [file for file in sorted(near.iterdir()) if file.is_file()]
        found += files_below(near / "videos") if (near / "videos").is_dir() else []
    videos = [file for file in found if file.suffix.lower() in VIDEOS]
    return [*{file.resolve(): file for file in reversed(videos)}.values()][::-1]


def _file(name: str, said: Media, there: Sequence[Path]) -> Path | None:
    """The file of a video: of those that are called like it, the one whose folders are most like what is said of it."""
    told = PurePosixPath(said.file.replace("\\", "/"))
    wanted = {PurePosixPath(name.replace("\\", "/")).name.casefold(), folder_name(name).casefold()}
    alike = [
        file
        for file in there
        if file.name.casefold() == told.name.casefold()
        or (file.stem.casefold() in wanted or file.name.casefold() in wanted)
    ]
    if not alike:
        return None
    scores = [(file.name == told.name, _shared(file.parts, told.parts)) for file in alike]
    best = [file for file, score in zip(alike, scores, strict=True) if score == max(scores)]
    if len(best) > 1:
        listed = ", ".join(map(str, best[:5]))
        raise SourceError(f"video {name!r} could be any of {listed}; say which with --video '{name}=FILE'")
    return best[0]


def _shared(one: Sequence[str], other: Sequence[str]) -> int:
    """How many parts two paths have in common at their end."""
    count = 0
    for a, b in zip(reversed(one), reversed(other), strict=False):
        if a != b:
            break
        count += 1
    return count
