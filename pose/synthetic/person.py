"""People: proportions from child to adult, and what they wear."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from pose.skeleton import COCO_17
from pose.synthetic.bodies import Anatomy, Body
from pose.synthetic.textures import OVERHANG, SURFACE, cloth, dye, finish, hue, plain, skin

SIDES = (("left", 1), ("right", -1))

_TONES = ((236, 196, 170), (222, 172, 138), (198, 142, 106), (160, 108, 76), (118, 76, 52), (80, 52, 38))
_HAIR = ((30, 24, 22), (58, 38, 26), (104, 66, 36), (172, 126, 66), (214, 182, 120), (150, 150, 150), (120, 48, 26))
_PATTERNS = ("plain", "hoops", "stripes", "plaid", "dots", "print", "yoke")


@dataclass(frozen=True, eq=False)
class _Wardrobe:
    tone: np.ndarray
    hair: np.ndarray
    shirt: np.ndarray
    second: np.ndarray
    pattern: str
    sleeve: float  # share of the arm that the shirt covers, 0 to 2
    trousers: np.ndarray
    leg: float  # share of the leg that the trousers cover, 0 to 2
    shoes: np.ndarray
    hat: np.ndarray | None
    long_hair: bool
    skirt: bool


def _wardrobe(rng: np.random.Generator) -> _Wardrobe:
    tone = np.array(_TONES[rng.integers(len(_TONES))]) * rng.uniform(0.88, 1.06)
    bare = rng.random() < 0.06
    denim = np.array((62, 84, 122)) * rng.uniform(0.6, 1.3)
    return _Wardrobe(
        tone=tone,
        hair=np.array(_HAIR[rng.integers(len(_HAIR))]) * rng.uniform(0.8, 1.15),
        shirt=tone if bare else dye(rng),
        second=tone * 0.95 if bare else dye(rng),
        pattern="plain" if bare else str(rng.choice(_PATTERNS, p=(0.35, 0.13, 0.08, 0.1, 0.08, 0.16, 0.1))),
        sleeve=0.0 if bare else float(rng.choice((0.0, 0.55, 1.0, 2.0), p=(0.1, 0.4, 0.1, 0.4))),
        trousers=denim if rng.random() < 0.3 else dye(rng),
        leg=float(rng.choice((0.35, 0.75, 1.3, 2.0), p=(0.12, 0.23, 0.1, 0.55))),
        shoes=dye(rng),
        hat=dye(rng) if rng.random() < 0.25 else None,
        long_hair=bool(rng.random() < 0.35),
        skirt=bool(rng.random() < 0.12),
    )


def _rows(low: float, high: float) -> slice:
    scale = (SURFACE[0] - 1) / (1 + 2 * OVERHANG)
    return slice(max(0, round((low + OVERHANG) * scale)), max(0, round((high + OVERHANG) * scale)) + 1)


def _covered(bare: np.ndarray, cover: np.ndarray, share: float) -> np.ndarray:
    if share >= 1:
        return cover
    surface = bare.copy()
    if share > 0:
        end = _rows(-OVERHANG, share).stop
        surface[:end] = cover[:end]
        surface[end : end + 2] *= 0.75
    return surface


def _column(angle: float) -> int:
    return round((angle / (2 * np.pi) + 0.5) * (SURFACE[1] - 1))


def _face(rng: np.random.Generator, wear: _Wardrobe) -> np.ndarray:
    face = skin(rng, wear.tone)
    strands = 1 + 0.16 * np.repeat(rng.standard_normal((1, SURFACE[1], 1)), SURFACE[0], axis=0)
    hair = plain(wear.hair) * strands
    around = np.abs(np.linspace(-np.pi, np.pi, SURFACE[1]))[None]
    along = np.linspace(-OVERHANG, 1 + OVERHANG, SURFACE[0])[:, None]
    hairline = rng.uniform(0.82, 1.0) - 0.95 * np.clip((around - rng.uniform(0.9, 1.25)) / 0.5, 0, 1)
    low = 0.05 if rng.random() < 0.6 else -0.3
    bald = rng.random() < 0.08
    scalp = (along > np.maximum(hairline, low)) & (not bald)
    face[scalp] = hair[scalp]
    face = finish(face)  # OpenCV antialiases 8-bit images only
    row = {name: _rows(at, at).start for name, at in (("eye", 0.5), ("brow", 0.64), ("mouth", 0.02), ("nose", 0.3))}
    for side in (-1, 1):
        eye = (_column(side * 0.5), row["eye"])
        cv2.ellipse(face, eye, (6, 3), 0, 0, 360, (wear.tone * 0.72).tolist(), -1, cv2.LINE_AA)
        cv2.ellipse(face, eye, (4, 2), 0, 0, 360, (238.0, 236.0, 232.0), -1, cv2.LINE_AA)
        cv2.circle(face, eye, 2, (34.0, 26.0, 22.0), -1, cv2.LINE_AA)
        brow = (_column(side * 0.5), row["brow"])
        cv2.ellipse(face, brow, (7, 1), 0, 0, 360, (wear.hair * 0.8).tolist(), -1, cv2.LINE_AA)
    cv2.ellipse(face, (_column(0), row["nose"]), (4, 7), 0, 0, 360, (wear.tone * 0.85).tolist(), -1, cv2.LINE_AA)
    lips = wear.tone * np.array((0.82, 0.55, 0.55))
    cv2.ellipse(face, (_column(0), row["mouth"]), (8, 2), 0, 0, 360, lips.tolist(), -1, cv2.LINE_AA)
    if rng.random() < 0.2:
        beard = (along < 0.12 + 0.25 * np.clip(around - 0.5, 0, 1)) & (around < 1.7)
        face[beard] = 0.4 * face[beard] + 0.6 * wear.hair
    if rng.random() < 0.15:
        for side in (-1, 1):
            cv2.circle(face, (_column(side * 0.5), row["eye"]), 8, (25.0, 25.0, 28.0), 2, cv2.LINE_AA)
    if wear.hat is not None:
        face[_rows(0.78, 2).start :] = finish(wear.hat)
    return face


def person(rng: np.random.Generator) -> Body:
    """A clothed person with COCO's 17 keypoints."""
    wear = _wardrobe(rng)
    tall = float(rng.choice((rng.uniform(1.5, 1.95), rng.uniform(0.95, 1.45)), p=(0.85, 0.15)))
    child = float(np.clip((1.5 - tall) / 0.5, 0, 1))
    girth = float(rng.uniform(0.85, 1.25))
    shoulder, hip = tall * rng.uniform(0.095, 0.118), tall * rng.uniform(0.047, 0.058)
    thigh, shin = tall * (0.245 - 0.02 * child), tall * (0.235 - 0.02 * child)
    upper, fore, trunk = tall * 0.168, tall * 0.145, tall * 0.285
    skull = tall * (0.045 + 0.02 * child)

    made = Anatomy()
    made.joint("pelvis", None)
    made.joint("chest", "pelvis", (0, -0.35 * trunk, 0))
    made.joint("neck", "chest", (0, -0.63 * trunk, 0))
    made.joint("head", "neck", (0.01 * tall, -0.045 * tall, 0))

    bottoms = cloth(rng, wear.trousers, dye(rng), str(rng.choice(("denim", "plain", "stripes"), p=(0.4, 0.5, 0.1))))
    top = cloth(rng, wear.shirt, wear.second, wear.pattern)
    belt = _covered(bottoms, top, 0.0)
    pelvis = made.part(
        "pelvis", (0, 0.03 * tall, 0), (0, -0.1 * trunk, 0), (0.088 * tall * girth, 0.08 * tall * girth), belt,
        flat=0.68, cap=0.6, nearer=0.01,
    )  # fmt: skip
    waist = made.part(
        "pelvis", (0, -0.12 * trunk, 0), (0, -0.5 * trunk, 0), (0.082 * tall * girth, 0.083 * tall * girth), top,
        flat=0.68, cap=0.4, nearer=0.015,
    )  # fmt: skip
    chest = made.part(
        "chest", (0, -0.02 * trunk, 0), (0, -0.55 * trunk, 0), (0.08 * tall * girth, 0.9 * shoulder), top,
        flat=0.62, cap=0.38, bulge=0.08, nearer=0.02,
    )  # fmt: skip
    hip_cover = [pelvis, waist]
    if wear.skirt:
        skirt = made.part(
            "pelvis", (0, -0.08 * trunk, 0), (0, 0.6 * thigh, 0), (0.08 * tall * girth, 0.14 * tall * girth), bottoms,
            flat=0.85, cap=0.2, nearer=0.25,
        )  # fmt: skip
        hip_cover.append(skirt)
    throat = skin(rng, wear.tone * 0.92)
    made.part(
        "neck", (0, 0.012 * tall, 0), (0.005 * tall, -0.05 * tall, 0), (0.031 * tall, 0.028 * tall), throat, cap=0.6
    )
    _head(made, rng, wear, skull)

    bare_arm, bare_leg = skin(rng, wear.tone), skin(rng, wear.tone)
    sleeve = cloth(rng, wear.second if wear.pattern == "yoke" else wear.shirt, wear.second, "plain")
    if wear.pattern in ("hoops", "plaid", "dots"):
        sleeve = top
    sole = cloth(rng, wear.shoes, dye(rng), str(rng.choice(("plain", "hoops"))))
    sock = cloth(rng, hue(rng, (0, 0.2), (0.7, 0.95)), wear.shoes, "plain")
    arm_width, leg_width = tall * 0.027 * girth, tall * 0.047 * girth
    loose = 1 + 0.18 * rng.random()
    trunk_parts = (chest, waist)
    for side, sign in SIDES:
        made.joint(f"{side}_shoulder", "chest", (0, -0.57 * trunk, sign * shoulder))
        made.joint(f"{side}_elbow", f"{side}_shoulder", (0, upper, 0))
        made.joint(f"{side}_wrist", f"{side}_elbow", (0, fore, 0))
        made.joint(f"{side}_hip", "pelvis", (0, 0.02 * tall, sign * hip))
        made.joint(f"{side}_knee", f"{side}_hip", (0, thigh, 0))
        made.joint(f"{side}_ankle", f"{side}_knee", (0, shin, 0))
        wide = loose if wear.sleeve > 0 else 1.0
        upper_arm = made.part(
            f"{side}_shoulder", (0, 0.01 * tall, 0), (0, upper, 0), (1.3 * arm_width * wide, arm_width * wide),
            _covered(bare_arm, sleeve, wear.sleeve), bulge=0.06, nearer=0.005,
        )  # fmt: skip
        forearm = made.part(
            f"{side}_elbow", (0, 0, 0), (0, 0.97 * fore, 0), (0.98 * arm_width, 0.66 * arm_width),
            _covered(bare_arm, sleeve, wear.sleeve - 1), bulge=0.1, nearer=0.008,
        )  # fmt: skip
        hand = made.part(
            f"{side}_wrist", (0, 0.01 * tall, 0), (0.008 * tall, 0.075 * tall, 0), (0.022 * tall, 0.014 * tall),
            skin(rng, wear.tone * 1.03), front=(0, 0, 1), flat=1.0, bulge=0.15, nearer=0.01,
        )  # fmt: skip
        baggy = loose if wear.leg > 1 else 1.0
        upper_leg = made.part(
            f"{side}_hip", (0, 0, 0), (0, thigh, 0), (1.25 * leg_width, 0.85 * leg_width * baggy),
            _covered(bare_leg, bottoms, wear.leg), cap=0.8, bulge=0.05,
        )  # fmt: skip
        lower_leg = made.part(
            f"{side}_knee", (0, 0, 0), (0, shin, 0), (0.8 * leg_width * baggy, 0.52 * leg_width * baggy),
            _covered(bare_leg, bottoms, wear.leg - 1) if wear.leg > 1 else _stocking(bare_leg, sock, rng),
            bulge=0.14,
        )  # fmt: skip
        foot = made.part(
            f"{side}_ankle", (-0.018 * tall, 0.022 * tall, 0), (0.095 * tall, 0.03 * tall, 0),
            (0.026 * tall, 0.019 * tall), sole, front=(0, -1, 0), bulge=0.05, nearer=0.005,
        )  # fmt: skip
        outward = (0, 0, 0.36 * sign)
        made.landmark(f"{side}_shoulder", f"{side}_shoulder", (0, 0, 0), (upper_arm, *trunk_parts), outward)
        made.landmark(f"{side}_elbow", f"{side}_elbow", (0, 0, 0), (upper_arm, forearm))
        made.landmark(f"{side}_wrist", f"{side}_wrist", (0, 0, 0), (forearm, hand))
        made.landmark(f"{side}_hip", f"{side}_hip", (0, 0, 0), (upper_leg, *hip_cover), outward)
        made.landmark(f"{side}_knee", f"{side}_knee", (0, 0, 0), (upper_leg, lower_leg))
        made.landmark(f"{side}_ankle", f"{side}_ankle", (0, 0, 0), (lower_leg, foot))
        made.foot(f"{side}_ankle", (-0.03 * tall, 0.048 * tall, 0))
        made.foot(f"{side}_ankle", (0.1 * tall, 0.048 * tall, 0))
    return made.body(COCO_17, tall)


