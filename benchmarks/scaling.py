"""How the service grows: a simulation at three scales, fed with what the other benchmarks measured.

Run ``python -m benchmarks.scaling > benchmarks/results/scaling.md`` after ``scaling_costs``, ``ledger_latency``,
``ingest_speed`` and ``stdpose_speed``: it reads their results. What nobody could measure here (prices, how people work,
how often machines die) is an assumption, a field of ``Habits``, ``Prices`` or ``Scale`` below; the page names them all.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from dataclasses import dataclass, fields
from math import ceil
from pathlib import Path

import numpy as np

from benchmarks.fleet_simulation import Fleet, Kind, Seen, simulate
from benchmarks.live_server import heading, render, table
from pose.formats import npy
from pose.proxy import write_proxy
from pose.track import blank

RESULTS = Path(__file__).parent / "results"


@dataclass(frozen=True)
class Scale:
    """One size of the service."""

    name: str
    annotators: int
    gpus: int
    videos: int
    cpu_workers: int
    database_cores: int


SCALES = (
    Scale("a lab", 10, 4, 10_000, 2, 2),
    Scale("an institute", 1_000, 100, 1_000_000, 24, 8),
    Scale("a country", 10_000, 1_000, 10_000_000, 240, 32),
)


@dataclass(frozen=True)
class Habits:
    """How people work. All of these are assumptions."""

    hours_a_day: float = 8
    videos_a_day: float = 2  # of each annotator
    minutes_a_video: float = 5
    frames_a_second: float = 30
    tracks: int = 2
    keyframes: int = 30  # of a track, once it is done
    label_writes: int = 300  # a video: points are moved more than once
    propagations: int = 6  # a video: the first, and after corrections
    recomputed: float = 0.15  # of the segments, after a correction
    exports: float = 0.2  # a video
    busy_annotators: float = 0.7  # of all, in a working hour
    seconds_a_label: float = 3
    seconds_a_frame: float = 0.5
    worker_hours_to_failure: float = 48
    restart_seconds: float = 60
    gpu_speed: float = 4  # times that of two cores
    peak: float = 2  # times the mean of the working hours


@dataclass(frozen=True)
class Prices:
    """In dollars, of large clouds' lists, rounded. All of these are assumptions."""

    gpu_hour: float = 2.0
    core_hour: float = 0.04
    storage_gb_month: float = 0.023
    database_gb_month: float = 0.12
    months_kept: float = 12


@dataclass(frozen=True)
class Measured:
    """What the benchmarks found, on two cores without a GPU."""

    pose_frames: float  # frames a second of one subject, stdpose on two cores
    ingest_frames: float  # frames a second, the whole ingest of 720p on two cores
    message_seconds: float  # from a commit to a claim, over Redis
    postgres: dict[str, float]  # core seconds of Postgres for each kind of transaction
    python: dict[str, float]  # core seconds of Python for it
    original_hour: float  # bytes of an hour of rendered 720p
    proxy_hour: float
    segments_hour: float  # of one track
    row_bytes: dict[str, float]


def cell(page: str, row: str, column: int) -> float:
    """A number from the first row of a page's tables that begins with these words."""
    for line in (RESULTS / f"{page}.md").read_text().splitlines():
        if line.replace(" ", "").startswith(f"|{row}|".replace(" ", "")):
            return float(line.split("|")[column + 1])
    raise SystemExit(f"benchmarks/results/{page}.md has no row {row!r}: run benchmarks.{page} first")


def bytes_of_an_hour(seconds: int = 10) -> tuple[float, float, float]:
    """Bytes an hour of a rendered video, of its proxy, and of one track's segments."""
    hour = 3600 / seconds
    with tempfile.TemporaryDirectory() as name:
        video, proxy = Path(name) / "video.mp4", Path(name) / "proxy.mp4"
        render(video, 30 * seconds, 1280, 720)
        for _ in write_proxy(video, proxy):
            pass
        poses = blank(np.arange(300), 17)
        rng = np.random.default_rng(0)
        poses.xy[:] = rng.uniform(0, 1000, poses.xy.shape)
        segment = len(npy.encode(poses)) * 30 * seconds / 300
        return video.stat().st_size * hour, proxy.stat().st_size * hour, segment * hour


def measured() -> Measured:
    """Gather what was measured."""
    costs = json.loads((RESULTS / "scaling_costs.json").read_text())
    return Measured(
        cell("stdpose_speed", "the whole of stage A", 1),
        cell("ingest_speed", "1280 x 720 | the whole ingest", 2),
        cell("ledger_latency", "Postgres, told over Redis", 1) / 1000,
        {name: ms / 1000 for name, (ms, _) in costs["processor"].items()},
        {name: ms / 1000 for name, (_, ms) in costs["processor"].items()},
        *bytes_of_an_hour(),
        costs["postgres"]["bytes"],
    )


