"""Poses as one block of bytes say what the same poses say as JSON."""

from __future__ import annotations

import struct

import numpy as np
import pytest

from app.labels import windows


def read(content):
    """Take a block apart as its description says, without our own code."""
    magic, version, tracks, frames, keypoints, start, further, revision = struct.unpack_from("<4s7I", content)
    assert (magic, version) == (b"PTPW", 1)
    at = 32
    numbers = np.frombuffer(content, "<u4", tracks, at)
    at += 4 * tracks
    runs, revisions = np.frombuffer(content, "<u4", 2 * tracks * frames, at).reshape(2, tracks, frames)
    at += 8 * tracks * frames
    points = np.frombuffer(content, "<f4", offset=at).reshape(tracks, frames, keypoints, 5)
    return {
        "start": start,
        "next_start": None if further == 2**32 - 1 else further,
        "revision": revision,
        **{int(number): (runs[row], revisions[row], points[row]) for row, number in enumerate(numbers)},
    }


def test_a_block_says_what_the_json_says(desk):
    desk.label(1, 0, 20, 40)
    desk.put((0, 2, [[5, 6, 1], [0, 0, 0]]), (30, 2, [[7, 8, 2], [3, 4, 2]]))
    run = desk.propagate()
    for start, verdict in ((5, "accept"), (12, "reject")):
        body = {"start": start, "stop": start + 3, "track_id": 1, "verdict": verdict}
        assert desk.http.post(f"{desk.url}/reviews", json=body).status_code == 201
    absent = {"frame_index": 35, "track_id": 2, "absent": [1]}
    desk.http.put(f"{desk.url}/labels", json={"labels": [absent]})
    query = {"start": 3, "stop": 44, "layer": "merged"}
    answer = desk.http.get(f"{desk.url}/poses", params=query, headers={"Accept": "application/octet-stream"})
    assert answer.headers["content-type"] == "application/octet-stream"
    block = read(answer.content)
    document = desk.http.get(f"{desk.url}/labels", params=query).json()
    assert (block["start"], block["next_start"], block["revision"]) == (3, None, document["revision"])
    said = 0
    for label in document["labels"]:
        runs, revisions, points = block[label["track_id"]]
        row = label["frame_index"] - 3
        assert runs[row] == label.get("run_id", 0) in (0, run)
        assert revisions[row] == (label.get("revision") or 0)
        for k, (x, y, v) in enumerate(label["keypoints"]):
            source = points[row, k, 4]
            if k in (label.get("absent") or []):
                assert source == 6
            elif v == 0:
                assert source == 0
            else:
                assert points[row, k, :2] == pytest.approx((x, y), abs=1e-3)
                assert (source >= 8) == (v == 1)
                kinds = label.get("keypoint_sources") or [label["source"]] * 2
                expected = {"human": 1, "accepted": 2, "pseudo": 3}[kinds[k]]
                expected = 5 if k in label.get("rejected_keypoints", []) else expected
                expected = 4 if k in label.get("stale_keypoints", []) else expected
                assert source % 8 == expected, label
                if "score" in label:
                    assert points[row, k, 2] == pytest.approx(label["keypoint_scores"][k], abs=1e-4)
                    assert points[row, k, 3] == pytest.approx(label["keypoint_radius90"][k], abs=0.01)
            said |= 1 << int(source % 8)
    assert said == 0b1111111  # each kind of source was there


def test_a_window_is_as_long_as_it_may_be(desk, refused):
    desk.label(1, 0, 20)
    desk.propagate()
    assert read(desk.http.get(f"{desk.url}/poses").content)[1][2].shape == (45, 2, 5)
    for start in (45, 60, 2**40):
        empty = read(desk.http.get(f"{desk.url}/poses", params={"start": start, "stop": start + 9}).content)
        assert (empty["start"], empty["next_start"]) == (45, None)
    human = read(desk.http.get(f"{desk.url}/poses", params={"layer": "human"}).content)
    assert {*np.flatnonzero(human[1][2][:, 0, 4])} == {0, 20}
    refused(desk.http.get(f"{desk.url}/poses", params={"layer": "x"}), 422, "/layer")
    refused(desk.http.get("/videos/999999/poses"), 404)


def test_a_block_of_many_tracks_with_few_labels_ends_early_and_says_where_to_go_on(desk, monkeypatch):
    for track in (1, 2, 3):
        desk.label(track, 0, 44)
    monkeypatch.setattr(windows, "MAX_POSES", 60)
    shapes, found, at = [], set(), 0
    while at is not None:
        block = read(desk.http.get(f"{desk.url}/poses", params={"layer": "human", "start": at}).content)
        for track in (1, 2, 3):
            if track in block:
                points = block[track][2]
                shapes.append(points.shape[0])
                found |= {(track, at + int(row)) for row in np.flatnonzero(points[:, 0, 4])}
        assert block["start"] == at
        at = block["next_start"]
    assert max(shapes) == 20
    assert found == {(track, frame) for track in (1, 2, 3) for frame in (0, 44)}
