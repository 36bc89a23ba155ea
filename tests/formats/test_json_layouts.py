"""Files as PoseTrack, Label Studio and COCO have them."""

from __future__ import annotations

import json

import pytest

from formats import coco, label_studio, posetrack
from formats.dataset import COLUMNS, Dataset
from formats.errors import FormatError
from formats.posetrack import KEYPOINTS
from formats.registry import write
from pose.skeleton import POSETRACK_15, Skeleton
from tests.formats.tables import two_mice


def test_posetrack_counts_people_from_0(tmp_path):
    images = [
        {"id": 10000010000 + n, "file_name": f"images/val/000001_x/{n:06d}.jpg", "is_labeled": n != 1} for n in range(3)
    ]
    keypoints = [5.5, 6, 1, 7, 8, 0, *[0, 0, 0] * 15]
    people = [{"image_id": 10000010000, "track_id": track, "keypoints": keypoints} for track in (0, 1)]
    document = {"images": images, "annotations": people, "categories": [{"id": 1, "keypoints": KEYPOINTS}]}
    (tmp_path / "x.json").write_text(json.dumps(document))
    found = posetrack.read(tmp_path)
    assert found.track.tolist() == [1, 2]
    assert found.visibility[0, :3].tolist() == [2, 1, 0]
    assert (found.videos[0].name, found.videos[0].num_frames, found.videos[0].empty) == ("000001_x", 3, (2,))


def test_posetrack_has_its_own_joints_alone(tmp_path):
    with pytest.raises(FormatError, match="PoseTrack has the joints nose"):
        write(two_mice(), "posetrack", tmp_path / "there")


def test_posetrack_says_that_it_has_joints_of_its_own(tmp_path):
    table = two_mice("posetrack")
    assert "own_skeleton" not in write(table, "posetrack", tmp_path / "same")
    turned = Skeleton(name="mine", keypoints=POSETRACK_15.keypoints[::-1], edges=((3, 4),))
    points = {name: getattr(table, name)[:, ::-1] for name, (_, axes) in COLUMNS.items() if axes}
    others = {name: getattr(table, name) for name, (_, axes) in COLUMNS.items() if not axes}
    assert write(Dataset.of(turned, table.videos, **points, **others), "posetrack", tmp_path / "o")["own_skeleton"] == 1
    same, other = posetrack.read(tmp_path / "same"), posetrack.read(tmp_path / "o")
    assert (same.skeleton, same.xy.tolist()) == (other.skeleton, other.xy.tolist())


def task(*results, image="/data/upload/3/0a1b2c3d-mouse_0007.png", **more):
    return {"data": {"image": image}, "annotations": [{"result": [*results]}], **more}


def point(label, x, y, **more):
    value = {"x": x, "y": y, "width": 0.5, "keypointlabels": [label]}
    return {"type": "keypointlabels", "original_width": 200, "original_height": 100, "value": value, **more}


def box(name):
    return {"type": "rectanglelabels", "id": name, "value": {"x": 0, "y": 0, "width": 9, "height": 9}}


def tasks(folder, *found):
    (folder / "export.json").write_text(json.dumps(found))
    return folder / "export.json"


def test_a_point_of_label_studio_belongs_to_the_rectangle_around_it(tmp_path):
    first = [box("r1"), box("r2"), point("nose", 10, 20, parentID="r1"), point("nose", 50, 50, id="p")]
    relation = {"type": "relation", "from_id": "p", "to_id": "r2", "direction": "right"}
    hidden = point("tail", 5, 5, parentID="r1", hidden=True)
    found = label_studio.read(tasks(tmp_path, task(*first, relation, hidden)))
    assert (found.videos[0].name, found.frame.tolist(), found.track.tolist()) == ("data/upload/3/mouse", [7, 7], [1, 2])
    assert found.xy[0].tolist() == [[20, 20], [10, 5]]
    assert found.xy[1, 0].tolist() == [100, 50]
    assert found.visibility.tolist() == [[2, 1], [2, 0]]
    assert (found.videos[0].width, found.videos[0].height) == (200, 100)


def test_points_that_belong_to_nobody_are_one_subject(tmp_path):
    found = label_studio.read(tasks(tmp_path, task(point("nose", 10, 20), point("tail", 5, 5))))
    assert found.track.tolist() == [1]
    with pytest.raises(FormatError, match="/0/annotations: two keypoints 'nose'"):
        label_studio.read(tasks(tmp_path, task(point("nose", 10, 20), point("nose", 5, 5))))


