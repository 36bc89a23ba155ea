"""The network gives what the published one gives, in whatever precision others compute."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from models.compute.devices import Compute
from models.errors import CheckpointError
from models.people.network import LANDMARKS, PeopleNetwork, load
from models.weights import PEOPLE

SKIN, SHIRT, TROUSERS, SHOES, EYES = (205, 160, 130), (60, 80, 150), (40, 40, 50), (90, 60, 40), (20, 20, 20)

#: Ends, radius, colour.
LIMBS = (
    ((128, 62), (128, 74), 15, SKIN),
    ((128, 80), (128, 92), 7, SKIN),
    ((113, 98), (143, 98), 9, SHIRT),
    ((128, 100), (128, 140), 19, SHIRT),
    ((108, 98), (92, 126), 7, SHIRT),
    ((92, 126), (84, 156), 6, SKIN),
    ((148, 98), (166, 124), 7, SHIRT),
    ((166, 124), (178, 150), 6, SKIN),
    ((119, 146), (114, 184), 10, TROUSERS),
    ((114, 184), (112, 222), 8, TROUSERS),
    ((137, 146), (144, 184), 10, TROUSERS),
    ((144, 184), (150, 222), 8, TROUSERS),
    ((110, 226), (102, 229), 6, SHOES),
    ((152, 226), (160, 229), 6, SHOES),
    ((122, 64), (123, 64), 2, EYES),
    ((134, 64), (135, 64), 2, EYES),
)

#: What pose_landmark_full.tflite of mediapipe 0.10.21 says of the figure, in TensorFlow Lite's own interpreter (2.3.0).
ORIGINAL = {
    "nose": (128.502, 71.302),
    "left_shoulder": (149.102, 94.092),
    "right_shoulder": (106.773, 96.106),
    "left_wrist": (173.542, 142.744),
    "right_wrist": (87.484, 145.293),
    "left_hip": (140.464, 141.128),
    "right_knee": (117.952, 183.536),
    "left_ankle": (150.103, 220.241),
    "right_foot": (103.793, 233.702),
    "middle": (128.991, 141.625),
    "reach": (126.935, 42.651),
}


def figure() -> Tensor:
    """A figure of a person, ``(1, 3, 256, 256)`` uint8, drawn by arithmetic alone."""
    y, x = np.mgrid[:256, :256].astype(np.float64)
    image = np.stack([150 + 0.2 * y, 160 + 0.1 * x, 170 - 0.1 * y], axis=-1)
    for (ax, ay), (bx, by), radius, colour in LIMBS:
        along = np.clip(((x - ax) * (bx - ax) + (y - ay) * (by - ay)) / ((bx - ax) ** 2 + (by - ay) ** 2), 0, 1)
        away = np.hypot(x - ax - along * (bx - ax), y - ay - along * (by - ay))
        cover = np.clip(radius + 0.5 - away, 0, 1)[..., None]
        image = (1 - cover) * image + cover * np.array(colour) * (1 - 0.3 * (away / radius)[..., None].clip(0, 1))
    return torch.from_numpy(image.round().astype(np.uint8)).permute(2, 0, 1)[None]


@pytest.fixture(scope="module")
def people() -> PeopleNetwork:
    return load(PEOPLE)


@torch.inference_mode()
def test_places_are_those_of_the_published_network(people: PeopleNetwork) -> None:
    xy, person = people(figure())
    assert xy.shape == (1, len(LANDMARKS), 2)
    for name, place in ORIGINAL.items():
        np.testing.assert_allclose(xy[0, LANDMARKS.index(name)], place, atol=0.02, err_msg=name)
    assert person.item() == pytest.approx(0.99995, abs=1e-4)


@torch.inference_mode()
def test_it_computes_in_fp32_where_others_compute_in_bf16(people: PeopleNetwork) -> None:
    xy, person = people(figure())
    with Compute(torch.device("cpu"), "bf16").autocast():
        again, still = people(figure())
    assert torch.equal(xy, again)
    assert torch.equal(person, still)


@torch.inference_mode()
def test_there_is_nobody_on_an_empty_picture(people: PeopleNetwork) -> None:
    _, person = people(torch.full((1, 3, 256, 256), 128, dtype=torch.uint8))
    assert person.item() < 0.1


def test_weights_that_are_none_or_of_another_network_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "people.safetensors"
    with pytest.raises(CheckpointError, match="cannot be read"):
        load(path)
    path.write_bytes(b"no weights")
    with pytest.raises(CheckpointError, match="cannot be read"):
        load(path)
    state = load_file(PEOPLE)
    del state["person.bias"]
    save_file(state, path)
    with pytest.raises(CheckpointError, match=r"people\.safetensors holds no weights of the network that finds people"):
        load(path)
