"""How long files of other tools take to write, to read and to move in, beside the libraries that others use for it.

Run ``python -m benchmarks.exchange --peers PYTHON > benchmarks/results/exchange.md``. ``PYTHON`` is an interpreter that
has datumaro, sleap-io and faster-coco-eval, which do not go together with what we need; a peer that is not there is
said. Everything is measured in a process of its own. Poses have 17 keypoints, 10 subjects a frame, all of a machine.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import psutil  # type: ignore[import-untyped]

from benchmarks.exchange_peers import KEYPOINTS, NAMES, SIDE, SUBJECTS, measured, places, stats
from benchmarks.live_server import MIB, heading, live_server, table
from formats.dataset import Dataset, Video
from formats.registry import FORMATS
from pose.skeleton import Skeleton
from pose.video_writer import VideoWriter


def poses(count: int, *, human: bool = False) -> Dataset:
    """``N`` poses."""
    xy, score = places(count)
    rows = np.arange(count)
    return Dataset.of(
        Skeleton(name="body", keypoints=tuple(NAMES)),
        (Video(name="walk", width=SIDE, height=SIDE, num_frames=-(-count // SUBJECTS)),),
        video=np.zeros(count),
        frame=rows // SUBJECTS,
        track=rows % SUBJECTS + 1,
        xy=xy,
        visibility=np.full((count, KEYPOINTS), 2),
        score=score,
        human=np.full((count, KEYPOINTS), human),
        run=np.ones(count),
    )


def _write(name: str, count: int, out: Path) -> dict[str, float]:
    target = out / f"poses{FORMATS[name].ending}"
    return measured(lambda: poses(count), lambda made: FORMATS[name].write(made, target))


def _read(name: str, path: Path) -> dict[str, float]:
    return measured(lambda: None, lambda _: FORMATS[name].read(path))


def _score(out: Path) -> dict[str, Any]:
    """The figures of pycocotools, of poses that are some pixels off; leaves the files for others."""
    from pycocotools.coco import COCO  # type: ignore[import-untyped]
    from pycocotools.cocoeval import COCOeval  # type: ignore[import-untyped]

    from formats import coco, coco_results

    truth = poses(25_000, human=True)
    off = np.random.default_rng(2).normal(0, 30, truth.xy.shape)
    coco.write(truth, out / "truth.json")
    coco_results.write(poses(25_000).with_columns(xy=truth.xy + off), out / "results.json", out / "truth.json")
    sigmas = truth.skeleton.oks_sigmas().tolist()
    (out / "sigmas.json").write_text(json.dumps(sigmas))
    return {"stats": stats(COCO, COCOeval, out, sigmas)}


def alone(*words: object, interpreter: str = sys.executable, module: str = "benchmarks.exchange") -> dict[str, Any]:
    """A task in a process of its own; ``error`` where it failed."""
    done = subprocess.run([interpreter, "-m", module, *map(str, words)], capture_output=True, text=True, check=False)
    if done.returncode:
        return {"error": (done.stderr.strip().splitlines() or ["?"])[-1][:120]}
    return dict(json.loads(done.stdout.splitlines()[-1]))


def cells(name: str, count: int, figures: dict[str, Any]) -> list[object]:
    """A row of a table."""
    if "error" in figures:
        return [name, count, figures["error"], "", ""]
    spent = figures["seconds"]
    return [name, count, f"{spent:.2f}", f"{count / spent:,.0f}", f"{figures['peak_mb'] - figures['base_mb']:.0f}"]


def writing(count: int, of_peers: int, peers: str | None, folder: Path) -> None:
    """Print how long COCO takes to write."""
    rows = [cells("posetween", count, alone("_write", "coco", count, folder))]
    rows.append(cells("posetween", of_peers, alone("_write", "coco", of_peers, folder)))
    for name in ("datumaro", "sleap-io"):
        words = (f"write-{name}", of_peers, folder / name)
        if peers is not None:
            rows.append(cells(name, of_peers, alone(*words, interpreter=peers, module="benchmarks.exchange_peers")))
    table(["COCO keypoints, written", "poses", "seconds", "poses/s", "MB above base"], rows)


def reading(count: int, folder: Path) -> None:
    """Print how long files take to read."""
    rows = []
    for name in ("coco", "dlc-predictions", "cvat", "slp"):
        alone("_write", name, count, folder)
        rows.append(cells(name, count, alone("_read", name, folder / f"poses{FORMATS[name].ending}")))
    table(["read", "poses", "seconds", "poses/s", "MB above base"], rows)


def moving_in(count: int, folder: Path) -> None:
    """Print how long predictions of SLEAP take to become a run of a running service, its video being there already."""
    frames = -(-count // SUBJECTS)
    with VideoWriter(folder / "walk.mp4", 30, SIDE, SIDE) as writer:
        picture = np.full((SIDE, SIDE, 3), 90, dtype=np.uint8)
        for frame in range(frames):
            picture[:2, :32] = np.unpackbits(np.array([frame], dtype=">u4").view(np.uint8))[None, :, None] * 255
            writer.write(picture)
    alone("_write", "slp", count, folder)
    with live_server(folder / "data") as server:
        key = folder / "key"
        key.write_text(server.key)
        said = ["--server", f"http://127.0.0.1:{server.port}", "--key-file", str(key)]
        command = [sys.executable, "-m", "cli.main"]
        made = [*command, "projects", "create", "moved", "--skeleton", str(_skeleton(folder)), *said]
        subprocess.run(made, check=True, capture_output=True)
        sending = subprocess.Popen(
            [*command, "videos", "upload", "moved", str(folder / "walk.mp4"), *said], stdout=subprocess.DEVNULL
        )
        while sending.poll() is None:
            server.work()
            time.sleep(0.2)
        start, most = time.perf_counter(), {"import": 0.0, "service": 0.0}
        words = [str(folder / "poses.slp"), "--video", f"walk={folder / 'walk.mp4'}", "--project", "moved", *said]
        moving = psutil.Popen([*command, "import", *words], stdout=subprocess.DEVNULL)
        while moving.poll() is None:
            for name, process in (("import", moving), ("service", server.process)):
                most[name] = max(most[name], _family_mb(process))
            time.sleep(0.05)
        spent = time.perf_counter() - start
        assert moving.returncode == 0
    row = [count, frames, f"{spent:.1f}", f"{most['import']:.0f}", f"{most['service']:.0f}"]
    table([".slp moved in: predictions", "frames", "seconds", "MB of import", "MB of the service"], [row])


def _skeleton(folder: Path) -> Path:
    (folder / "skeleton.json").write_text(json.dumps({"name": "body", "keypoints": NAMES}))
    return folder / "skeleton.json"


def _family_mb(process: psutil.Process) -> float:
    try:
        family = [process, *process.children(recursive=True)]
        return float(sum(one.memory_info().rss for one in family)) / MIB
    except psutil.NoSuchProcess:
        return 0.0


def judging(peers: str | None, folder: Path) -> None:
    """Print whether pycocotools and faster-coco-eval give the same figures of 25 000 poses, to the last digit."""
    ours = alone("_score", folder)
    theirs = {"error": "not asked for"}
    if peers is not None:
        theirs = alone("evaluate", 0, folder, interpreter=peers, module="benchmarks.exchange_peers")
    rows: list[Sequence[object]] = [[name, *_shown(one)] for name, one in (("pycocotools", ours), ("faster", theirs))]
    table(["25 000 poses", "AP", "AP50", "AP75", "AR"], rows)
    print(f"The ten figures are {'the same' if ours.get('stats') == theirs.get('stats') else 'not the same'}.\n")


def _shown(figures: dict[str, Any]) -> list[str]:
    found = figures.get("stats")
    return [repr(found[place]) for place in (0, 1, 2, 5)] if found else [figures["error"], "", "", ""]


_TASKS = {
    "_write": lambda name, count, out: _write(name, int(count), Path(out)),
    "_read": lambda name, path: _read(name, Path(path)),
    "_score": lambda out: _score(Path(out)),
}


def main() -> None:
    """Measure and print a Markdown page."""
    if sys.argv[1:2] and sys.argv[1] in _TASKS:
        print(json.dumps(_TASKS[sys.argv[1]](*sys.argv[2:])))  # type: ignore[operator]
        return
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peers", help="interpreter that has datumaro, sleap-io and faster-coco-eval")
    parser.add_argument("--written", type=int, default=1_000_000, help="poses that we write as COCO")
    parser.add_argument("--by-peers", type=int, default=100_000, help="poses that peers write, and we beside them")
    parser.add_argument("--read", type=int, default=100_000, help="poses that are read")
    parser.add_argument("--moved", type=int, default=200_000, help="predictions that are moved in")
    wish = parser.parse_args()
    note = "Each figure is of a process of its own. Poses have 17 keypoints, 10 subjects a frame, all of a machine."
    heading("Exchange", "exchange --peers PYTHON", note)
    with tempfile.TemporaryDirectory(prefix="posetween-") as place:
        folder = Path(place)
        writing(wish.written, wish.by_peers, wish.peers, folder)
        reading(wish.read, folder)
        judging(wish.peers, folder)
        moving_in(wish.moved, folder)


if __name__ == "__main__":
    main()