@pytest.mark.parametrize("below", ["annotations", "predictions"])
def test_two_subjects_are_not_one_track(below, tmp_path):
    boxes = [{**box(name), "meta": {"track_id": 4}} for name in ("r1", "r2")]
    results = [*boxes, point("nose", 10, 20, parentID="r1"), point("nose", 50, 50, parentID="r2")]
    one = {**task(), "annotations": [], below: [{"result": results}]}
    with pytest.raises(FormatError, match=rf"export\.json, /1/{below}: two subjects are both track 4"):
        label_studio.read(tasks(tmp_path, task(point("nose", 1, 1)), one))


def test_what_people_and_a_machine_said_of_a_track_is_one_row(tmp_path):
    results = [{**box("r"), "meta": {"track_id": 4}}, point("nose", 10, 20, parentID="r")]
    more = [{**box("s"), "meta": {"track_id": 4}}, point("tail", 30, 20, parentID="s")]
    found = label_studio.read(tasks(tmp_path, task(*results, predictions=[{"result": more}])))
    assert (found.track.tolist(), found.human.tolist()) == ([4], [[True, False]])


def test_predictions_count_where_nobody_spoke(tmp_path):
    guess = {"predictions": [{"score": 0.5, "result": [point("nose", 1, 1)]}]}
    image = "/data/local-files/?d=clips/a_0008.png"
    spoken, silent = task(point("nose", 2, 2), **guess), task(image=image, **guess)
    silent["annotations"] = [{"was_cancelled": True, "result": [point("nose", 9, 9)]}]
    found = label_studio.read(tasks(tmp_path, spoken, silent))
    assert [video.name for video in found.videos] == ["data/upload/3/mouse", "clips/a"]
    assert found.human.reshape(-1).tolist() == [True, False]
    assert found.score.reshape(-1).tolist() == [1, 0.5]


@pytest.mark.parametrize(
    ("found", "said"),
    [
        ([{"data": {}}], "0 different keypoints"),
        ([task(point("nose", 1, 1), image=7)], "/0/data: there is no image"),
        ([task(point("nose", None, 1))], "no x, y or label"),
        ([task({**point("nose", 1, 1), "original_width": 0})], "original_width"),
        ([task(point("nose", 1, 1, image_rotation=90))], "/0/annotations: the picture was turned by 90 degrees"),
        ([task(point("nose", 1e9, 1))], "/0: a coordinate is no pixel"),
        ({"images": []}, "expected array"),
    ],
)
def test_what_is_wrong_is_told_with_its_place(found, said, tmp_path):
    (tmp_path / "export.json").write_text(json.dumps(found))
    with pytest.raises(FormatError, match=said):
        label_studio.read(tmp_path / "export.json")


def test_coco_keeps_runs_stills_and_videos(tmp_path):
    write(two_mice(), "coco", tmp_path / "a.json")
    found = coco.read(tmp_path / "a.json")
    assert [video.name for video in found.videos] == ["left", "right"]
    assert found.run.tolist() == [0, 0, 0, 5]
    categories = [{"id": 1, "name": "p", "keypoints": ["a"]}]
    images = [{"id": n, "file_name": f"{n}.jpg", "width": 10 * n, "height": 10} for n in (1, 2)]
    people = [{"id": n, "image_id": 2, "category_id": 1, "keypoints": [n, 1, 2]} for n in (1, 2)]
    (tmp_path / "b.json").write_text(json.dumps({"images": images, "annotations": people, "categories": categories}))
    stills = coco.read(tmp_path / "b.json")
    assert [(video.name, video.num_frames, video.width, video.empty) for video in stills.videos] == [
        ("1.jpg", 1, 10, (0,)),
        ("2.jpg", 1, 20, ()),
    ]
    assert (stills.video.tolist(), stills.track.tolist()) == ([1, 1], [1, 2])


def test_a_fault_of_coco_is_told_with_its_pointer(tmp_path):
    (tmp_path / "a.json").write_text('{"images": [{"id": "x"}], "annotations": [], "categories": []}')
    with pytest.raises(FormatError, match=r"a\.json, /images/0/id: 'x' is no id"):
        coco.read(tmp_path / "a.json")
