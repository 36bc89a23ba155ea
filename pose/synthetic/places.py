"""Pictures of places: walls and skylines, floors and lawns, and things that stand about."""

from __future__ import annotations

import cv2
import numpy as np

from pose.synthetic.textures import dye, finish, hue, noise

#: Rows and columns of a backdrop.
BACKDROP = (400, 1000)

#: Rows and columns of a ground.
GROUND = (640, 640)

_WHITE = (235.0, 235.0, 232.0)


def _vary(colour: np.ndarray, field: np.ndarray, strength: float) -> np.ndarray:
    return colour * (1 + strength * field[..., None])


def _sky(rng: np.random.Generator) -> np.ndarray:
    rows, columns = BACKDROP
    high = hue(rng, (0.15, 0.65), (0.55, 0.95), (200, 225))
    low = high + (245 - high) * rng.uniform(0.3, 0.8)
    ramp = np.linspace(0, 1, rows)[:, None, None]
    sky = np.broadcast_to(high + (low - high) * ramp, (rows, columns, 3))
    clouds = np.clip(noise(rng, BACKDROP, smoothness=2, zoom=0.5) - rng.uniform(-0.5, 1.5), 0, 1) * 0.8
    return np.asarray(sky + (238 - sky) * clouds[..., None], dtype=np.float32)


def _ridge(rng: np.random.Generator, image: np.ndarray, base: float, colour: np.ndarray, rough: float) -> None:
    rows, columns = BACKDROP
    line = base * rows + rough * rows * noise(rng, (8, columns), smoothness=1, zoom=0.5)[0]
    below = np.arange(rows)[:, None] > line[None]
    shade = _vary(colour, noise(rng, BACKDROP, smoothness=0, zoom=0.6), 0.28)
    image[below] = shade[below]


def _building(rng: np.random.Generator, image: np.ndarray, left: int, right: int, top: int) -> None:
    rows = BACKDROP[0]
    wall = hue(rng, (0.02, 0.4), (0.3, 0.9), (0, 60))
    image[top:, left:right] = wall * rng.uniform(0.85, 1.1)
    glass = hue(rng, (0.1, 0.5), (0.15, 0.55), (190, 230))
    pitch_x, pitch_y = int(rng.integers(14, 34)), int(rng.integers(18, 40))
    for y in range(top + 8, rows - pitch_y, pitch_y):
        for x in range(left + 6, right - pitch_x + 4, pitch_x):
            pane = glass * rng.uniform(0.7, 1.5)
            cv2.rectangle(image, (x, y), (x + int(0.6 * pitch_x), y + int(0.62 * pitch_y)), pane.tolist(), -1)
            cv2.rectangle(image, (x, y), (x + int(0.6 * pitch_x), y + int(0.62 * pitch_y)), (wall * 1.15).tolist(), 1)


def _street(rng: np.random.Generator) -> np.ndarray:
    image = _sky(rng)
    rows, columns = BACKDROP
    left = 0
    while left < columns:
        wide = int(rng.integers(60, 260))
        if rng.random() < 0.85:
            _building(rng, image, left, min(columns, left + wide), int(rng.uniform(0.02, 0.7) * rows))
        left += wide
    image[-int(rng.integers(6, 40)) :] *= 0.6
    return image


def _park(rng: np.random.Generator) -> np.ndarray:
    image = _sky(rng)
    green = hue(rng, (0.25, 0.65), (0.2, 0.55), (70, 135))
    if rng.random() < 0.7:
        _ridge(rng, image, rng.uniform(0.3, 0.6), green * 0.6 + (70, 80, 95), 0.06)
    _ridge(rng, image, rng.uniform(0.45, 0.8), green, 0.07)
    if rng.random() < 0.5:
        _ridge(rng, image, rng.uniform(0.75, 0.95), green * 0.7, 0.02)
    return image