def fleets(scale: Scale, habits: Habits, known: Measured) -> dict[str, Fleet]:
    """The workers, with the jobs of a busy hour."""
    videos = habits.peak * scale.annotators * habits.videos_a_day / (3600 * habits.hours_a_day)
    frames = 60 * habits.minutes_a_video * habits.frames_a_second
    segments = habits.tracks * habits.keyframes
    seconds = frames * habits.tracks / (known.pose_frames * habits.gpu_speed) / segments
    again = (habits.propagations - 1) * videos
    gpu = (
        Kind("first propagation", videos, segments, seconds, 2),
        Kind("after a correction", again, max(1, segments * habits.recomputed), seconds, 2),
    )
    cpu = (
        Kind("ingest", videos, 1, frames / known.ingest_frames, 1),
        Kind("export", habits.exports * videos, 1, 5, 0),
    )
    common = (known.message_seconds, 60.0, habits.worker_hours_to_failure, habits.restart_seconds)
    return {"gpu": Fleet(scale.gpus, gpu, *common), "cpu": Fleet(scale.cpu_workers, cpu, *common)}


def table_rows(scale: Scale, habits: Habits) -> dict[str, float]:
    """Rows of each table that grows, once all videos are there."""
    segments = habits.tracks * habits.keyframes
    computed = segments * (1 + (habits.propagations - 1) * habits.recomputed)
    jobs = 1 + habits.propagations + habits.exports
    of_a_video = {
        "video": 1,
        "track": habits.tracks,
        "label_revision": habits.label_writes,
        "label": habits.label_writes,
        "audit": habits.label_writes + jobs,
        "job": jobs,
        "run": habits.propagations,
        "job_segment": segments * habits.propagations,
        "blob": 4 + computed,
    }
    return {name: scale.videos * rows for name, rows in of_a_video.items()}


def spread(values: list[float]) -> str:
    """Median and 99th percentile."""
    return " / ".join(f"{value:.2f}" for value in np.percentile(values, [50, 99])) if values else "-"


def report(scale: Scale, habits: Habits, prices: Prices, known: Measured, hours: float) -> dict[str, str]:
    """Simulate one scale and say what came of it."""
    plan = fleets(scale, habits, known)
    at_work = habits.busy_annotators * scale.annotators
    label_writes, frame_fetches = at_work / habits.seconds_a_label, at_work / habits.seconds_a_frame
    workers = scale.gpus + scale.cpu_workers
    demand = {
        name: sum(k.per_second * (k.setup_seconds + k.segments * k.segment_seconds) for k in fleet.kinds)
        for name, fleet in plan.items()
    }
    heartbeats = min(demand["gpu"], scale.gpus) + min(demand["cpu"], scale.cpu_workers)
    # Each frame and each label looks a key and a video up; each worker asks twice a second whether a duty is due.
    questions = label_writes + frame_fetches + workers
    cost = known.postgres
    others = (
        label_writes * cost["write a label"]
        + heartbeats * cost["heartbeat"]
        + questions * cost["ask for a key and a video"]
    ) / scale.database_cores
    one = cost["claim and end a job"] / 2
    seen = simulate(
        plan, hours, lanes=scale.database_cores, transaction_seconds=one, others=others, seed=scale.annotators
    )
    gpu, cpu = seen["gpu"], seen["cpu"]
    python = known.python["write a label"] * label_writes
    python += known.python["ask for a key and a video"] * (label_writes + frame_fetches)
    done = sum(one.transactions for one in seen.values()) / (3600 * hours)
    rows = table_rows(scale, habits)
    sizes = {name: number * known.row_bytes[name] for name, number in rows.items()}
    largest = sorted(sizes, key=lambda name: -sizes[name])[:3]
    video_hours = scale.videos * habits.minutes_a_video / 60
    held = known.original_hour + known.proxy_hour + habits.tracks * known.segments_hour
    return {
        "annotators, GPU workers, videos": f"{scale.annotators:,}, {scale.gpus:,}, {scale.videos:,}",
        "CPU workers of two cores, database cores": f"{scale.cpu_workers}, {scale.database_cores}",
        "wait of an ingest, s, p50 / p99": spread(cpu.waits.get("ingest", [])),
        "wait of a first propagation, s": spread(gpu.waits.get("first propagation", [])),
        "wait of one after a correction, s": spread(gpu.waits.get("after a correction", [])),
        "first propagation, queued to done, s": spread(gpu.spans.get("first propagation", [])),
        "after a correction, queued to done, s": spread(gpu.spans.get("after a correction", [])),
        "GPU workers at work, CPU workers at work": f"{_share(gpu, plan['gpu'], hours)}, "
        f"{_share(cpu, plan['cpu'], hours)}",
        "segments computed by helpers": f"{gpu.helped:,}",
        "workers that died, in the hours simulated": f"{gpu.deaths + cpu.deaths}",
        "label writes/s": f"{label_writes:,.0f}",
        "heartbeats/s": f"{heartbeats:,.0f}",
        "claims and finished segments/s": f"{done:,.1f}",
        "questions/s (keys, videos, duties)": f"{questions:,.0f}",
        "cores for Python to answer labels and look up frames": f"{python:,.1f}",
        "share of the database's cores": f"{100 * (others + done * one / scale.database_cores):.0f} %",
        "wait for a claim's transaction, ms, p50 / p99": spread([1000 * s for s in gpu.database_waits]),
        "claims/s of idle workers without Redis": f"{5 * max(0.0, workers - heartbeats):,.0f}",
        "Redis messages/s": f"{(gpu.messages + cpu.messages) / (3600 * hours):,.1f}",
        "frame fetches/s": f"{frame_fetches:,.0f}",
        "database, all tables with indexes": _size(sum(sizes.values())),
        "its largest tables": ", ".join(f"{name} {_size(sizes[name])}" for name in largest),
        "objects in storage": f"{rows['blob']:,.0f}",
        "storage": _size(video_hours * held),
        "a video-hour, dollars": f"{_cost(habits, prices, known, held, sum(sizes.values()) / video_hours):.2f}",
    }


