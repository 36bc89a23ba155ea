"""What is learnt from: labels and pseudo-labels, each with its weight, and nothing that knows of what is held out."""

from __future__ import annotations

import copy

import numpy as np
import pytest

from app.trainings.spans import Spans

VIDEO = 1


def held_frames(found):
    return np.concatenate([one.poses.frames for one in found.held_out])


def only(found):
    (one,) = found.learnt
    return one


def test_human_labels_alone(project, walker):
    found = project.read(project.params(include=["human"]))
    learnt, (aside,) = only(found), found.held_out
    assert sorted([*learnt.poses.frames, *aside.poses.frames]) == list(range(0, 45, 4))
    assert not {*learnt.poses.frames} & {*aside.poses.frames}
    known = learnt.poses.visibility > 0
    assert (learnt.weight == known).all()
    rows = np.isin(walker.tracks[1].frames, aside.poses.frames)
    assert np.allclose(aside.poses.xy[aside.weight > 0], walker.tracks[1].xy[rows][aside.weight > 0], atol=1e-3)
    rest = {"accepted": 0, "pseudo": 0, "absent": 0, "left_out": 0, "stale": 0, "rejected": 0}
    assert found.counts == {"human": len(learnt.poses), "held_out": len(aside.poses), **rest}
    assert found.skeleton.keypoints == walker.skeleton.keypoints


def test_a_pseudo_label_counts_as_much_as_it_is_probably_right(project):
    project.propagate()
    for weight in (1.0, 0.25):
        found = only(project.read(project.params(pseudo_weight=weight)))
        human = np.isin(found.poses.frames, range(0, 45, 4))
        assert human.any()
        assert not human.all()
        known = found.poses.visibility > 0
        assert (found.weight[human] == known[human]).all()
        assert np.allclose(found.weight[~human], weight * found.poses.score[~human] * known[~human])
    assert 0 < found.poses.score[~human & known.any(axis=1)].min() < 1


def test_nothing_is_learnt_from_held_out_frames_nor_from_segments_beside_them(project):
    project.propagate()
    params = project.params()
    found, spans = project.read(params), Spans.from_json(params["held_out"])
    frames = only(found).poses.frames
    assert not spans.cover(VIDEO, frames).any()
    for label in held_frames(found):
        near = [frame for frame in frames if abs(frame - label) < 4]
        assert near == []
    assert found.counts["pseudo"] > 0
    assert found.counts["left_out"] == 0  # the spans reach to the neighbouring labels, as linear segments do


@pytest.mark.parametrize("engine", ["linear", "flow"])
def test_what_is_learnt_does_not_know_of_held_out_labels(labelled, walker, engine):
    """The proof of it: with other labels on the held-out frames the same is learnt, bit for bit."""
    one, other = labelled(), labelled()
    params = [each.params() for each in (one, other)]
    assert params[0]["held_out"] == params[1]["held_out"]
    spoilt = []
    for frame in held_frames(one.read(params[0])):
        label = copy.deepcopy(one.service.label(int(frame), 1, walker.tracks[1]))
        label["keypoints"] = [[200 - x / 2, 150 - y / 2, v] for x, y, v in label["keypoints"]]
        spoilt.append(label)
    other.label(spoilt)
    learnt = []
    for each in (one, other):
        each.propagate(engine=engine)
        learnt.append(only(each.read(each.params())))
    for name in ("frames", "xy", "visibility", "score"):
        assert np.array_equal(*(getattr(each.poses, name) for each in learnt)), name
    assert np.array_equal(*(each.weight for each in learnt))
    assert len(learnt[0].poses) > len(one.read(params[0]).learnt[0].poses)


def test_pseudo_labels_that_reach_over_a_held_out_label_are_left_out(project):
    """A run whose keyframes lie farther apart than all labels: its segments are longer than what is held out."""
    before = project.params()
    held = held_frames(project.read(before))
    (first, *_), kept = sorted(held), [frame for frame in range(0, 45, 4) if frame not in held]
    project.propagate(keyframes=[int(first), kept[0], kept[-1]])
    found = project.read(project.params())
    keyframes = sorted([int(first), kept[0], kept[-1]])
    inside = keyframes.index(int(first))
    low, high = keyframes[max(inside - 1, 0)], keyframes[min(inside + 1, 2)]
    pseudo = [frame for frame in only(found).poses.frames if frame % 4]
    assert not [frame for frame in pseudo if low < frame < high]
    assert found.counts["left_out"] > 0


def test_a_run_that_left_the_held_out_frames_out_is_learnt_from_wherever_nothing_is_held_out(project):
    before = project.params()
    held = held_frames(project.read(before))
    run = project.propagate(keyframes=[frame for frame in range(0, 45, 4) if frame not in held])
    found = project.read(project.params())
    spans = Spans.from_json(before["held_out"])
    every = np.arange(45)
    assert {*only(found).poses.frames} == {*every[~spans.cover(VIDEO, every)].tolist()}
    assert found.counts["left_out"] == 0
    project.http.delete(f"/runs/{run}")
    assert {*only(project.read(project.params())).poses.frames} == {*range(0, 45, 4)} - {*held.tolist()}