def _room(rng: np.random.Generator) -> np.ndarray:
    rows, columns = BACKDROP
    wall = hue(rng, (0.02, 0.45), (0.35, 0.92))
    image = _vary(np.broadcast_to(wall, (rows, columns, 3)), noise(rng, BACKDROP, smoothness=2), 0.06).astype(
        np.float32
    )
    style = rng.random()
    if style < 0.2:
        image[:, (np.arange(columns) // int(rng.integers(8, 30))) % 2 == 0] *= 0.9
    elif style < 0.4:
        high, wide = int(rng.integers(14, 30)), int(rng.integers(30, 60))
        for y in range(0, rows, high):
            image[y : y + 2] *= 0.8
            for x in range((y // high) % 2 * wide // 2, columns, wide):
                image[y : y + high, x : x + 2] *= 0.8
    image = finish(image)  # OpenCV antialiases 8-bit images only
    x = int(rng.integers(0, 120))
    while x < columns - 60:
        wide, tall = int(rng.integers(40, 190)), int(rng.integers(50, 210))
        top = int(rng.integers(40, 180))
        frame = dye(rng).tolist()
        what = rng.random()
        box = ((x, top), (x + wide, top + tall))
        if what < 0.3:
            cv2.rectangle(image, *box, hue(rng, (0, 0.3), (0.7, 1), (180, 230)).tolist(), -1)
            cv2.rectangle(image, *box, _WHITE, 6, cv2.LINE_AA)
            cv2.line(image, (x + wide // 2, top), (x + wide // 2, top + tall), _WHITE, 4)
        elif what < 0.55:
            texture = dye(rng) + 40 * noise(rng, (tall, wide), smoothness=2)[..., None] * rng.uniform(0, 1, 3)
            image[top : top + tall, x : x + wide] = finish(texture)[: rows - top, : columns - x]
            cv2.rectangle(image, *box, frame, int(rng.integers(2, 7)), cv2.LINE_AA)
        elif what < 0.75:
            cv2.rectangle(image, (x, top), (x + wide, rows), frame, -1)
            for y in range(top + 6, rows - 30, 46):
                cv2.rectangle(image, (x + 5, y), (x + wide - 5, y + 38), (dye(rng) * 0.5).tolist(), -1)
                for book in range(x + 7, x + wide - 14, 9):
                    cv2.rectangle(
                        image, (book, y + int(rng.integers(4, 20))), (book + 7, y + 38), dye(rng).tolist(), -1
                    )
        elif what < 0.9:
            cv2.rectangle(image, (x, 90), (x + wide, rows), (np.array(frame) * 0.9).tolist(), -1)
            cv2.rectangle(image, (x, 90), (x + wide, rows), (30.0, 26.0, 24.0), 3)
            cv2.circle(image, (x + wide - 14, 250), 5, (190.0, 180.0, 120.0), -1, cv2.LINE_AA)
        x += wide + int(rng.integers(20, 200))
    image[-int(rng.integers(8, 18)) :] = wall * 0.55
    return image


def _studio(rng: np.random.Generator) -> np.ndarray:
    colour = hue(rng, (0, 0.5), (0.08, 0.95))
    rows, columns = BACKDROP
    glow = 1.15 - 0.5 * np.abs(np.linspace(-1, 1, columns)) ** 2
    image = np.broadcast_to(colour * glow[None, :, None], (rows, columns, 3))
    folds = np.sin(np.linspace(0, rng.uniform(40, 160), columns) + 2 * noise(rng, (2, columns), smoothness=2)[0])
    return np.asarray(image * (1 + 0.18 * rng.integers(0, 2) * folds[None, :, None]), dtype=np.float32)


def _jumble(rng: np.random.Generator) -> np.ndarray:
    image = dye(rng) + noise(rng, BACKDROP)[..., None] * rng.uniform(8, 40) * rng.uniform(0.4, 1, 3)
    image = finish(image)
    for _ in range(int(rng.integers(20, 160))):
        at = rng.integers(0, BACKDROP[1]), rng.integers(0, BACKDROP[0])
        corners = (np.array(at) + rng.normal(0, rng.uniform(8, 70), (int(rng.integers(3, 7)), 2))).astype(np.int32)
        cv2.fillPoly(image, [corners], dye(rng).tolist(), cv2.LINE_AA)
    return image


def backdrop(rng: np.random.Generator, indoors: bool) -> np.ndarray:
    """The picture behind everything, ``BACKDROP`` uint8 RGB, its last row on the ground."""
    paint = (
        (_room, _studio, _jumble)[int(rng.choice(3, p=(0.8, 0.16, 0.04)))]
        if indoors
        else (_street, _park, _jumble)[int(rng.choice(3, p=(0.46, 0.5, 0.04)))]
    )
    return finish(paint(rng))


def ground(rng: np.random.Generator, indoors: bool) -> np.ndarray:
    """A floor or a lawn from above, ``GROUND`` uint8 RGB."""
    rows, columns = GROUND
    style = str(rng.choice(("wood", "tiles", "carpet") if indoors else ("grass", "asphalt", "sand", "paving")))
    fine, broad = noise(rng, GROUND, smoothness=0, zoom=0.8), noise(rng, GROUND, smoothness=2, zoom=0.4)
    colour = {
        "wood": lambda: hue(rng, (0.25, 0.65), (0.3, 0.75), (18, 38)),
        "tiles": lambda: hue(rng, (0, 0.3), (0.4, 0.9)),
        "carpet": lambda: hue(rng, (0.03, 0.4), (0.25, 0.75)),
        "grass": lambda: hue(rng, (0.3, 0.62), (0.35, 0.68), (62, 108)),
        "asphalt": lambda: hue(rng, (0, 0.12), (0.2, 0.5)),
        "sand": lambda: hue(rng, (0.15, 0.45), (0.55, 0.9), (30, 48)),
        "paving": lambda: hue(rng, (0, 0.25), (0.35, 0.75)),
    }[style]()
    rough = {"grass": 0.25, "carpet": 0.12, "tiles": 0.03, "wood": 0.06}.get(style, 0.1)
    image = _vary(np.broadcast_to(colour, (rows, columns, 3)), fine, rough)
    image = _vary(image, broad, 0.1).astype(np.float32)
    if style == "wood":
        wide = int(rng.choice((32, 40, 64)))
        grain = noise(rng, (rows, 40), smoothness=1)
        image *= 1 + 0.1 * cv2.resize(grain, (columns, rows), interpolation=cv2.INTER_LINEAR)[..., None]
        for y in range(0, rows, wide):
            image[y : y + wide] *= rng.uniform(0.85, 1.12)
            image[y : y + 2] *= 0.6
            for x in rng.integers(0, columns, 3):
                image[y : y + wide, x : x + 2] *= 0.65
    elif style in ("tiles", "paving"):
        size = int(rng.choice((64, 80, 128)))
        check = rng.uniform(0.7, 1) if rng.random() < 0.5 else 1.0
        for y in range(0, rows, size):
            for x in range(0, columns, size):
                image[y : y + size, x : x + size] *= rng.uniform(0.95, 1.05) * (check if (x + y) // size % 2 else 1)
        for line in range(0, rows, size):
            image[line : line + 3] *= 0.65
            image[:, line : line + 3] *= 0.65
    elif style in ("asphalt", "grass") and rng.random() < 0.4:
        across, paint = int(rng.integers(100, columns - 100)), np.array(_WHITE) * rng.uniform(0.8, 1)
        image[:, across : across + 10] = paint
        if rng.random() < 0.5:
            image[across : across + 10] = paint
    return finish(image)


def arena(rng: np.random.Generator) -> np.ndarray:
    """Where animals are filmed from above, ``GROUND`` uint8 RGB."""
    rows, columns = GROUND
    dark = rng.random() < 0.4
    colour = hue(rng, (0, 0.15), (0.03, 0.16) if dark else (0.45, 0.92))
    if rng.random() < 0.1:
        colour = dye(rng)
    image = _vary(np.broadcast_to(colour, (rows, columns, 3)), noise(rng, GROUND, smoothness=2, zoom=0.5), 0.1)
    image = _vary(image, noise(rng, GROUND, smoothness=0), rng.uniform(0.02, 0.12)).astype(np.float32)
    style = rng.random()
    if style >= 0.85:
        for at in range(0, columns, int(rng.integers(40, 120))):
            image[at : at + 2] *= 0.8
            image[:, at : at + 2] *= 0.8
    image = finish(image)
    line = tuple(float(v) for v in (colour * 0.6 + (40 if dark else 0)))
    if style < 0.3:
        pitch, size = int(rng.integers(16, 34)), 5
        for block in range(int(rng.integers(1, 6))):
            corner = rng.integers(20, columns - 220, 2)
            for x in range(corner[0], corner[0] + 200, pitch):
                for y in range(corner[1], corner[1] + 200, pitch):
                    mark = tuple(float(v) for v in colour * (0.6 if block % 2 else 1.25) + 8)
                    cv2.rectangle(image, (x, y), (x + size, y + size), mark, 1, cv2.LINE_AA)
    elif style < 0.6:
        for radius in (int(rng.integers(180, 300)), int(rng.integers(240, 320))):
            cv2.circle(image, (columns // 2, rows // 2), radius, line, int(rng.integers(2, 9)), cv2.LINE_AA)
    for _ in range(int(rng.integers(0, 90))):
        x, y = (int(v) for v in rng.integers(0, columns, 2))
        speck = tuple(float(v) for v in colour * rng.uniform(0.4, 1.3) + rng.uniform(0, 40))
        if rng.random() < 0.7:
            cv2.circle(image, (x, y), int(rng.integers(1, 5)), speck, -1, cv2.LINE_AA)
        else:
            dx, dy = (int(v) for v in rng.normal(0, 20, 2))
            cv2.line(image, (x, y), (x + dx, y + dy), speck, 1, cv2.LINE_AA)
    return image


def thing(rng: np.random.Generator, kind: str) -> tuple[np.ndarray, float]:
    """A thing cut out of its surroundings.

    Args:
        rng: Draws it.
        kind: ``"tree"``, ``"bush"``, ``"box"``, ``"pole"``, ``"fence"`` or ``"leaf"``.

    Returns:
        ``(rows, columns, 4)`` uint8 with colours multiplied by opacity, and its height over its width.
    """
    shape = {"tree": (256, 160), "bush": (128, 180), "pole": (256, 24), "fence": (128, 256)}.get(kind, (160, 160))
    rows, columns = shape
    colour = np.zeros((rows, columns, 3), dtype=np.float32)
    cover = np.zeros(shape, dtype=np.float32)
    green = hue(rng, (0.25, 0.7), (0.15, 0.55), (60, 140))
    bark = hue(rng, (0.15, 0.5), (0.12, 0.4), (15, 40))
    if kind in ("tree", "bush", "leaf"):
        y, x = np.mgrid[0:rows, 0:columns].astype(np.float32)
        middle = 0.36 if kind == "tree" else 0.55
        crown = 1 - np.hypot((x / columns - 0.5) / 0.47, (y / rows - middle) / (middle - 0.02))
        crown = crown * 2 + 0.45 * noise(rng, shape, smoothness=1, zoom=1.5)
        cover = np.clip((crown - 0.15) * 6, 0, 1)
        light = np.clip(1.15 - 0.6 * y / rows, 0.4, 1.2)[..., None]
        colour = _vary(green * light, noise(rng, shape, smoothness=0, zoom=1.2), 0.3)
        if kind == "tree":
            stem = (np.abs(x - columns / 2) < columns * 0.045) & (y > rows * 0.45) & (cover < 0.5)
            colour[stem], cover[stem] = bark, 1
    else:
        paint = hue(rng, (0.05, 0.55), (0.2, 0.85))
        cover[1:-1, 1:-1] = 1
        colour[:] = _vary(np.broadcast_to(paint, colour.shape), noise(rng, shape, smoothness=1), 0.1)
        if kind == "pole":
            colour *= (0.6 + 0.6 * np.sin(np.linspace(0.3, np.pi - 0.1, columns)))[None, :, None]
        elif kind == "fence":
            cover[:] = 0
            cover[int(0.2 * rows) : int(0.3 * rows)] = cover[int(0.7 * rows) : int(0.8 * rows)] = 1
            cover[:, (np.arange(columns) % 32) < int(rng.integers(6, 24))] = 1
        else:
            edge = int(rng.integers(4, 14))
            colour[:edge] *= 1.2
            for _ in range(int(rng.integers(0, 4))):
                top, left = (int(v) for v in rng.integers(0, 110, 2))
                colour[top : top + int(rng.integers(10, 60)), left : left + int(rng.integers(10, 60))] = dye(rng)
            colour *= np.linspace(1.05, 0.75, columns)[None, :, None]
    picture = np.dstack([colour * cover[..., None], 255 * cover])
    picture[..., :3] = np.minimum(picture[..., :3], picture[..., 3:])
    return finish(picture), rows / columns
