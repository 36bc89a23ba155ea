from __future__ import annotations

import cv2
import numpy as np

from models.engines.lucas_kanade import follow


def textured(count: int, shift: tuple[int, int] = (2, 1)) -> list[np.ndarray]:
    """A blurred random texture that moves by ``shift`` a frame, with nothing new at the borders."""
    noise = np.random.default_rng(0).integers(0, 256, (300, 300), dtype=np.uint8)
    picture = cv2.GaussianBlur(noise, (0, 0), 2)
    return [np.roll(picture, (shift[1] * t, shift[0] * t), (0, 1))[60:240, 60:240].copy() for t in range(count)]


def steps(*values: int) -> np.ndarray:
    return np.array(values)


def test_points_move_with_the_texture() -> None:
    points = np.array([(50.0, 60.0), (100.5, 80.25)])
    chains = follow(textured(11), points, steps(0, 0), steps(10, 10))
    assert np.abs(chains.xy[10] - points - (20, 10)).max() < 0.2
    assert chains.drift[10].max() < 0.5


def test_reversed_images_lead_back() -> None:
    images, points = textured(11), np.array([(50.0, 60.0)])
    there = follow(images, points, steps(0), steps(10)).xy[10]
    back = follow(images[::-1], there, steps(0), steps(10)).xy[10]
    assert np.abs(back - points).max() < 0.2


def test_a_point_rests_outside_its_part_of_the_images() -> None:
    points = np.array([(50.0, 60.0)])
    chains = follow(textured(11), points, steps(3), steps(6))
    assert np.array_equal(chains.xy[:4], np.repeat(points[None], 4, axis=0))
    assert np.abs(chains.xy[6] - points - (6, 3)).max() < 0.2
    assert np.array_equal(chains.xy[6:], np.repeat(chains.xy[6:7], 5, axis=0))


def test_points_do_not_influence_each_other() -> None:
    images, points = textured(6), np.array([(50.0, 60.0), (90.0, 30.0), (20.0, 100.0)])
    together = follow(images, points, steps(0, 0, 0), steps(5, 5, 5))
    alone = follow(images, points[1:2], steps(0), steps(5))
    assert np.array_equal(together.xy[:, 1:2], alone.xy)
    assert np.array_equal(together.drift[:, 1:2], alone.drift)


def test_drift_grows_where_the_picture_is_exchanged() -> None:
    images = textured(6)
    images[3] = 255 - np.ascontiguousarray(images[3].T)
    points = np.array([(50.0, 60.0)])
    cut, calm = follow(images, points, steps(0), steps(5)), follow(textured(6), points, steps(0), steps(5))
    assert cut.drift[5, 0] > 10 * calm.drift[5, 0]


def test_a_point_outside_the_image_stays_and_is_not_trusted() -> None:
    points = np.array([(-40.0, 500.0)])
    chains = follow(textured(4), points, steps(0), steps(3))
    assert np.allclose(chains.xy, points)
    assert chains.drift[3, 0] > 10
