"""What ``benchmarks.exchange`` has its peers do, by an interpreter that has them: prints seconds and memory as JSON.

Alone: ``PYTHON -m benchmarks.exchange_peers write-datumaro 100000 out``. It imports nothing of ours but what measures
memory, and makes the same poses from the same seed: 17 keypoints of 10 subjects on each frame.
"""

from __future__ import annotations

import contextlib
import io
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.peak_memory import peak_mb

KEYPOINTS, SUBJECTS, SIDE = 17, 10, 1000
NAMES = [f"keypoint {k}" for k in range(KEYPOINTS)]


def places(count: int) -> tuple[np.ndarray, np.ndarray]:
    """``(N, K, 2)`` pixels with two decimals and ``(N, K)`` scores."""
    rng = np.random.default_rng(1)
    xy = rng.uniform(0, SIDE, (count, KEYPOINTS, 2)).astype(np.float32).round(2)
    return xy, rng.uniform(0.05, 0.95, (count, KEYPOINTS)).astype(np.float32).round(4)


def measured(prepare: Callable[[], Any], work: Callable[[Any], object]) -> dict[str, float]:
    """Seconds of a piece of work, and how much memory it took beyond what was prepared."""
    given = prepare()
    base = _resident_mb()
    Path("/proc/self/clear_refs").write_text("5")  # the peak is that of the work
    start = time.perf_counter()
    work(given)
    return {"seconds": time.perf_counter() - start, "base_mb": base, "peak_mb": peak_mb()}


def _resident_mb() -> float:
    return int(Path("/proc/self/status").read_text().split("VmRSS:")[1].split()[0]) / 1024


def write_datumaro(count: int, out: Path) -> dict[str, float]:
    """COCO keypoints by datumaro."""
    import datumaro as dm  # type: ignore[import-not-found]

    def prepare() -> Any:
        xy, _ = places(count)
        items = []
        for frame in range(count // SUBJECTS):
            notes = []
            for subject in range(SUBJECTS):
                pose = xy[frame * SUBJECTS + subject]
                notes.append(dm.Points(pose.reshape(-1).tolist(), label=0, id=subject, group=subject + 1))
                notes.append(dm.Bbox(0, 0, SIDE, SIDE, label=0, id=subject, group=subject + 1))
            image = dm.Image.from_file(path=f"walk/frame_{frame:06d}.jpg", size=(SIDE, SIDE))
            items.append(dm.DatasetItem(id=f"{frame:06d}", subset="train", media=image, annotations=notes))
        points = dm.PointsCategories.from_iterable([(0, NAMES)])
        labels = dm.LabelCategories.from_iterable(["body"])
        kinds = {dm.AnnotationType.label: labels, dm.AnnotationType.points: points}
        return dm.Dataset.from_iterable(items, categories=kinds, media_type=dm.Image)

    return measured(prepare, lambda made: made.export(str(out), "coco_person_keypoints", save_media=False))


def write_sleap_io(count: int, out: Path) -> dict[str, float]:
    """COCO keypoints by sleap-io."""
    import sleap_io as sio  # type: ignore[import-not-found]

    def prepare() -> Any:
        xy, scores = places(count)
        skeleton = sio.Skeleton(nodes=NAMES, name="body")
        tracks = [sio.Track(name=str(subject + 1)) for subject in range(SUBJECTS)]
        video = sio.Video(filename="walk.mp4", backend=None, backend_metadata={"shape": (count, SIDE, SIDE, 3)})
        frames = []
        for frame in range(count // SUBJECTS):
            rows = range(frame * SUBJECTS, (frame + 1) * SUBJECTS)
            shown = [
                sio.PredictedInstance.from_numpy(xy[row], skeleton=skeleton, point_scores=scores[row], score=0.5,
                                                 track=tracks[row % SUBJECTS])
                for row in rows
            ]  # fmt: skip
            frames.append(sio.LabeledFrame(video=video, frame_idx=frame, instances=shown))
        return sio.Labels(frames)

    def work(made: Any) -> None:
        from sleap_io.io import coco  # type: ignore[import-not-found]

        coco.write_labels(made, str(out / "labels.json"))

    out.mkdir(exist_ok=True)
    return measured(prepare, work)


def evaluate(count: int, out: Path) -> dict[str, Any]:
    """The ten figures of faster-coco-eval, of ``truth.json`` and ``results.json`` in a folder."""
    from faster_coco_eval import COCO, COCOeval_faster  # type: ignore[import-not-found]

    return {"stats": stats(COCO, COCOeval_faster, out, json.loads((out / "sigmas.json").read_text()))}


def stats(read: Any, evaluation: Any, folder: Path, sigmas: list[float]) -> list[float]:
    """The ten figures of a library that works as pycocotools does."""
    with contextlib.redirect_stdout(io.StringIO()):
        truth = read(str(folder / "truth.json"))
        made = evaluation(truth, truth.loadRes(str(folder / "results.json")), "keypoints")
        made.params.kpt_oks_sigmas = np.array(sigmas)
        made.evaluate()
        made.accumulate()
        made.summarize()
    return [float(one) for one in made.stats[:10]]


TASKS = {"write-datumaro": write_datumaro, "write-sleap-io": write_sleap_io, "evaluate": evaluate}


if __name__ == "__main__":
    print(json.dumps(TASKS[sys.argv[1]](int(sys.argv[2]), Path(sys.argv[3]))))
