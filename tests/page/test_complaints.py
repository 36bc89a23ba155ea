"""What users of other tools complain of, tried in a real browser; each test is named after what it protects.

Placing in order, edits that survive reloads and conflicts, undo of acts on subjects and free keys are tried in
``test_loop``, ``test_bad_days`` and ``test_desk``.
"""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from tests.pose.conftest import write_numbered

FRAMES, WIDTH, HEIGHT, BITS = 60, 320, 192, 8
KEYPOINTS = ("a", "b", "c", "d")
LABELLED = (0, 20, 40)

#: Milliseconds between frames, which differ.
INTERVALS = np.random.default_rng(0).integers(10, 80, FRAMES)


def pose(frame):
    return [[100 + frame, 90, 2], [160 + frame, 90, 2], [160 + frame, 150, 2], [100 + frame, 150, 1]]


@pytest.fixture(scope="module")
def seen(drive, up, tmp_path_factory):
    folder = tmp_path_factory.mktemp("complaints")
    pts = np.cumsum(INTERVALS).tolist()
    clip = write_numbered(
        folder / "numbered.mp4", FRAMES, size=(WIDTH, HEIGHT), pts=pts, time_base=Fraction(1, 1000), options={"bf": "2"}
    )
    second = write_numbered(folder / "second.mp4", 5)
    broken = folder / "broken.mp4"
    broken.write_bytes(b"this is no video\n" * 100)
    with up.client() as client:
        schema = {"name": "square", "keypoints": KEYPOINTS, "edges": [[0, 1], [1, 2], [2, 3]]}
        project = client.post("/projects", {"name": "Complaints", "skeleton": schema})
        video = client.upload(project["id"], clip)
        client.wait(video["ingest_job_id"], lambda job: None)
        url = f"/videos/{video['id']}"
        track = client.post(f"{url}/tracks", {"name": "subject"})["id"]
        labels = [{"frame_index": frame, "track_id": track, "keypoints": pose(frame)} for frame in LABELLED]
        client.put(f"{url}/labels", {"labels": labels})
        client.wait(client.post(f"{url}/propagations", {"engine": "linear"})["id"], lambda job: None)
        about = {"address": up.about["address"], "key": up.about["key"]}
        told = {"project": project["id"], "video": video["id"], "broken": str(broken), "clip": str(second)}
        told["keypoints"] = KEYPOINTS
        found = drive("complaints.mjs", {**about, **told, "width": WIDTH, "height": HEIGHT, "bits": BITS})
        found["videos"] = client.get(f"/projects/{project['id']}/videos")["items"]
        found["labels"] = client.get(f"{url}/labels", layer="human")["labels"]
    return found


def test_nothing_is_thrown(seen):
    # The browser itself writes down that the broken file was refused.
    assert [fault for fault in seen["faults"] if "422" not in fault] == []


def test_the_picture_is_the_frame_that_is_named(seen):
    """LS#4896, fiftyone#8373, fiftyone#1270."""
    assert [number for _, number in seen["read"]] == [frame for frame, _ in seen["read"]]


def test_the_picture_is_the_frame_that_is_named_while_a_key_is_held(seen):
    """cvat#4687, cvat#3798."""
    assert len({named for named, _ in seen["held"]}) >= 20
    assert [number for _, number in seen["held"]] == [named for named, _ in seen["held"]]


def test_no_frame_comes_after_a_key_is_let_go(seen):
    """cvat#8530."""
    assert seen["overrun"] <= 1


def test_going_through_frames_asks_for_pictures_alone_whatever_was_propagated(seen):
    """sleap#2652, cvat#7790, cvat#39."""
    assert [one for one in seen["asked"] if "/frames/" not in one] == []
    assert len(seen["asked"]) <= 10


def test_an_edit_is_one_request(seen):
    """sleap#444."""
    assert len(seen["edit"]) == 1


def test_clicks_bones_and_shaking_hands_move_nothing(seen):
    """cvat#7174."""
    before, after = seen["untouched"]
    assert after == before


def test_a_keypoint_stays_where_it_was_put_when_it_is_saved_and_frames_go_by(seen):
    """cvat#8466, cvat#8117, cvat#7996."""
    put = np.array(seen["put"])
    assert np.abs(put - put[0]).max() < 0.01
    assert np.abs(np.array(seen["others"]) - np.array(pose(0))[1:, :2]).max() < 0.01


def test_what_was_saved_can_be_undone(seen):
    """cvat#8873, cvat#11059, LS#9706, LS#7037."""
    before, after = seen["undone"]
    assert np.abs(np.subtract(before, after)).max() < 0.01


def test_a_change_elsewhere_is_shown_before_it_is_undone(seen):
    """cvat#8873."""
    assert "visible" not in seen["elsewhere"]


def test_keys_lead_from_keyframe_to_keyframe(seen):
    """cvat#5003, cvat#1796, DLC#1588, DLC#1898."""
    assert seen["keyframes"] == [20, 40, 20]


def test_a_key_leads_between_two_keyframes(seen):
    """cvat#7086."""
    assert 20 < seen["middle"] < 40


def test_a_key_takes_a_keyframe_back(seen):
    """cvat#5369."""
    assert seen["removed"] == 40


def test_nothing_covers_a_keypoint(seen):
    """cvat#6158."""
    assert seen["covered"] == ["CANVAS"] * len(KEYPOINTS)


def test_the_timeline_stays_where_it_is_while_frames_go_by(seen):
    """LS#3928, LS#6593."""
    first, again = seen["timeline"]
    assert again == first


def test_zoom_has_keys_and_is_kept_from_frame_to_frame(seen):
    """DLC#218, DLC#1137, sleap#416, sleap#360."""
    whole, near, next_frame, back = seen["zoom"]
    assert near == pytest.approx(1.69 * whole, rel=0.01)
    assert next_frame == pytest.approx(near, rel=0.01)
    assert back == pytest.approx(whole, rel=0.01)


def test_several_keypoints_are_skipped_and_one_may_lie_beyond_the_picture(seen):
    """dive#739, sleap#385, sleap#613."""
    [new] = [label for label in seen["labels"] if label["frame_index"] == 50]
    assert [v for _, _, v in new["keypoints"]] == [2, 0, 0, 2]
    assert new["keypoints"][0][0] < 0
    assert seen["placed"] == 2


def test_a_long_list_of_suggestions_is_drawn_in_part(seen):
    """sleap#2630."""
    assert 0 < seen["listed"] <= 40


def test_a_video_that_cannot_be_read_says_so_and_spoils_nothing_else(seen):
    """sleap#2694, sleap#2472, dive#1761."""
    assert "MP4" in seen["rejected"]
    assert "Remove from the list" in seen["refused"]
    assert "Try again" not in seen["refused"]
    assert sorted(video["filename"] for video in seen["videos"]) == ["numbered.mp4", "second.mp4"]
