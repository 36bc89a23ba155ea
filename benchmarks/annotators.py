"""A hundred annotators at work on a service of two cores, on SQLite or on Postgres.

Run ``python -m benchmarks.annotators --database sqlite > benchmarks/results/annotators_sqlite.md``, and the same with
``postgres``; each takes ``--minutes`` (5) and a minute or two before that.

The model: 100 annotators share 10 videos of a minute, 1280 x 720 pixels at 30 frames a second, each with ten subjects,
one for each annotator. Every half second an annotator's page fetches a frame, 960 pixels wide, which is what fits on a
page beside its tools: in 90 % of cases 1 to 10 frames further on, in 5 % as many back, in 5 % anywhere; after the last
frame comes the first. Every 3 s the pose of the subject is written, 17 keypoints on the frame in sight. Every 10 s the
keyframes of the whole video are read, for its timeline. They come within the first minute, begin at a random frame when
nothing is in any cache, and ask for each frame anew although the answer says that it may be kept for ever. How requests
are sent, and what happens when an answer is late, stands in ``benchmarks.annotator_load``.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import av
import numpy as np
import psutil  # type: ignore[import-untyped]

from app import blobs
from app.database import connect
from app.keys import service as keys
from app.keys.service import Role
from app.labels import history
from app.labels.schemas import MAX_LABELS
from app.projects import service as projects
from app.projects.schemas import SkeletonSchema
from app.settings import Settings
from app.storage import open_storage
from app.tables import Lab, Video
from app.tracks import service as tracks
from benchmarks.annotator_attack import Attack
from benchmarks.annotator_load import KEYPOINTS, Load, Workplace
from benchmarks.live_server import heading, live_server, render, table
from cli.serve import prepare
from pose.decoder import Decoder
from pose.frame_table import FrameTable
from pose.proxy import write_proxy
from tests.services import open_folder, postgres_binaries, run_postgres

VIDEOS, FRAMES, WIDTH, HEIGHT, PAGE_WIDTH = 10, 1800, 1280, 720, 960
SCENE, CLIP = 60, 300
KINDS = {"frame": "frame fetch", "label": "label write", "timeline": "timeline"}


def proxy(folder: Path, seed: int) -> tuple[Path, FrameTable]:
    """The proxy of a minute of video: that of a clip which was rendered, repeated."""
    clip, whole = folder / f"clip-{seed}.mp4", folder / f"proxy-{seed}.mp4"
    if not clip.exists():
        rendered = folder / f"rendered-{seed}.mp4"
        render(rendered, CLIP, WIDTH, HEIGHT, scene_frames=SCENE, seed=seed)
        for _ in write_proxy(rendered, clip):
            pass
    with av.open(str(whole), "w", container_options={"movflags": "faststart"}) as target:
        for turn in range(FRAMES // CLIP):
            with av.open(str(clip)) as source:
                stream = source.streams.video[0]
                if not turn:
                    copy = target.add_stream_from_template(stream)
                for packet in source.demux(stream):
                    if packet.dts is None:
                        continue
                    packet.pts += turn * stream.duration
                    packet.dts += turn * stream.duration
                    packet.stream = copy
                    target.mux(packet)
    decoder = Decoder(whole)
    pts, keyframe = decoder.timestamps()
    made = FrameTable(pts=pts, keyframe=keyframe, time_base=decoder.time_base, width=WIDTH, height=HEIGHT)
    decoder.close()
    assert made.num_frames == FRAMES
    return whole, made


def furnish(settings: Settings, clips: Path, annotators: int) -> list[Workplace]:
    """Make the project, its videos as ingest leaves them, a track and a key for each annotator."""
    prepare(settings)
    database, storage = connect(settings.database), open_storage(settings)
    proxies = [proxy(clips, number) for number in range(VIDEOS)]
    places = []
    with database.session() as session:
        lab_id = session.query(Lab.id).limit(1).scalar()
        skeleton = SkeletonSchema(name="body", keypoints=[f"keypoint {k}" for k in range(KEYPOINTS)])
        project = projects.create(session, lab_id, name="load", skeleton=skeleton)
        videos = []
        for path, frames in proxies:
            kept = [storage.adopt(path), storage.put(frames.to_bytes())]
            for one in kept:
                blobs.record(session, storage, one)
            video = Video(
                project_id=project.id, filename=path.name, slug=path.stem, sha256=kept[0].sha256, size=kept[0].size,
                status="ready", num_frames=FRAMES, width=WIDTH, height=HEIGHT, fps=30.0, duration=FRAMES / 30,
                frame_table_sha256=kept[1].sha256, proxy_sha256=kept[0].sha256, proxy_table_sha256=kept[1].sha256,
            )  # fmt: skip
            session.add(video)
            session.flush()
            videos.append(video)
        for number in range(annotators):
            video = videos[number % VIDEOS]
            track = tracks.create(session, settings, video, f"subject of {number}")
            _, key = keys.create(session, lab_id, name=f"annotator {number}", role=Role.ANNOTATOR, expires_at=None)
            places.append(Workplace(key, video.id, track.number, FRAMES))
    database.dispose()
    return places


def poison(settings: Settings) -> Attack:
    """A lab of its own, with a video that has as many tracks and labels as one import may bring."""
    database = connect(settings.database)
    with database.session() as session:
        lab = Lab(name="hostile")
        session.add(lab)
        session.flush()
        skeleton = SkeletonSchema(name="body", keypoints=[f"keypoint {k}" for k in range(KEYPOINTS)])
        project = projects.create(session, lab.id, name="hostile", skeleton=skeleton)
        other = session.query(Video).first()
        assert other is not None
        copied = {column.name: getattr(other, column.name) for column in Video.__table__.columns}
        video = Video(**{name: value for name, value in copied.items() if name not in ("id", "project_id", "revision")})
        video.project_id = project.id
        session.add(video)
        session.flush()
        tracks.ensure(session, settings, video, dict.fromkeys(range(1, settings.max_tracks + 1)))
        count = np.arange(MAX_LABELS)
        revision = history.begin(session, video, "import", None)
        keypoints = np.tile(np.float32([300, 200, 2]), (MAX_LABELS, KEYPOINTS, 1))
        frames, numbers = count // settings.max_tracks, count % settings.max_tracks + 1
        labels = history.Labels(frames, numbers, keypoints, np.full(MAX_LABELS, revision))
        history.append(session, video.id, revision, labels, labels.said)
        _, key = keys.create(session, lab.id, name="hostile", role=Role.ANNOTATOR, expires_at=None)
        attack = Attack(0, 0, key, video.id, project.id, FRAMES)
    database.dispose()
    return attack


@contextmanager
def attacked(attack: Attack | None, port: int, seconds: float) -> Iterator[dict[str, int]]:
    """Let a hostile lab loose, where there is one; what it was answered is there when the block is over."""
    answers: dict[str, int] = {}
    if attack is None:
        yield answers
        return
    with subprocess.Popen(
        [sys.executable, "-m", "benchmarks.annotator_attack"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as child:
        assert child.stdin is not None
        assert child.stdout is not None
        child.stdin.write(json.dumps(asdict(replace(attack, port=port, seconds=seconds))).encode())
        child.stdin.close()
        yield answers
        answers |= json.loads(child.stdout.read())


@contextmanager
def database_address(kind: str) -> Iterator[str]:
    """Where labels are kept; a Postgres is started for it, one that would survive a power cut."""
    if kind == "sqlite":
        yield ""
        return
    binaries = postgres_binaries()
    assert binaries is not None, "Postgres is not installed"
    with open_folder() as folder, run_postgres(binaries, folder, durable=True) as url:
        yield url


class Processor:
    """Processor time and memory of processes by what they are: the server, and the database's."""

    def __init__(self, server: psutil.Process) -> None:
        self._server = server
        self.before = self.of_server()

    def of_server(self) -> float:
        """Seconds that the server and its children have spent."""
        return sum(map(_seconds, [self._server, *self._server.children(recursive=True)]))

    def of_postgres(self) -> float:
        """Seconds that the database's processes have spent, those that ended left out."""
        return sum(_seconds(one) for one in psutil.process_iter() if one.name().startswith("postgres"))


