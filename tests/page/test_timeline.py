"""The timeline in a real browser: the plot above it, a range of frames, pictures of what is pointed at."""

from __future__ import annotations

import pytest

from tests.page.conftest import label, uploaded

KEYFRAMES = (0, 20)
RANGE = (4, 16)
BETWEEN = 10
KEYPOINT = "head"


@pytest.fixture(scope="module")
def video(lab, pair):
    """A video with a fly that is labelled on two frames and propagated between them."""
    with lab.client() as client:
        video = uploaded(client, pair, "Flies")
        track = client.post(f"/videos/{video}/tracks", {"name": "fly"})["id"]
        label(client, video, track, next(iter(pair.tracks.values())), KEYFRAMES)
        client.wait(client.post(f"/videos/{video}/propagations", {"engine": "linear"})["id"], lambda job: None)
    return video


@pytest.fixture(scope="module")
def before(lab, video, pair):
    """What the service plots before anything is changed."""
    index = pair.skeleton.keypoints.index(KEYPOINT)
    with lab.client() as client:
        url = f"/videos/{video}/curves"
        radius = client.get(url, track_id=1)["high"][BETWEEN]
        x = client.get(url, track_id=1, quantity="x", keypoint=index)["high"][BETWEEN]
    return radius, x


@pytest.fixture(scope="module")
def seen(drive, lab, video, pair, before):
    about = lab.about
    told = {"video": video, "keypoint": KEYPOINT, "frames": pair.num_frames, "between": BETWEEN, "range": RANGE}
    return drive("timeline.mjs", {**about, **told})


def test_nothing_is_thrown_and_axe_finds_nothing(seen):
    assert seen["faults"] == []
    assert {place: found for place, found in seen["wrong"].items() if found} == {}


def test_a_frame_whose_poses_are_late_is_not_taken_for_a_blank_one(seen):
    assert seen["asked"] == 0


def test_the_plot_shows_what_the_service_knows_on_the_frame(seen, before):
    radius, x = before
    assert seen["quantities"] == ["Radius", "Speed", "x"]
    assert float(seen["radius"].split()[0]) == pytest.approx(radius, abs=0.51)
    assert float(seen["x"].split()[0]) == pytest.approx(x, abs=0.51)


def test_the_plot_follows_an_edit(seen):
    was, now = (float(text.split()[0]) for text in seen["edited"])
    assert now > was + 1


def test_one_picture_is_asked_for_at_a_time_and_not_every_one(seen, pair):
    assert seen["most"] == 1
    assert seen["pictures"] < pair.num_frames - 3


def test_a_range_is_dragged_mended_and_forgotten(seen):
    ranges = [*((5, 12), (5, 9), (5, 18)), (RANGE[0], RANGE[1] - 1)]
    assert [text.strip() for text in seen["ranges"]] == [f"Only frames {first}\u2013{last}" for first, last in ranges]


def test_the_range_is_what_is_propagated(seen, lab, video):
    with lab.client() as client:
        first, second = client.get(f"/videos/{video}/runs")["items"]
    assert (second["state"], second["start"], second["stop"]) == ("succeeded", *RANGE)
    assert (first["start"], first["stop"]) != RANGE
