"""The sample of the page's tour: a walk, rendered into ``web/src/tour``. Run ``python -m benchmarks.tour_sample``.

It is small, since it comes with the page, and easy to label: the walker is slow, and in the picture all
the time.
"""

from __future__ import annotations

from pathlib import Path

from pose.synthetic import Scene, SceneSpec
from pose.video_writer import VideoWriter

SAMPLE = Path(__file__).parents[1] / "web" / "src" / "tour" / "walk.mp4"

SPEC = SceneSpec(
    seed=4,
    kind="person",
    num_frames=61,
    action="walk",
    view="side",
    size=0.72,
    speed=0.3,
    camera_motion=0.1,
    shake=0.0,
    motion_blur=0.2,
    defocus=0.0,
    noise=0.0,
    compression=0.0,
    clutter=0.3,
)


def main() -> None:
    """Render it."""
    with VideoWriter(SAMPLE, SPEC.fps, SPEC.width, SPEC.height, crf=26, gop=48) as writer:
        for frame in Scene(SPEC).frames():
            writer.write(frame)
    print(f"{SAMPLE}: {SAMPLE.stat().st_size} bytes")


if __name__ == "__main__":
    main()
