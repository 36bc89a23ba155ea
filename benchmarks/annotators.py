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
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import av
import numpy as np
import psutil  # type: ignore[import-untyped]

from app import blobs
from app.database import connect
from app.keys import service as keys
from app.keys.service import Role
from app.projects import service as projects
from app.projects.schemas import SkeletonSchema
from app.settings import Settings
from app.storage import open_storage
from app.tables import Lab, Video
from app.tracks import service as tracks
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
    settings: Settings, chosen: dict[str, object], load: Load
) -> tuple[dict[str, Any], dict[str, float], float, float]:
    """Let the load loose on a server; gives the outcome, processor seconds by process, the server's MiB, seconds."""
    with live_server(settings.data_dir, **chosen) as server:
        processor = Processor(server.process)
        database = processor.of_postgres()
        start = time.perf_counter()
        with subprocess.Popen(
            [sys.executable, "-m", "benchmarks.annotator_load"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        ) as child:
            said, _ = child.communicate(json.dumps({**asdict(load), "port": server.port}).encode())
        elapsed = time.perf_counter() - start
        outcome = json.loads(said)
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


def main() -> None:
    """Measure and print a Markdown page."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--database", choices=("sqlite", "postgres"), default="sqlite")
    parser.add_argument("--minutes", type=float, default=5.0)
    parser.add_argument("--annotators", type=int, default=100)
    parser.add_argument("--processes", type=int, default=os.cpu_count(), help="that answer requests")
    parser.add_argument("--clips", type=Path, help="folder to keep the rendered clips in, for the next time")
    parser.add_argument("--frame-cache-mib", type=int, default=2048)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as name, database_address(asked.database) as url:
        folder = Path(name)
        chosen: dict[str, object] = {
            "database_url": url,
            "frame_cache_bytes": asked.frame_cache_mib * 2**20,
            "processes": asked.processes,
        }
        settings = Settings(data_dir=folder / "data", database_url=url)
        clips = asked.clips or folder
        clips.mkdir(exist_ok=True)
        places = furnish(settings, clips, asked.annotators)
        load = Load(0, 60 * asked.minutes, min(60.0, 12 * asked.minutes), PAGE_WIDTH, places)
        outcome, spent, memory, elapsed = measure(settings, chosen, load)

    heading(
        f"{asked.annotators} annotators for {asked.minutes:g} minutes, on {asked.database}",
        " ".join(["annotators", *sys.argv[1:]]),
        "Who they are and what they do stands in the script. Milliseconds from the moment a request was wanted to the "
        f"last byte of its answer. Postgres runs with fsync, SQLite with synchronous=FULL. {asked.processes} processes "
        f"answer, with {asked.frame_cache_mib} MiB for frames on disk.",
    )
    for since in (0.0, load.arrival, 0.6 * load.seconds):
        print(f"Requests from second {since:.0f} on:\n")
        table(["", "answered", "moments missed", "p50, ms", "p90, ms", "p99, ms", "worst, ms"], rows(outcome, since))
    print(f"Errors: {outcome['failed']}.", *outcome["errors"])
    cores = os.cpu_count() or 1
    shares = [f"{name} {100 * taken / elapsed / cores:.0f} %" for name, taken in spent.items() if taken]
    print(f"\nOf the {cores} cores' time: {', '.join(shares)}. The server held {memory:.0f} MiB at the end.")


if __name__ == "__main__":
    main()
