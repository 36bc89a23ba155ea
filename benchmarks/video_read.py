"""How fast frames are read and proxies written, beside bare PyAV doing the same work.

Run ``python -m benchmarks.video_read > benchmarks/results/video_read.md``. The clip is rendered: 600 frames of 720p
with texture that moves and a little sensor noise, coded as cameras do (a keyframe every 250 frames, B-frames).
"""

from __future__ import annotations

import os
import platform
import resource
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from pose.frame_table import FrameTable, scan
from pose.proxy import ENCODER, write_proxy
from pose.video import VideoReader

WIDTH, HEIGHT, FRAMES = 1280, 720, 600
CAMERA = {"g": "250", "bf": "3", "preset": "veryfast", "crf": "18"}
ROUNDS = 3
READS = 80


def render(path: Path) -> None:
    """Write the clip."""
    rng = np.random.default_rng(0)
    texture = rng.integers(0, 256, (HEIGHT // 8 + 40, WIDTH // 8 + 90, 3)).astype(np.uint8).repeat(8, 0).repeat(8, 1)
    noise = rng.integers(-6, 7, (8, HEIGHT, WIDTH, 3), dtype=np.int16)
    with av.open(path, "w") as container:
        stream = container.add_stream("libx264", rate=30, options=CAMERA)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        for index in range(FRAMES):
            part = texture[index // 2 : index // 2 + HEIGHT, index : index + WIDTH]
            picture = np.clip((part // 2 + 60) + noise[index % 8], 0, 255).astype(np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode())


def bare_rgb(path: Path) -> Iterator[np.ndarray]:
    """Frames as RGB, the way PyAV's manual has it."""
    with av.open(path) as container:
        container.streams.video[0].thread_type = "AUTO"
        for frame in container.decode(video=0):
            yield frame.to_ndarray(format="rgb24")


def bare_luma(path: Path) -> Iterator[np.ndarray]:
    """The luma plane of each frame, copied."""
    with av.open(path) as container:
        container.streams.video[0].thread_type = "AUTO"
        for frame in container.decode(video=0):
            plane = frame.planes[0]
            yield (
                np.frombuffer(memoryview(plane), np.uint8)
                .reshape(-1, plane.line_size)[: frame.height, : frame.width]
                .copy()
            )


def bare_transcode(source: Path, target: Path) -> Iterator[int]:
    """Decode and encode with the proxy's settings, nothing else."""
    with av.open(source) as old, av.open(target, "w", container_options={"movflags": "faststart"}) as new:
        decoded = old.streams.video[0]
        decoded.thread_type = "AUTO"
        stream = new.add_stream("libx264", rate=decoded.average_rate, options=ENCODER)
        stream.width, stream.height, stream.pix_fmt = decoded.width, decoded.height, "yuv420p"
        stream.codec_context.time_base = decoded.time_base or Fraction(1, 30)
        for index, frame in enumerate(old.decode(decoded)):
            frame.pict_type = 0
            new.mux(stream.encode(frame))
            yield index
        new.mux(stream.encode())


def rate(work: Callable[[], Iterator[object]]) -> tuple[float, float]:
    """Items per second of wall time and per second of processor time, all threads together."""
    wall, cpu = time.perf_counter(), time.process_time()
    count = sum(1 for _ in work())
    return count / (time.perf_counter() - wall), count / (time.process_time() - cpu)


def beside(ours: Callable[[], Iterator[object]], bare: Callable[[], Iterator[object]]) -> list[float]:
    """Medians of both rates, and of their ratios by wall and by processor time.

    Measured by turns, so that a busy machine meets both; the ratio of processor times hardly depends on that.
    """
    rounds = np.array([(rate(ours), rate(bare)) for _ in range(ROUNDS)])  # (rounds, ours and bare, wall and processor)
    ratios = rounds[:, 0] / rounds[:, 1]
    return [*np.median(rounds[:, :, 0], axis=0).tolist(), *np.median(ratios, axis=0).tolist()]


def bare_reads(path: Path, table: FrameTable) -> Callable[[int], np.ndarray]:
    """Seek, then decode until the timestamp comes: a random read without any check."""
    container = av.open(path)
    stream = container.streams.video[0]
    stream.thread_type = "AUTO"

    def read(index: int) -> np.ndarray:
        pts = int(table.pts[index])
        container.seek(pts, stream=stream)
        return next(frame for frame in container.decode(stream) if frame.pts == pts).to_ndarray(format="rgb24")

    return read


def timed(read: Callable[[int], np.ndarray], index: int) -> tuple[float, float]:
    """Milliseconds of wall time and of processor time, all threads together."""
    wall, cpu = time.perf_counter(), time.process_time()
    read(index)
    return 1000 * (time.perf_counter() - wall), 1000 * (time.process_time() - cpu)


def random_reads(path: Path, table: FrameTable) -> np.ndarray:
    """``(READS, 2, 2)`` milliseconds: wall and processor, ours and bare, on the same frames by turns."""
    bare = bare_reads(path, table)
    with VideoReader(path, table) as video:
        order = np.random.default_rng(3).integers(0, table.num_frames, READS).tolist()
        return np.array([(timed(video.read, index), timed(bare, index)) for index in order]).transpose(0, 2, 1)


def main() -> None:
    """Measure and print a Markdown page."""
    with tempfile.TemporaryDirectory() as folder:
        source, proxy, other = (Path(folder) / name for name in ("source.mp4", "proxy.mp4", "other.mp4"))
        render(source)
        table = scan(source)
        work = write_proxy(source, proxy)
        while True:
            try:
                next(work)
            except StopIteration as end:
                copied: FrameTable = end.value[1]
                break

        def sequence(gray: bool) -> Iterator[np.ndarray]:
            with VideoReader(proxy, copied) as video:
                yield from video.frames(gray=gray)

        rows = {
            "`frames()` of the proxy, RGB": beside(lambda: sequence(False), lambda: bare_rgb(proxy)),
            "`frames(gray=True)` of the proxy": beside(lambda: sequence(True), lambda: bare_luma(proxy)),
            "`write_proxy`, both tables included": beside(
                lambda: write_proxy(source, other), lambda: bare_transcode(source, other)
            ),
        }
        random_proxy, random_source = random_reads(proxy, copied), random_reads(source, table)
        sizes = source.stat().st_size / 1e6, proxy.stat().st_size / 1e6

    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"# Reading video: {FRAMES} frames of {WIDTH} x {HEIGHT}\n")
    print(
        f"{os.cpu_count()} cores ({platform.machine()}), Python {platform.python_version()}, PyAV {av.__version__} "
        f"(libavcodec {'.'.join(map(str, av.library_versions['libavcodec']))}), NumPy {np.__version__}, "
        f"{sys.platform}. Medians of {ROUNDS} rounds taken by turns. The machine was shared "
        f"(load average {os.getloadavg()[1]:.1f}), so trust the ratios.\n"
    )
    print("Command: `python -m benchmarks.video_read`\n")
    print("| | ours, frames/s | bare PyAV, frames/s | ratio | ratio by processor time |\n|---|---|---|---|---|")
    for name, (ours, bare, ratio, processor) in rows.items():
        print(f"| {name} | {ours:.0f} | {bare:.0f} | {ratio:.2f} | {processor:.2f} |")
    print(f"\n| random read, median of {READS} | ours, ms | bare PyAV, ms | ours, ms of processor | slowest, ms |")
    print("|---|---|---|---|---|")
    for name, times in (("proxy", random_proxy), ("original (keyframe every 250)", random_source)):
        wall, cpu = np.median(times, axis=0)
        print(f"| {name} | {wall[0]:.0f} | {wall[1]:.0f} | {cpu[0]:.0f} | {times[:, 0, 0].max():.0f} |")
    print(
        f"\nSource {sizes[0]:.1f} MB, proxy {sizes[1]:.1f} MB; the whole benchmark peaked at {memory:.0f} MB of memory."
    )


if __name__ == "__main__":
    main()