def _share(seen: Seen, fleet: Fleet, hours: float) -> str:
    return f"{100 * seen.busy / (fleet.workers * 3600 * hours):.0f} %"


def _size(number: float) -> str:
    units = ("bytes", "kB", "MB", "GB", "TB", "PB")
    power = min(len(units) - 1, max(0, int(np.log10(max(number, 1)) // 3)))
    return f"{number / 1000**power:.1f} {units[power]}"


def _cost(habits: Habits, prices: Prices, known: Measured, stored: float, rows: float) -> float:
    frames = 3600 * habits.frames_a_second
    propagated = frames * habits.tracks * (1 + (habits.propagations - 1) * habits.recomputed)
    gpu = propagated / (known.pose_frames * habits.gpu_speed) / 3600 * prices.gpu_hour
    cpu = 2 * frames / known.ingest_frames / 3600 * prices.core_hour
    kept = (stored * prices.storage_gb_month + rows * prices.database_gb_month) * prices.months_kept / 1e9
    return gpu + cpu + kept


def main() -> None:
    """Simulate and print a Markdown page."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--hours", type=float, default=3.0, help="simulated hours at the busiest time of day")
    for what in (Habits, Prices):
        for one in fields(what):
            parser.add_argument(f"--{one.name.replace('_', '-')}", type=float, default=one.default)
    asked = vars(parser.parse_args())
    habits = Habits(**{one.name: asked[one.name] for one in fields(Habits)})
    prices = Prices(**{one.name: asked[one.name] for one in fields(Prices)})
    known = measured()
    pages = [report(scale, habits, prices, known, asked["hours"]) for scale in SCALES]

    heading(
        "The service at three scales, simulated",
        " ".join(["scaling", *sys.argv[1:]]),
        f"{asked['hours']:g} hours at the busiest time of day; the first minutes, when nothing waits yet, are in it.",
    )
    table(["", *(scale.name for scale in SCALES)], [[name, *(page[name] for page in pages)] for name in pages[0]])
    print("## What was measured\n")
    table(
        ["", ""],
        [
            ["`stdpose` on two cores, frames/s of one subject", f"{known.pose_frames:.0f}"],
            ["ingest of 720p on two cores, frames/s", f"{known.ingest_frames:.0f}"],
            ["from a commit to a claim over Redis, ms", f"{1000 * known.message_seconds:.0f}"],
            *([f"Postgres, core ms: {name}", f"{1000 * spent:.2f}"] for name, spent in known.postgres.items()),
            ["an hour of rendered 720p, its proxy, one track's segments", ", ".join(
                _size(one) for one in (known.original_hour, known.proxy_hour, known.segments_hour)
            )],
        ],
    )  # fmt: skip
    print("How fast a GPU worker is was not measured: no GPU was at hand. Row sizes stand in `scaling_costs.md`.\n")
    print("## What was assumed\n")
    table(
        ["", ""],
        [[one.name.replace("_", " "), f"{asked[one.name]:g}"] for what in (Habits, Prices) for one in fields(what)],
    )
    videos = sum(scale.annotators for scale in SCALES[-1:]) * habits.videos_a_day
    print(f"At the largest scale {ceil(SCALES[-1].videos / videos):,} working days bring all the videos.")


if __name__ == "__main__":
    main()