def _stocking(bare: np.ndarray, sock: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return np.where((np.arange(SURFACE[0]) > _rows(rng.uniform(0.55, 1.1), 1.2).start)[:, None, None], sock, bare)


def _head(made: Anatomy, rng: np.random.Generator, wear: _Wardrobe, skull: float) -> None:
    deep = 1.18
    jaw, crown = 0.78 * skull, skull
    bottom, top = np.array((0.1 * skull, -0.35 * skull, 0)), np.array((0.1 * skull, -1.75 * skull, 0))
    head = made.part("head", bottom, top, (jaw, crown), _face(rng, wear), flat=deep, cap=0.85, bulge=0.04, nearer=0.03)
    along = top - bottom

    def on_face(share: float, angle: float, out: float = 1.0) -> np.ndarray:
        radius = (jaw + (crown - jaw) * share) * out
        return np.array(
            bottom + share * along + radius * np.array((deep * np.cos(angle), 0, np.sin(angle))), dtype=float
        )

    nose = made.part(
        "head", on_face(0.42, 0, 0.9), on_face(0.28, 0, 1.06), (0.12 * skull, 0.17 * skull),
        skin(rng, wear.tone * 0.97), nearer=0.04,
    )  # fmt: skip
    own = [head, nose]
    hair = plain(wear.hair) * (1 + 0.15 * rng.standard_normal((1, SURFACE[1], 1)))
    if wear.long_hair:
        drop = rng.uniform(0.2, 2.6)
        made.part(
            "head", (-0.35 * skull, -1.6 * skull, 0), (-0.7 * skull, drop * skull, 0), (1.02 * skull, 0.7 * skull),
            hair, flat=0.75, nearer=-0.01,
        )  # fmt: skip
    if wear.hat is not None:
        made.part(
            "head", on_face(0.86, 0, 0.5), on_face(0.84, 0, 1.5), (0.75 * skull, 0.62 * skull), plain(wear.hat * 0.85),
            front=(0, -1, 0), flat=0.18, cap=0.5, nearer=0.05,
        )  # fmt: skip
    made.landmark("nose", "head", on_face(0.28, 0, 1.2), own, (1, 0, 0))
    half = np.array((0, 0.16 * skull, 0))
    for side, sign in SIDES:
        eye = on_face(0.5, sign * 0.5)
        made.landmark(f"{side}_eye", "head", eye, own, (np.cos(0.5), 0, sign * np.sin(0.5)))
        lobe = on_face(0.4, sign * 1.6)
        ear = made.part(
            "head", lobe + half, lobe - half, (0.12 * skull, 0.2 * skull),
            skin(rng, wear.tone * 0.9), front=(0, 0, 1), flat=0.5, nearer=0.02,
        )  # fmt: skip
        made.landmark(f"{side}_ear", "head", lobe, (head, ear), (0, 0, sign))
