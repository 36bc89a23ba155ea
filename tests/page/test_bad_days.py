"""Bad days in a real browser: nothing that somebody placed is lost, and there is a way on."""

from __future__ import annotations

import pytest

from tests.page.conftest import label, uploaded

KEYPOINT = "nose"


@pytest.fixture(scope="module")
def video(lab, walker):
    """A video with a pose on its first frame."""
    with lab.client() as client:
        video = uploaded(client, walker, "Gait")
        track = client.post(f"/videos/{video}/tracks", {"name": "subject"})
        label(client, video, track["id"], walker.tracks[1], [0])
    return video


@pytest.fixture(scope="module")
def seen(drive, up, lab, video, walker):
    about = lab.about
    index = walker.skeleton.keypoints.index(KEYPOINT)
    told = {**about, "video": video, "keypoint": KEYPOINT, "index": index}
    port = up.port
    return drive("bad_days.mjs", told, acts={"end": up.end, "begin": lambda: up.begin(port)})


def test_nothing_is_placed_before_it_is_known_what_people_said(seen, walker):
    index = walker.skeleton.keypoints.index(KEYPOINT)
    x, y = walker.tracks[1].xy[0, index]
    said, state, (left, top, visible), tracks = seen["early"]
    assert (said, state, visible, tracks) == (True, "Saved", 2, 1)
    assert (left, top) == pytest.approx((x, y), abs=0.01)


def test_a_long_reason_why_a_frame_is_not_shown_is_read_whole(seen):
    assert seen["whole"]


def test_an_edit_survives_that_the_service_goes_away(seen):
    here, there = seen["back"]
    assert seen["away"] == "Offline, 1 waiting"
    assert there == [*here, 2]


def test_an_edit_survives_that_there_is_no_network(seen):
    here, there = seen["online"]
    assert there == [*here, 2]


def test_an_edit_that_was_not_saved_is_offered_after_a_reload(seen):
    left, here, there = seen["reloaded"]
    assert here == left
    assert there == [*left, 2]


def test_an_edit_is_saved_after_the_session_ended_and_somebody_signed_in_again(seen):
    waiting, here, there = seen["signedIn"]
    assert here == waiting
    assert there == [*waiting, 2]


@pytest.mark.parametrize("whose", ["mine", "theirs"])
def test_in_a_conflict_the_version_stands_that_somebody_chose(seen, whose):
    both = seen[whose]
    assert both["mine"] != both["theirs"]
    assert both["here"] == both[whose]
    assert both["there"] == [*both[whose], 2]


def test_axe_finds_nothing_on_bad_days(seen):
    assert {place: found for place, found in seen["wrong"].items() if found} == {}


def test_nothing_is_thrown(seen):
    # The browser itself writes down requests that failed; the page throws nothing.
    thrown = [fault for fault in seen["faults"] if "Failed to load resource" not in fault]
    assert thrown == []
