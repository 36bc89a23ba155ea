"""The specification of a synthetic video: a seed, a kind of body and how hard to make it."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Any, Literal, get_args

import numpy as np

Kind = Literal["person", "quadruped", "fly", "creature"]
View = Literal["auto", "side", "top"]
KINDS: tuple[Kind, ...] = get_args(Kind)

_SHARES = (
    "size",
    "speed",
    "camera_motion",
    "shake",
    "occlusion",
    "motion_blur",
    "defocus",
    "noise",
    "compression",
    "lighting",
    "clutter",
    "likeness",
)


@dataclass(frozen=True, kw_only=True)
class SceneSpec:
    """A recipe for one synthetic video. The same spec gives the same bytes in every process.

    Args:
        seed: Draws everything that the other fields leave open: looks, motion, place, light.
        kind: The kind of body.
        num_frames: ``F``.
        width: Frame width in pixels.
        height: Frame height in pixels.
        fps: Frames per second of the motion.
        subjects: How many bodies have a track.
        distractors: How many more bodies move about without one.
        crossing: Subjects walk past each other, meeting halfway through the video.
        view: From the side, from above, or what suits the kind.
        action: A motion that the kind knows (a person ``"walk"``, ``"wave"``, …); empty lets the seed choose.
        num_keypoints: ``K`` of a creature, 2 to 30; 0 lets the seed choose. The other kinds have their own.
        grayscale: The camera sees no colour.
        size: Share of the frame height (of the shorter side from above) that a subject spans.
        speed: Pace of the motion: 0.5 is natural, 0 a quarter of it, 1 four times it.
        camera_motion: Pan, travel and zoom.
        shake: Hand-held jitter.
        occlusion: Things that stand or move in front of the subjects.
        motion_blur: Shutter, as a share of the frame interval.
        defocus: Softness.
        noise: Sensor noise.
        compression: Strength of JPEG artefacts.
        lighting: Strength of shadows, contrast and drifting exposure.
        clutter: How much stands about in the background.
        likeness: Probability that another body looks the same as the first subject.

    Raises:
        ValueError: A field is out of its range.
    """

    seed: int = 0
    kind: Kind = "person"
    num_frames: int = 120
    width: int = 640
    height: int = 360
    fps: float = 30.0
    subjects: int = 1
    distractors: int = 0
    crossing: bool = False
    view: View = "auto"
    action: str = ""
    num_keypoints: int = 0
    grayscale: bool = False
    size: float = 0.65
    speed: float = 0.5
    camera_motion: float = 0.25
    shake: float = 0.1
    occlusion: float = 0.0
    motion_blur: float = 0.4
    defocus: float = 0.1
    noise: float = 0.15
    compression: float = 0.15
    lighting: float = 0.5
    clutter: float = 0.5
    likeness: float = 0.2

    def __post_init__(self) -> None:
        if self.seed < 0:
            raise ValueError(f"seed is 0 or more, not {self.seed}")
        if self.kind not in KINDS:
            raise ValueError(f"kind is one of {', '.join(KINDS)}, not {self.kind!r}")
        if self.view not in get_args(View):
            raise ValueError(f"view is one of {', '.join(get_args(View))}, not {self.view!r}")
        for name, least in (("num_frames", 1), ("width", 32), ("height", 32), ("subjects", 1), ("distractors", 0)):
            if getattr(self, name) < least:
                raise ValueError(f"{name} is {least} or more, not {getattr(self, name)}")
        if not self.fps > 0:
            raise ValueError(f"fps is positive, not {self.fps}")
        if self.num_keypoints and not (self.kind == "creature" and 2 <= self.num_keypoints <= 30):
            raise ValueError(f"num_keypoints is 2 to 30 and only for a creature, not {self.num_keypoints}")
        for name in _SHARES:
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name} is between 0 and 1, not {getattr(self, name)}")

    @classmethod
    def random(cls, seed: int, **fixed: Any) -> SceneSpec:
        """Draw a varied, often hard spec, as training wants it.

        Args:
            seed: Draws the fields, and becomes the spec's own seed.
            fixed: Fields that are given, not drawn; drawing the others does not depend on them.

        Raises:
            TypeError: ``fixed`` names a field that a spec does not have.
        """
        unknown = set(fixed) - {entry.name for entry in fields(cls)}
        if unknown:
            raise TypeError(f"a scene spec has no field {', '.join(sorted(unknown))}")
        rng = np.random.default_rng((seed, 0x5EC))

        def often_none(probability: float, most: float = 1.0) -> float:
            value = float(rng.uniform(0, most))
            return 0.0 if rng.random() < probability else value

        drawn = cls(
            seed=seed,
            kind=KINDS[int(rng.choice(len(KINDS), p=(0.4, 0.2, 0.15, 0.25)))],
            subjects=int(rng.choice((1, 2, 3), p=(0.65, 0.27, 0.08))),
            distractors=int(rng.choice((0, 1, 2), p=(0.65, 0.25, 0.1))),
            crossing=bool(rng.random() < 0.4),
            grayscale=bool(rng.random() < 0.2),
            size=float(rng.uniform(0.3, 0.95)),
            speed=float(np.clip(rng.normal(0.45, 0.22), 0, 1)),
            camera_motion=often_none(0.3),
            shake=often_none(0.4),
            occlusion=often_none(0.5),
            motion_blur=often_none(0.25),
            defocus=often_none(0.4, 0.8),
            noise=often_none(0.3, 0.7),
            compression=often_none(0.2),
            lighting=float(rng.uniform(0.1, 1)),
            clutter=float(rng.uniform(0, 1)),
            likeness=float(rng.choice((0.1, 0.5, 1.0))),
        )
        return replace(drawn, **fixed)