def test_an_engine_that_was_fitted_to_held_out_labels_is_not_believed(labelled):
    project = labelled(adapt_steps=2)
    plain = project.propagate()
    fitted = project.propagate(engine="stdpose", adapt=True)
    found = project.read(project.params())
    assert found.runs_left_out == [fitted]
    # The earlier run shows through.
    assert found.counts["pseudo"] > 0
    linear = project.http.get(f"/videos/{VIDEO}/labels", params={"layer": "pseudo"}).json()["labels"]
    assert {label["run_id"] for label in linear} == {fitted}
    project.http.delete(f"/runs/{fitted}")
    again = project.read(project.params())
    assert again.runs_left_out == []
    assert np.array_equal(only(found).poses.xy, only(again).poses.xy)
    held = held_frames(found)
    project.http.delete(f"/runs/{plain}")
    honest = project.propagate(
        engine="stdpose", adapt=True, keyframes=[frame for frame in range(0, 45, 4) if frame not in held]
    )
    with_it = project.read(project.params())
    assert honest not in with_it.runs_left_out
    assert with_it.counts["pseudo"] > 0


def test_reading_again_gives_the_same_whatever_came_since(project, walker):
    project.propagate()
    params = project.params()
    before = project.read(params)
    moved = project.service.label(8, 1, walker.tracks[1])
    moved["keypoints"] = [[x + 9, y, v] for x, y, v in moved["keypoints"]]
    project.label([moved, project.service.label(9, 1, walker.tracks[1])])
    project.propagate()
    after = project.read(params)
    assert after.counts == before.counts
    assert np.array_equal(only(after).poses.xy, only(before).poses.xy)
    assert np.array_equal(only(after).weight, only(before).weight)


def test_nothing_is_learnt_that_rests_on_labels_which_do_not_stand_any_more(project, walker):
    project.propagate()
    before = project.read(project.params())
    free = [int(frame) for frame in only(before).poses.frames if frame % 4 == 0]
    changed = next(frame for frame in free if {frame - 4, frame + 4} <= {*free})
    project.http.delete(f"/videos/{VIDEO}/labels", params={"frame_index": changed, "track_id": 1})
    after = project.read(project.params())
    around = {*range(changed - 3, changed + 4)}
    assert around <= {*only(before).poses.frames}
    assert not around & {*only(after).poses.frames}
    assert after.counts["stale"] == len(around) - 1
    project.propagate()
    assert around <= {*only(project.read(project.params())).poses.frames}


def test_a_machine_s_poses_alone_are_without_people_s_keyframes(project):
    project.propagate()
    found = project.read(project.params(include=["pseudo"]))
    frames = only(found).poses.frames
    assert len(frames)
    assert not [frame for frame in frames if frame % 4 == 0]
    assert found.counts["human"] == 0


def test_what_a_person_accepted_counts_in_full_and_what_they_rejected_not_at_all(project):
    project.propagate()
    before = project.read(project.params())
    free = [int(frame) for frame in only(before).poses.frames if frame % 4]
    first, second = free[0], free[-1]
    url = f"/videos/{VIDEO}/reviews"
    for frame, verdict in ((first, "accept"), (second, "reject")):
        sent = project.http.post(url, json={"start": frame, "stop": frame + 1, "verdict": verdict})
        assert sent.status_code == 201, sent.text
    params = project.params(pseudo_weight=0.5)
    found = project.read(params)
    row = np.flatnonzero(only(found).poses.frames == first)[0]
    assert (only(found).weight[row] == (only(found).poses.visibility[row] > 0)).all()
    assert second not in only(found).poses.frames
    assert (found.counts["accepted"], found.counts["rejected"]) == (1, 1)
    assert found.counts["pseudo"] == before.counts["pseudo"] - 2
    accepted = project.read(project.params(include=["accepted"]))
    assert only(accepted).poses.frames.tolist() == [first]
    # A training knows the reviews of its own time.
    project.http.post(f"{url}/1/undo")
    assert project.read(params).counts == found.counts
    assert project.train(include=["accepted"]).status_code == 409


def test_what_people_said_to_be_absent_is_learnt_and_measured_as_such(project, walker):
    project.propagate()
    params = project.params()
    spans = Spans.from_json(params["held_out"])
    held = held_frames(project.read(params))
    aside = int(next(frame for frame in range(45) if frame not in held and spans.cover(VIDEO, np.array([frame]))[0]))
    learnt_from = [frame for frame in range(45) if frame % 4 and not spans.cover(VIDEO, np.array([frame]))[0]]
    free, partly = learnt_from[0], learnt_from[-1]
    before = project.read(params).counts
    said = [{"frame_index": frame, "track_id": 1, "absent": True} for frame in (aside, free)]
    project.label([*said, {"frame_index": partly, "track_id": 1, "absent": [0]}])
    found = project.read(project.params(include=["human"]))
    learnt, (measured,) = only(found), found.held_out
    assert found.counts["absent"] == 2
    assert (found.counts["human"], found.counts["held_out"]) == (before["human"], before["held_out"])
    rows = {frame: row for row, frame in enumerate(learnt.poses.frames.tolist())}
    assert learnt.poses.absent[rows[free]].all()
    assert (learnt.weight[rows[free]] == 1).all()
    assert learnt.weight[rows[partly]].tolist() == [1] + [0] * (walker.skeleton.size - 1)
    assert not (learnt.weight > 0)[~learnt.poses.said].any()
    row = measured.poses.frames.tolist().index(aside)
    assert measured.poses.absent[row].all()
    assert (measured.weight[row] == 1).all()
    # It is looked for where all labels of people tell that it is.
    assert {*range(0, 45, 4)} <= {*measured.around.frames.tolist()}
    merged = project.read(project.params())
    assert merged.counts["absent"] == 2
    assert not merged.learnt[0].poses.visibility[merged.learnt[0].poses.absent].any()
    machine = project.read(project.params(include=["pseudo"]))
    assert machine.counts["absent"] == 0
    assert not (only(machine).weight > 0)[only(machine).poses.absent].any()
