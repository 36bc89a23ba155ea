"""The timeline in buckets agrees with the labels that are read frame by frame."""

from __future__ import annotations

import itertools

import pytest

from app.reviews.timeline import ABSENT, ACCEPTED, KEYFRAME, MACHINE, REJECTED, STALE


def lane(desk, track=1, **query):
    answer = desk.http.get(f"{desk.url}/timeline", params=query)
    assert answer.status_code == 200, answer.text
    (found,) = [one for one in answer.json()["lanes"] if one["track_id"] == track]
    return found


def test_a_bucket_for_each_frame(desk, reviewer, run):
    reviewer.say("accept", 5, 10)
    reviewer.say("reject", 30, 33)
    found, shown = lane(desk), reviewer.shown()
    assert len(found["flags"]) == len(found["score"]) == 45
    for frame in range(45):
        flags = found["flags"][frame]
        if frame in (0, 20, 40):
            assert (flags, found["score"][frame], found["radius90"][frame]) == (KEYFRAME, None, None)
            continue
        assert flags & MACHINE
        assert bool(flags & ACCEPTED) == (5 <= frame < 10)
        assert bool(flags & REJECTED) == (30 <= frame < 33)
        assert found["score"][frame] == pytest.approx(min(shown[frame]["keypoint_scores"]), abs=1e-4)
        assert found["radius90"][frame] == pytest.approx(max(shown[frame]["keypoint_radius90"]), abs=0.01)
    assert found["keyframes"] == [0, 20, 40]
    assert found["spans"] == [[0, 45, run]]
    assert (found["accepted"], found["rejected"]) == ([[5, 10]], [[30, 33]])
    assert (found["stale"], found["absent"]) == ([], [])


def test_buckets_hold_the_worst_of_their_frames(desk, run):
    fine, coarse = lane(desk), lane(desk, buckets=7)
    edges = [bucket * 45 // 7 for bucket in range(8)]
    for bucket, (first, last) in enumerate(itertools.pairwise(edges)):
        scores = [score for score in fine["score"][first:last] if score is not None]
        assert coarse["score"][bucket] == min(scores)
        flags = 0
        for one in fine["flags"][first:last]:
            flags |= one
        assert coarse["flags"][bucket] == flags
    part = lane(desk, start=10, stop=30)
    assert part["score"] == fine["score"][10:30]
    assert part["keyframes"] == [20]
    assert lane(desk, start=44, stop=900)["flags"] == fine["flags"][44:]


def test_absent_and_stale_frames(desk, run):
    absent = {"frame_index": 30, "track_id": 1, "absent": True}
    assert desk.http.put(f"{desk.url}/labels", json={"labels": [absent]}).is_success
    found = lane(desk)
    assert found["absent"] == [[30, 31]]
    assert found["flags"][30] & ABSENT
    assert not found["flags"][30] & MACHINE
    assert all(found["flags"][frame] & STALE for frame in range(21, 30))


def test_one_track_alone_and_questions_that_make_no_sense(desk, run, refused):
    timeline = desk.http.get(f"{desk.url}/timeline", params={"track_id": 1}).json()
    assert [one["track_id"] for one in timeline["lanes"]] == [1]
    whole = desk.http.get(f"{desk.url}/timeline").json()
    assert [one["track_id"] for one in whole["lanes"]] == [1, 2, 3]
    assert whole["lanes"][1]["flags"] == [0] * 45
    assert (whole["start"], whole["stop"], whole["buckets"], whole["damaged"]) == (0, 45, 45, [])
    empty = desk.http.get(f"{desk.url}/timeline", params={"start": 99}).json()
    assert (empty["buckets"], empty["lanes"][0]["flags"]) == (0, [])
    refused(desk.http.get(f"{desk.url}/timeline", params={"track_id": 9}), 422, "/track_id")
    refused(desk.http.get(f"{desk.url}/timeline", params={"buckets": 0}), 422, "/buckets")
