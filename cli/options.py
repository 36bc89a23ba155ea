"""Options that several commands share, each with its environment variable."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

import typer
from pydantic import ValidationError

from app.names import MAX_NAME, has_control
from app.settings import Settings
from models.compute import devices
from pose.formats.coco import Numbering

DataDir = Annotated[
    Path | None, typer.Option(envvar="POSETWEEN_DATA_DIR", help="Folder of the database, files and admin key.")
]
DatabaseUrl = Annotated[
    str | None,
    typer.Option(envvar="POSETWEEN_DATABASE_URL", help="SQLAlchemy address; default: SQLite in the data folder."),
]
StorageUrl = Annotated[
    str | None,
    typer.Option(envvar="POSETWEEN_STORAGE_URL", help="file:// or s3:// address; default: in the data folder."),
]
BrokerUrl = Annotated[
    str | None,
    typer.Option(envvar="POSETWEEN_BROKER_URL", help="redis:// address; default: workers look for jobs themselves."),
]
Queue = Annotated[
    str | None, typer.Option(envvar="POSETWEEN_QUEUE", help="Whose jobs to do: gpu or cpu; default: all.")
]
Lane = Annotated[
    str | None,
    typer.Option(envvar="POSETWEEN_LANE", help="Which of them: all, or quick for those that are done in seconds."),
]
Device = Annotated[str, typer.Option(envvar="POSETWEEN_DEVICE", help="Where networks run: auto, cpu, cuda:0, …")]
OpenPage = Annotated[bool, typer.Option("--open", help="Open the page in a browser.")]
Precision = Annotated[
    str,
    typer.Option(
        envvar="POSETWEEN_PRECISION", help="Networks compute in fp32 or bf16; auto: bf16 where that is faster."
    ),
]
Threads = Annotated[
    int,
    typer.Option(envvar="POSETWEEN_THREADS", min=0, max=1024, help="Threads to compute with; 0: all that may run."),
]
MetricsPort = Annotated[
    int | None,
    typer.Option(envvar="POSETWEEN_WORKER_METRICS_PORT", help="Port to show metrics at; default: none."),
]
Host = Annotated[str | None, typer.Option(envvar="POSETWEEN_HOST", help="Address to bind; default: loopback.")]
Port = Annotated[int | None, typer.Option(envvar="POSETWEEN_PORT", help="Port to bind; 0 takes a free one.")]
Processes = Annotated[
    int | None,
    typer.Option(envvar="POSETWEEN_PROCESSES", help="How many processes answer requests; default: one."),
]
FrameFrom = Annotated[
    Literal["field", "file_name"],
    typer.Option(help="Where images of a COCO file say their frame: field (frame_index), or file_name."),
]
FramePattern = Annotated[
    str | None,
    typer.Option(help="Regular expression (RE2) with one group, the number in a file name; default: its last digits."),
]
FrameOffset = Annotated[int | None, typer.Option(min=0, help="Number in a file name that the video's first frame has.")]
Scale = Annotated[
    Literal["refuse", "fit"],
    typer.Option(help="Images of another size than the video's: refuse them, or fit their coordinates."),
]
Pseudo = Annotated[
    Literal["skip", "human"],
    typer.Option(help="Poses that a machine made: skip them, or take them for a person's (human)."),
]
Json = Annotated[bool, typer.Option("--json", help="Print machine-readable lines.")]


def _name(text: str) -> str:
    if not text.strip() or len(text) > MAX_NAME or has_control(text):
        raise typer.BadParameter(f"a name has 1 to {MAX_NAME} characters, none of them a control character")
    return text


Name = Annotated[str, typer.Argument(callback=_name, help="A name for people, of up to 200 characters.")]


def numbering(frame_from: str, frame_pattern: str | None, frame_offset: int | None) -> Numbering:
    """The rule by which images of a COCO file tell their frame; a pattern or an offset is about file names."""
    named = frame_from == "file_name" or frame_pattern is not None or frame_offset is not None
    return Numbering("file_name" if named else "field", frame_pattern, frame_offset)


class UsageError(typer.Exit):
    """Ends the command with status 2 after a sentence on standard error."""

    def __init__(self, sentence: str) -> None:
        typer.echo(sentence, err=True)
        super().__init__(2)


def computing(device: str, precision: str, threads: int) -> None:
    """Have this process compute as its options say.

    Raises:
        UsageError: There is no such device, or it does not compute in this precision.
    """
    devices.use_threads(threads)
    try:
        devices.check(device, precision)
    except devices.DeviceError as error:
        raise UsageError(str(error)) from error


def settings(**given: Any) -> Settings:
    """The settings from the environment, with the options that were given put over them.

    Raises:
        UsageError: A value is wrong.
    """
    try:
        return Settings(**{name: value for name, value in given.items() if value is not None})
    except ValidationError as error:
        first = error.errors()[0]
        raise UsageError(f"{'.'.join(map(str, first['loc']))}: {first['msg']}") from error
