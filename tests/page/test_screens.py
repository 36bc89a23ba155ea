"""What a lab does beside labelling, in a real browser: jobs, runs, training, exports, keys, audit, storage, trash."""

from __future__ import annotations

import shutil

import pytest

from tests.page.conftest import rows

SPARE = "<script>alert(1)</script>" + "long" * 40 + ".mp4"
LABELLED = range(0, 45, 3)


def schema(skeleton):
    return {"name": skeleton.name, "keypoints": skeleton.keypoints, "edges": skeleton.edges, "swap": skeleton.swap}


@pytest.fixture(scope="module")
def seen(drive, lab, walker, pair, tmp_path_factory):
    """What somebody saw in a lab with a video that is labelled and propagated, and one that is not."""
    spare = tmp_path_factory.mktemp("spare") / SPARE.replace("/", "_")
    shutil.copy(pair.path, spare)
    with lab.client() as client:
        project = client.post("/projects", {"name": "Gait", "skeleton": schema(walker.skeleton)})
        video = client.upload(project["id"], walker.path)
        client.wait(video["ingest_job_id"], lambda job: None)
        track = client.post(f"/videos/{video['id']}/tracks", {"name": "subject"})
        labels = rows(walker.tracks[1], track["id"], LABELLED)
        client.put(f"/videos/{video['id']}/labels", {"labels": labels})
        job = client.post(f"/videos/{video['id']}/propagations", {"engine": "linear"})
        client.wait(job["id"], lambda job: None)
        client.wait(client.upload(project["id"], spare)["ingest_job_id"], lambda job: None)
    return drive("screens.mjs", {**lab.about, "spare": spare.name})


def test_nothing_is_thrown_on_the_way(seen):
    assert seen["faults"] == []


def test_axe_finds_nothing_on_any_screen_light_or_dark(seen):
    assert len(seen["wrong"]) == 2 * 12
    assert {screen: found for screen, found in seen["wrong"].items() if found} == {}


def test_jobs_are_listed_newest_first_with_their_state(seen):
    names = [name for name, _ in seen["jobs"]]
    assert names[-2:] == ["Propagate", "Read a video"]
    assert names[0] in {"Read a video", "Make ready for reading"}
    assert {state for _, state in seen["jobs"]} <= {"done", "running", "waiting"}


def test_a_job_tells_what_it_did(seen):
    assert seen["propagations"] == ["Propagate"]
    # The other worker may have helped.
    log = [line for line in seen["log"] if line[0] != "helped"]
    kinds = [what for what, _ in log]
    assert kinds[:2] == ["queued", "begun"]
    assert kinds[-2:] == ["stage", "succeeded"]
    texts = [text for _, text in log]
    assert "Waits for a worker" in texts[0]
    assert "Taken by a worker" in texts[1]
    assert "worker " in texts[1]
    assert "Propagating" in texts[-2]
    # Named again only where another one did something in between.
    assert ("worker " in texts[-1]) == (seen["log"][-2][0] == "helped")


def test_a_run_is_hidden_and_tells_what_it_was_made_from(seen):
    assert "hidden" in seen["hidden"]
    assert "linear" in seen["pedigree"]


def test_a_training_ends_with_the_sentence_of_the_gate(seen):
    assert "romoted" in seen["verdict"]


def test_a_video_tells_how_much_of_it_is_done(seen, walker):
    words, shown = seen["share"]
    between = walker.num_frames - len(LABELLED)
    assert words.startswith(f"Of {walker.num_frames} poses {len(LABELLED)} are labelled")
    assert f"{between} are propagated" in words
    assert "33 % labelled" in " ".join(shown.split())


def test_what_an_export_would_hold_is_told_before(seen, walker):
    between = walker.num_frames - len(LABELLED)
    all_of_them, sure = seen["preview"]
    assert f"It would hold {between} poses on {between} frames of 2 videos" in all_of_them
    assert "It would hold no pose" in sure
    assert f"{between} poses without a known point are left out" in sure
    assert f"2 videos, 0 frames, 0 poses. {between} poses were left out" in seen["exported"]


def test_an_export_for_another_tool_tells_what_that_does_not_hold(seen):
    assert "YOLO-pose" in seen["yolo"]
    assert "What the format does not hold: " in seen["yolo"]


def test_an_export_tells_what_is_in_it_and_what_was_asked_for(seen):
    assert "score from 0.2" in seen["exported"]
    assert "people" not in seen["exported"]


def test_a_preview_is_told_once_it_is_of_what_is_asked_for(seen):
    assert seen["asking"] == ["asking", "told"]


def test_another_kind_of_act_is_chosen_once_the_entries_before_are_there(seen):
    assert seen["kinds"] == [True, False]


def test_a_deleted_project_is_gone_from_the_list(seen):
    assert seen["projects"] == 0


def test_a_key_is_shown_once_and_does_what_its_role_may(seen):
    assert seen["role"] == "reader"
    assert seen["again"] == 0
    assert "Members and keys" not in seen["reader"]
    assert "New project" not in seen["reader"]
    assert "Jobs" in seen["reader"]
