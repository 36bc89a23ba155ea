"""``posetween import``: a project of another tool becomes one of a service."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from app.exchange.reading import Found, read
from cli.dataset_counts import counts, poses_line
from cli.importing import sending, stills
from cli.importing.numbering import Placed, place, refusals, renumbered, without_gone
from cli.importing.parts import with_empty_frames
from cli.importing.sending import SendingError, Sent
from cli.importing.sources import SourceError, find_sources
from cli.importing.telling import mapping, source_line
from cli.options import Json, UsageError
from cli.progress_line import ProgressLine
from cli.server_options import LOOPBACK, KeyFile, Server, client_for
from formats.dataset import Dataset
from formats.errors import FormatError
from formats.losses import report, sentences
from formats.registry import FORMATS
from pose.formats.coco_layout import counted
from posetween import ApiError, Client, JobError
from posetween.answers import VideoOut

#: What a service cannot hold of a data set.
LOSES = ("run", "decimals", "empty_frames")

_NAMES = ", ".join(FORMATS)

Source = Annotated[Path, typer.Argument(help="File or folder of the other tool.", show_default=False)]
ProjectName = Annotated[
    str | None,
    typer.Option("--project", help="Name of the project; default: DeepLabCut's Task, else that of the file or folder."),
]
Videos = Annotated[
    list[Path] | None,
    typer.Option("--videos", help="Folder with the videos; several may be named.", show_default=False),
]
VideoFiles = Annotated[
    list[str] | None,
    typer.Option("--video", help="NAME=FILE, the file of one video; several may be named.", show_default=False),
]
From = Annotated[
    str | None, typer.Option("--from", help=f"Format; default: told by what is in it. {_NAMES}.", show_default=False)
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Write nothing: say what would become of what.")]
ApplyOffset = Annotated[
    bool, typer.Option("--apply-offset", help="Bring labels to the frames that their pictures show.")
]
SkipProof = Annotated[bool, typer.Option("--skip-proof", help="Do not compare labelled pictures with the videos.")]
SkipMissing = Annotated[bool, typer.Option("--skip-missing", help="Leave out videos whose pixels are nowhere.")]
EmptyAbsent = Annotated[
    bool,
    typer.Option(
        "--empty-absent", help="Frames listed without anybody: label every subject of the video absent there."
    ),
]
Overwrite = Annotated[
    bool, typer.Option("--overwrite", help="Write also over what people labelled on the service since.")
]


def import_(
    source: Source,
    project: ProjectName = None,
    videos: Videos = None,
    video: VideoFiles = None,
    source_format: From = None,
    dry_run: DryRun = False,
    apply_offset: ApplyOffset = False,
    skip_proof: SkipProof = False,
    skip_missing: SkipMissing = False,
    empty_absent: EmptyAbsent = False,
    overwrite: Overwrite = False,
    server: Server = LOOPBACK,
    key_file: KeyFile = None,
    as_json: Json = False,
) -> None:
    """Move a project of another tool into a service: skeleton, videos, tracks, labels, and a machine's poses as a run.

    Calling it again goes on where it broke off, and writes nothing twice.
    """
    if source_format not in (None, *FORMATS):
        raise UsageError(f"--from is one of {_NAMES}")
    named = _named(video or [])
    with ExitStack() as stack:
        client = None if dry_run else stack.enter_context(_signed_in(server, key_file))
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="posetween-"))
        show = stack.enter_context(ProgressLine(quiet=as_json))
        try:
            show(f"reading {source}", 0.0)
            found = read(source, source_format, Path(folder))
            name = project or _called(source, found)
            dataset, media = stills.gathered(found.dataset, found.media, name)
            sources = find_sources(source, dataset, media, videos or [], named)
            placed = place(dataset, sources, proving=not skip_proof, say=lambda what: show(what, 0.0))
            refused = [] if skip_proof else refusals(dataset, placed, apply_offset=apply_offset)
            missing = [dataset.videos[one.number] for one in sources if one.kind == "missing"]
            told = {"from": found.format, "project": name, **counts(dataset), "mapping": mapping(dataset, placed)}
            if missing and not skip_missing:
                names = ", ".join(repr(one.name) for one in missing[:10])
                sentence = "neither file nor pictures were found; say where with --videos FOLDER or --video NAME=FILE"
                told_of = f"of {counted(len(missing), 'video')} ({names})"
                refused.append(f"{told_of} {sentence}, or leave them out with --skip-missing")
            if empty_absent:
                dataset = with_empty_frames(dataset)
            losses = _losses(dataset, placed, empty_absent=empty_absent)
            told |= {"losses": losses, "refused": refused}
            if client is None:
                show.end()
                _tell_plan(told, placed, dataset, as_json=as_json)
                return
            if refused:
                raise UsageError("\n".join(refused))
            dataset = renumbered(dataset, placed)
        except (FormatError, SourceError, OSError) as error:
            raise UsageError(str(error)) from error
        try:
            written, number = _send(client, dataset, placed, name, show, overwrite=overwrite)
        except (ApiError, JobError, SendingError, OSError) as error:
            typer.echo(f"{error}\ncall this again to go on; what was written is kept and not written twice", err=True)
            raise typer.Exit(1) from error
    done = {"event": "done", "from": found.format, "project_id": number, "project": name, **sending.totals(written)}
    done |= {"written": [one.report for one in written], "losses": losses, "left_out": [one.name for one in missing]}
    _tell_done(done, server, as_json=as_json)


def _called(source: Path, found: Found) -> str:
    """What a project is called where nobody says: skeletons are often called alike, and only DeepLabCut names it."""
    task = found.dataset.skeleton.name.strip() if found.format == "dlc" else ""
    place = source.resolve()
    name = place.name if place.is_dir() else place.stem.removesuffix(".pkg")
    return task or name.strip() or "import"


def _named(words: Sequence[str]) -> dict[str, Path]:
    found: dict[str, Path] = {}
    for word in words:
        name, equals, file = word.rpartition("=")
        if not equals or not name:
            raise UsageError(f"--video {word!r}: expected NAME=FILE")
        if not Path(file).is_file():
            raise UsageError(f"--video {word!r}: there is no such file as {file}")
        found[name] = Path(file)
    return found


def _losses(dataset: Dataset, placed: Sequence[Placed], *, empty_absent: bool) -> dict[str, int]:
    losses = report(dataset, LOSES)
    if empty_absent:  # where a video has no track, nobody can be absent
        losses.pop("empty_frames", None)
        bare = sum(len(video.empty) for video in dataset.videos)
        losses |= {"empty_frames": bare} if bare else {}
    gone = [one.source.number for one in placed if one.source.kind == "missing"]
    poses = sum(dataset.rows_of(number).stop - dataset.rows_of(number).start for number in gone)
    losses |= {"missing_videos": len(gone), "missing_poses": poses} if gone else {}
    lost = len(dataset) - len(without_gone(dataset, placed))
    return losses | ({"missing_pictures": lost} if lost else {})


def _signed_in(server: str, key_file: Path | None) -> Client:
    """A client whose key is good: nobody waits for what cannot be written afterwards."""
    client = client_for(server, key_file)
    try:
        client.get("/me")
    except ApiError as error:
        client.close()
        typer.echo(str(error), err=True)
        raise typer.Exit(1) from error
    return client


def _send(
    client: Client, dataset: Dataset, placed: Sequence[Placed], name: str, show: ProgressLine, *, overwrite: bool
) -> tuple[list[Sent], int]:
    """Send all pixels, see that the labels are of them, and write the labels."""
    there = [one for one in placed if one.source.kind in ("video", "stills")]
    if not there:
        raise SendingError("no video of this project is there, so there is nothing to write")
    project = sending.project_for(client, name, dataset)
    begun: list[tuple[Placed, str, VideoOut]] = []
    for one in there:
        called = dataset.videos[one.source.number].name
        video = sending.upload(client, project, one, called, show)
        twin = next((other for _, other, known in begun if known["id"] == video["id"]), None)
        if twin is not None:
            raise SendingError(f"the videos {twin!r} and {called!r} are the same by their bytes, and would become one")
        begun.append((one, called, video))
    ready = [(one, sending.ingested(client, video, called, show)) for one, called, video in begun]
    for one, video in ready:
        sending.check_video(dataset, one.source.number, video)
    sent = [sending.write(client, dataset, one.source.number, video, show, overwrite=overwrite) for one, video in ready]
    return sent, project["id"]


def _tell_plan(told: Mapping[str, Any], placed: Sequence[Placed], dataset: Dataset, *, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps({"event": "checked", **told}))
        return
    console = Console(highlight=False, soft_wrap=True, markup=False)
    console.print(f"{FORMATS[told['from']].title}; it becomes the project {told['project']!r}")
    console.print(f"keypoints: {', '.join(told['keypoints'])}")
    for about, one in zip(told["videos"], placed, strict=True):
        console.print(source_line(about, one))
    console.print(poses_line(dict(told)))
    _tell_losses(told["losses"], console, "would be lost")
    for sentence in told["refused"]:
        console.print(f"in the way: {sentence}")


def _tell_done(done: Mapping[str, Any], server: str, *, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps(done))
        return
    console = Console(highlight=False, soft_wrap=True, markup=False)
    for one in done["written"]:
        made = f", {counted(one['poses'], 'pose')} of a machine as run {', '.join(map(str, one['runs']))}"
        runs = made if one["runs"] else ""
        console.print(f"video {one['name']!r} is video {one['video_id']}: {counted(one['labels'], 'label')}{runs}")
        if one["unnamed"]:
            console.print(f"  subjects keep their numbers, since these are no names: {', '.join(one['unnamed'])}")
    _tell_losses(done["losses"], console, "lost")
    console.print(f"project {done['project']!r} is project {done['project_id']} of {server}")


def _tell_losses(losses: Mapping[str, int], console: Console, word: str) -> None:
    known = {kind: count for kind, count in losses.items() if not kind.startswith("missing_")}
    for line in sentences(known):
        console.print(f"{word}: {line}")
    if "missing_pictures" in losses:
        gone = counted(losses["missing_pictures"], "pose")
        console.print(f"{word}: {gone} of a machine on frames of which there is no picture")
    if "missing_videos" in losses:
        videos, poses = counted(losses["missing_videos"], "video"), counted(losses["missing_poses"], "pose")
        console.print(f"{word}: {videos} whose pixels are nowhere, with {poses}")
