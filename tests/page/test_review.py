"""Reviewing in a real browser: the queue leads from one doubtful pose to the next, and verdicts are on the service."""

from __future__ import annotations

import pytest

from tests.page.conftest import ingested, rows

LABELLED = (0, 20, 44)
GAP = 30


def propagated(client, project, path, track):
    """A video that is labelled on three frames and propagated."""
    video = ingested(client, path, project)
    url = f"/videos/{video}"
    made = client.post(f"{url}/tracks", {"name": "anna"})
    client.put(f"{url}/labels", {"labels": rows(track, made["id"], LABELLED)})
    client.wait(client.post(f"{url}/propagations", {"engine": "linear"})["id"], lambda job: None)
    return video


@pytest.fixture(scope="module")
def seen(drive, lab, walker, tmp_path_factory):
    """What somebody saw who went through the queue, and what the service knows afterwards."""
    skeleton = walker.skeleton
    with lab.client() as client:
        shape = {"name": "walker", "keypoints": skeleton.keypoints, "edges": skeleton.edges, "swap": skeleton.swap}
        project = client.post("/projects", {"name": "Gait", "skeleton": shape})
        # A file that differs and shows the same.
        other = tmp_path_factory.mktemp("review") / "other.mp4"
        other.write_bytes(walker.path.read_bytes() + b"\x00\x00\x00\x08free")
        videos = [propagated(client, project["id"], path, walker.tracks[1]) for path in (walker.path, other)]
        url = f"/videos/{videos[0]}"
        queue = client.get(f"{url}/review-queue")["items"]
        told = {"video": videos[0], "other": videos[1], "keypoint": skeleton.keypoints[0], "gap": GAP}
        found = drive("review.mjs", {**lab.about, **told})
        found["queue"] = [one["frame_index"] for one in queue]
        found["reviews"] = client.get(f"{url}/reviews")["items"]
        found["runs"] = client.get(f"{url}/runs")["items"]
        found["labels"] = client.get(f"{url}/labels")["labels"]
        found["elsewhere"] = client.get(f"/videos/{videos[1]}/reviews")["items"]
    return found


def test_nothing_is_thrown_and_axe_finds_nothing(seen):
    # Before somebody signs in the page asks who they are.
    assert [fault for fault in seen["faults"] if "401" not in fault] == []
    assert seen["wrong"] == {"light": [], "dark": []}


def test_the_queue_leads_from_the_worst_to_the_next(seen):
    assert seen["frames"][:4] == seen["queue"][:4]
    assert "anna" in seen["reason"]
    assert "% sure" in seen["reason"]
    assert "0 done" in seen["begun"]
    assert f"{len(seen['queue'])} to look at" in seen["begun"]


def test_the_view_follows_the_subject_and_comes_back(seen):
    near, far, near_again, after = seen["zoomed"]
    assert near == near_again == pytest.approx(0.7, abs=0.15)
    assert far < 0.8 * near
    assert after < 0.8 * near


def test_verdicts_are_acts_on_the_service(seen):
    first, second, _, _, *_ = seen["frames"]
    accepted, rejected, span, undone, *_ = seen["reviews"]
    assert (accepted["verdict"], accepted["start"], accepted["stop"]) == ("accept", first, first + 1)
    assert (rejected["verdict"], rejected["start"], rejected["stop"]) == ("reject", second, second + 1)
    assert span["verdict"] == "accept"
    assert span["start"] <= GAP < span["stop"]
    assert span["undone"]
    assert (undone["verdict"], undone["undoes"]) == ("undo", span["id"])


def test_a_fix_is_a_label_and_is_propagated_into_the_gaps_beside_it(seen):
    fixed = seen["frames"][3]
    assert sorted(label["frame_index"] for label in seen["labels"]) == sorted({*LABELLED, fixed})
    before = max(frame for frame in LABELLED if frame < fixed)
    after = min(frame for frame in LABELLED if frame > fixed)
    first, again = seen["runs"][:2]
    assert (first["corrects_run_id"], again["corrects_run_id"]) == (None, first["id"])
    assert (again["state"], again["start"], again["stop"]) == ("succeeded", before, after + 1)
    # Straight lines look at no picture: what replaces them does.
    assert again["engine"] == "flow"


def test_a_review_leads_through_all_videos_of_a_project_in_turn(seen):
    assert seen["turns"][0] != seen["turns"][1]
    [one] = seen["elsewhere"]
    assert (one["verdict"], one["start"]) == ("accept", seen["there"])


def test_a_review_is_done_by_touch(seen):
    first, second, third = seen["tapped"]
    assert first != second != third
    near, nearer = seen["pinched"]
    assert nearer > 1.5 * near