def _seconds(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


def measure(
    settings: Settings, chosen: dict[str, object], load: Load, attack: Attack | None = None
) -> tuple[dict[str, Any], dict[str, float], float, float]:
    """Let the load loose on a server; gives the outcome, processor seconds by process, the server's MiB, seconds."""
    with live_server(settings.data_dir, **chosen) as server:
        processor = Processor(server.process)
        database = processor.of_postgres()
        start = time.perf_counter()
        with (
            attacked(attack, server.port, load.seconds) as answers,
            subprocess.Popen(
                [sys.executable, "-m", "benchmarks.annotator_load"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
            ) as child,
        ):
            said, _ = child.communicate(json.dumps({**asdict(load), "port": server.port}).encode())
        elapsed = time.perf_counter() - start
        outcome = {**json.loads(said), "attack": answers}
        spent = {
            "the API": processor.of_server() - processor.before,
            "Postgres": processor.of_postgres() - database,
            "the load": outcome["processor"],
        }
        memory = sum(one.memory_info().rss for one in (server.process, *server.process.children())) / 2**20
        return outcome, spent, memory, elapsed


def rows(outcome: dict[str, Any], since: float) -> list[list[object]]:
    """Rows of the table: what was wanted from a moment on."""
    shown = []
    for kind, name in KINDS.items():
        times = np.array([taken for wanted, taken in outcome["times"].get(kind, []) if wanted >= since])
        missed = sum(moment >= since for moment in outcome["missed"].get(kind, []))
        cells = [f"{cell:.0f}" for cell in np.percentile(times, [50, 90, 99, 100])] if len(times) else ["-"] * 4
        shown.append([name, len(times), missed, *cells])
    return shown


def _loaded(
    asked: argparse.Namespace, clips: Path, *, attacker: bool = False
) -> tuple[dict[str, Any], dict[str, float], float, float]:
    """A service of its own, measured."""
    with tempfile.TemporaryDirectory() as name, database_address(asked.database) as url:
        chosen: dict[str, object] = {
            "database_url": url,
            "frame_cache_bytes": asked.frame_cache_mib * 2**20,
            "processes": asked.processes,
        }
        settings = Settings(data_dir=Path(name) / "data", database_url=url)
        places = furnish(settings, clips, asked.annotators)
        load = Load(0, 60 * asked.minutes, _arrival(asked.minutes), PAGE_WIDTH, places)
        return measure(settings, chosen, load, poison(settings) if attacker else None)


def main() -> None:
    """Measure and print a Markdown page."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--database", choices=("sqlite", "postgres"), default="sqlite")
    parser.add_argument("--minutes", type=float, default=5.0)
    parser.add_argument("--annotators", type=int, default=100)
    parser.add_argument("--processes", type=int, default=os.cpu_count(), help="that answer requests")
    parser.add_argument("--clips", type=Path, help="folder to keep the rendered clips in, for the next time")
    parser.add_argument("--frame-cache-mib", type=int, default=2048)
    parser.add_argument("--attacker", action="store_true", help="once more, beside a lab that holds up whom it can")
    asked = parser.parse_args()
    clips = asked.clips or Path(tempfile.mkdtemp())
    clips.mkdir(exist_ok=True)
    heading(
        f"{asked.annotators} annotators for {asked.minutes:g} minutes, on {asked.database}",
        " ".join(["annotators", *sys.argv[1:]]),
        "Who they are and what they do stands in the script. Milliseconds from the moment a request was wanted to the "
        f"last byte of its answer. Postgres runs with fsync, SQLite with synchronous=FULL. {asked.processes} processes "
        f"answer, with {asked.frame_cache_mib} MiB for frames on disk.",
    )
    alone = _loaded(asked, clips)
    _print(alone, asked.minutes)
    if asked.attacker:
        beside = _loaded(asked, clips, attacker=True)
        print(
            "\n## Beside a hostile lab\n\nIt keeps streams open, withholds bodies, reads as many labels as an import"
            " may bring and asks for frames of ever other widths, all at once and without a pause"
            " (`benchmarks/annotator_attack.py`).\n"
        )
        _print(beside, asked.minutes)
        said = ", ".join(f"{count} of {what}" for what, count in sorted(beside[0]["attack"].items()))
        print(f"\nThe hostile lab was answered: {said}.")
    if not asked.clips:
        shutil.rmtree(clips)


def _print(measured: tuple[dict[str, Any], dict[str, float], float, float], minutes: float) -> None:
    outcome, spent, memory, elapsed = measured
    for since in (0.0, _arrival(minutes), 36 * minutes):
        print(f"Requests from second {since:.0f} on:\n")
        table(["", "answered", "moments missed", "p50, ms", "p90, ms", "p99, ms", "worst, ms"], rows(outcome, since))
    print(f"Errors: {outcome['failed']}.", *outcome["errors"])
    cores = os.cpu_count() or 1
    shares = [f"{name} {100 * taken / elapsed / cores:.0f} %" for name, taken in spent.items() if taken]
    print(f"\nOf the {cores} cores' time: {', '.join(shares)}. The server held {memory:.0f} MiB at the end.")


def _arrival(minutes: float) -> float:
    """Seconds over which the annotators begin."""
    return min(60.0, 12 * minutes)


if __name__ == "__main__":
    main()
