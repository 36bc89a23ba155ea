"""Work at the labelling desk in a real browser: subjects mended and undone, keys, the palette, a keypoint pass."""

from __future__ import annotations

import numpy as np
import pytest

from tests.page.conftest import label, uploaded

KEYFRAMES = (0, 10, 20)
KEYPOINT = "head"
ALONE = 28


@pytest.fixture(scope="module")
def video(lab, pair):
    """A video with two flies that are labelled on a few frames."""
    with lab.client() as client:
        video = uploaded(client, pair, "Flies")
        for name, track in zip(("left fly", "right fly"), pair.tracks.values(), strict=True):
            made = client.post(f"/videos/{video}/tracks", {"name": name})
            label(client, video, made["id"], track, KEYFRAMES)
    return video


@pytest.fixture(scope="module")
def seen(drive, lab, video, pair):
    assert KEYPOINT in pair.skeleton.keypoints
    about = lab.about
    told = {"video": video, "keypoint": KEYPOINT, "frames": pair.num_frames}
    return drive("desk.mjs", {**about, **told, "alone": ALONE, "names": pair.skeleton.keypoints})


def test_nothing_is_thrown_on_the_way_and_axe_finds_nothing(seen):
    # That both subjects are labelled on some frames is answered with 409, which the browser writes down.
    assert [fault for fault in seen["faults"] if "409" not in fault] == []
    assert {place: found for place, found in seen["wrong"].items() if found} == {}


def test_acts_on_subjects_are_undone_in_order_with_the_edit_before_them(seen):
    before, back = seen["back"]
    assert back == before
    assert seen["merged"] == ["right fly"]


def test_swapping_gives_a_subject_the_others_pose(seen, pair):
    other = [*pair.tracks.values()][1]
    place = list(other.frames).index(0)
    truth = other.xy[place, pair.skeleton.keypoints.index(KEYPOINT)]
    assert np.abs(np.array(seen["swapped"]) - truth).max() < 0.02


def test_an_act_on_a_subject_is_of_the_frame_that_it_was_chosen_on(seen):
    assert seen["split"] == {"track": 1, "start": 10}


def test_what_was_undone_is_so_on_the_service(seen, lab, video):
    with lab.client() as client:
        tracks = client.get(f"/videos/{video}/tracks")["items"]
    assert [track["name"] for track in tracks] == ["left fly", "right fly"]


def test_a_subjects_colour_is_kept(seen):
    assert seen["colour"] == "rgb(255, 122, 69)"


def test_a_key_that_is_given_to_another_act_is_warned_of_and_taken_from_the_first(seen):
    assert "Middle between two keyframes" in seen["warned"]
    assert [text.strip() for text in seen["keys"]] == ["M", "no key"]
    assert seen["typed"] == "0"


def test_m_goes_to_a_frame_between_the_keyframes_around(seen):
    assert 0 < seen["middle"] < 10


def test_the_ghost_is_of_the_keyframe_before_or_after_or_none(seen):
    before, after, none = seen["ghosts"]
    assert before != after
    assert none


def test_a_keypoint_pass_places_one_keypoint_on_frame_after_frame(seen, lab, video, pair):
    assert seen["pass"] == [["1 of 3", 5], ["3 of 3", 25]]
    index = pair.skeleton.keypoints.index(KEYPOINT)
    with lab.client() as client:
        labels = client.get(f"/videos/{video}/labels", start=0, stop=pair.num_frames, layer="human")["labels"]
    said = {label["frame_index"]: label["keypoints"] for label in labels if label["track_id"] == 1}
    assert [said[frame][index][2] for frame in (5, 15)] == [2, 1]
    assert 25 not in said
    assert [v for place, (_, _, v) in enumerate(said[5]) if place != index] == [0] * (len(pair.skeleton.keypoints) - 1)
    # The view had the keypoint where it should be in its middle: half way between the keyframes around.
    track = next(iter(pair.tracks.values()))
    ends = [track.xy[list(track.frames).index(frame), index] for frame in (0, 10)]
    assert np.abs(np.array(said[5][index][:2]) - np.mean(ends, axis=0)).max() < 1


def test_a_keyframe_is_labelled_by_the_keyboard_alone(seen, lab, video, pair):
    track = next(iter(pair.tracks.values()))
    before = track.xy[list(track.frames).index(KEYFRAMES[-1])]
    begun, moved = seen["cross"]
    # It begins where the keypoint was on the keyframe before.
    assert np.abs(np.array(begun) - before[0]).max() < 0.02
    assert moved[0] > begun[0] + 3
    assert moved[1] > begun[1]
    with lab.client() as client:
        labels = client.get(f"/videos/{video}/labels", start=ALONE, stop=ALONE + 1, layer="human")["labels"]
    [label] = [label for label in labels if label["track_id"] == 1]
    said = np.array(label["keypoints"])
    assert np.abs(said[0, :2] - moved).max() < 0.02
    assert np.abs(said[1:-1, :2] - before[1:-1]).max() < 0.02
    assert np.abs(said[-1, :2] - seen["nudged"]).max() < 0.02
    assert seen["nudged"][0] < before[-1, 0] - 0.1
    assert said[:, 2].tolist() == [2, 1, *[2] * (len(before) - 2)]


def test_brightness_and_contrast_are_a_matter_of_looking(seen):
    assert seen["filter"] == "brightness(1.12) contrast(1.12)"
    assert seen["plain"] == "none"
