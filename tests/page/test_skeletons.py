"""Skeletons in a real browser: templates, one that is drawn, one of a COCO file, one that has labels and is changed."""

from __future__ import annotations

import pytest

COCO = {
    "categories": [{"id": 1, "name": "mouse", "keypoints": ["snout", "ear_L", "ear_R"], "skeleton": [[1, 2], [1, 3]]}],
    "images": [],
    "annotations": [],
}
RETIRED = "abdomen"


@pytest.fixture(scope="module")
def labelled(lab, pair):
    """A project with a label."""
    skeleton = pair.skeleton
    with lab.client() as client:
        schema = {"name": skeleton.name, "keypoints": skeleton.keypoints, "edges": skeleton.edges}
        project = client.post("/projects", {"name": "Labelled", "skeleton": schema})
        video = client.upload(project["id"], pair.path)
        client.wait(video["ingest_job_id"], lambda job: None)
        track = client.post(f"/videos/{video['id']}/tracks", {"name": "fly"})
        keypoints = [[*point, 2] for point in next(iter(pair.tracks.values())).xy[0].tolist()]
        label = {"frame_index": 0, "track_id": track["id"], "keypoints": keypoints}
        client.put(f"/videos/{video['id']}/labels", {"labels": [label]})
    return project["id"], video["id"]


@pytest.fixture(scope="module")
def seen(drive, lab, labelled, pair):
    project, _ = labelled
    about = lab.about
    count = len(pair.skeleton.keypoints)
    return drive("skeletons.mjs", {**about, "project": project, "count": count, "retired": RETIRED, "coco": COCO})


@pytest.fixture(scope="module")
def projects(seen, lab):
    with lab.client() as client:
        return {project["name"]: project["skeleton"] for project in client.get("/projects")["items"]}


def test_nothing_is_thrown_and_axe_finds_nothing(seen):
    assert seen["faults"] == []
    assert {place: found for place, found in seen["wrong"].items() if found} == {}


@pytest.mark.parametrize(
    ("template", "count", "sides"),
    [("posetrack-15", 15, 6), ("hand-21", 21, 0), ("mouse", 12, 3), ("fly", 13, 5), ("horse", 22, 7)],
)
def test_a_template_becomes_a_project(projects, template, count, sides):
    skeleton = projects[template]
    assert len(skeleton["keypoints"]) == count
    assert len(skeleton["swap"]) == sides
    assert len(skeleton["edges"]) >= count - 1


def test_a_skeleton_is_drawn_by_clicks(projects):
    skeleton = projects["Drawn"]
    assert skeleton["keypoints"] == ["head", "left <b>wing</b>", "right <b>wing</b>"]
    assert skeleton["edges"] == [[0, 1]]
    assert skeleton["swap"] == [[1, 2]]


def test_a_skeleton_is_read_from_a_coco_file(seen, projects):
    assert seen["refused"] == "This file has no category with keypoints."
    skeleton = projects["Read"]
    assert skeleton["keypoints"] == COCO["categories"][0]["keypoints"]
    assert skeleton["edges"] == [[0, 1], [0, 2]]
    assert skeleton["swap"] == [[1, 2]]


def test_a_change_says_what_becomes_of_labels_and_keeps_them(seen, projects, lab, labelled, pair):
    first = pair.skeleton.keypoints[0]
    assert [line.split(".")[0] for line in seen["preview"]] == [
        f"“{first}” is called “snout” from now on",
        f"“{RETIRED}” is retired: hidden here, in exports and in trainings",
        "“tail tip” is added",
        "Edges: 1 more, 0 fewer",
    ]
    skeleton = projects["Labelled"]
    assert skeleton["keypoints"] == ["snout", *pair.skeleton.keypoints[1:], "tail tip"]
    assert skeleton["retired"] == [RETIRED]
    # Made without pairs, it was suggested those that its names tell.
    assert seen["paired"].startswith(f"Left and right pairs: {len(pair.skeleton.swap)} more")
    assert sorted(skeleton["swap"]) == sorted([*each] for each in pair.skeleton.swap)
    with lab.client() as client:
        labels = client.get(f"/videos/{labelled[1]}/labels", start=0, stop=1, layer="human")["labels"]
    count = len(pair.skeleton.keypoints)
    assert [v for _, _, v in labels[0]["keypoints"][:count]] == [2] * count
