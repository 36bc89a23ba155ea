import contextlib
import io
import json
import os
import re
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from pose.formats.coco import Instance, VideoInfo, check_coco, instances, read_coco, write_coco
from pose.skeleton import COCO_17, Skeleton
from pose.track import Track

FIVE = Skeleton(
    name="fly",
    keypoints=("head", "thorax", "abdomen", "wing_left", "wing_right"),
    edges=((0, 1), (1, 2), (1, 3), (1, 4)),
    swap=((3, 4),),
    sigmas=(0.02, 0.05, 0.1, 0.08, 0.03),
)
VIDEO = VideoInfo(id=7, slug="two-flies", width=320, height=240, num_frames=100)


def pose(frame, track, *, source="human", visibility=(2, 1, 2, 0, 2), offset=0.0, **fields):
    xy = np.array([[10, 20], [30, 25], [50, 30], [7, 7], [33.333, 60.128]]) + offset
    return Instance(frame, track, xy, np.array(visibility, dtype=np.uint8), source, **fields)


def pseudo(frame, track, **fields):
    scores = np.array([0.9, 0.8, 0.70001, 0.5, 1.0], dtype=np.float32)
    return pose(frame, track, source="pseudo", scores=scores, radius90=scores * 4, run_id=12, **fields)


def written(*videos, skeleton=FIVE, info=None, **options):
    stream = io.BytesIO()
    counts = write_coco(stream, skeleton, videos, info=info or {}, **options)
    return stream.getvalue(), counts


def file_of(*poses, **options):
    return json.loads(written((VIDEO, poses), **options)[0])


def test_fields_of_a_persons_label():
    data = file_of(pose(3, 1))
    assert data["images"] == [
        {
            "id": 1, "file_name": "two-flies/frame_000003.jpg", "width": 320, "height": 240, "video_id": 7,
            "frame_index": 3,
        }
    ]  # fmt: skip
    (annotation,) = data["annotations"]
    # 40.13 px high, so each side is padded by the minimum of 8 px.
    assert annotation == {
        "id": 1, "image_id": 1, "category_id": 1, "track_id": 1,
        "keypoints": [10, 20, 2, 30, 25, 1, 50, 30, 2, 0, 0, 0, 33.33, 60.13, 2], "num_keypoints": 4,
        "bbox": [2, 12, 56, 56.13], "area": 1665.94, "iscrowd": 0, "score": 1, "source": "human",
    }  # fmt: skip


def test_fields_of_a_pseudo_label():
    (annotation,) = file_of(pseudo(3, 1))["annotations"]
    assert annotation["score"] == 0.85
    assert annotation["keypoint_scores"] == [0.9, 0.8, 0.7, 0, 1]
    assert annotation["keypoint_radius90"] == [3.6, 3.2, 2.8, 0, 4]
    assert (annotation["source"], annotation["run_id"]) == ("pseudo", 12)
    assert "keypoint_sources" not in annotation


def test_sources_of_points_are_told_where_they_differ():
    sources = ("human", "pseudo", "human", "human", "pseudo")
    (annotation,) = file_of(pseudo(3, 1, point_sources=sources))["annotations"]
    assert annotation["keypoint_sources"] == ["human", "pseudo", "human", None, "pseudo"]


def test_category_counts_edges_from_one_and_names_mirrored_points():
    (category,) = file_of(pose(3, 1), supercategory="insect")["categories"]
    assert (category["id"], category["name"], category["supercategory"]) == (1, "fly", "insect")
    assert category["skeleton"] == [[1, 2], [2, 3], [2, 4], [2, 5]]
    assert category["swap"] == [["wing_left", "wing_right"]]
    assert category["sigmas"] == list(FIVE.sigmas)


def test_info_keeps_the_callers_and_tells_the_rules():
    info = file_of(pose(3, 1), info={"snapshot": "Käfer"})["info"]
    assert info["snapshot"] == "Käfer"
    assert {"area_rule", "bbox_rule"} <= set(info)


@pytest.mark.parametrize("skeleton", [COCO_17, FIVE, Skeleton(name="Maus", keypoints=("Öhr",))], ids=lambda s: s.name)
def test_skeleton_is_read_back_as_it_was_written(skeleton):
    assert read_coco(written(skeleton=skeleton)[0]).skeleton == skeleton


def test_ids_are_dense_over_videos_frames_and_tracks():
    other = VideoInfo(id=2, slug="other", width=64, height=64, num_frames=5)
    data, counts = written((VIDEO, [pose(0, 2), pose(9, 1), pose(9, 2)]), (other, [pose(4, 1)]))
    data = json.loads(data)
    assert [(i["id"], i["video_id"], i["frame_index"]) for i in data["images"]] == [(1, 7, 0), (2, 7, 9), (3, 2, 4)]
    assert [(a["id"], a["image_id"], a["track_id"]) for a in data["annotations"]] == [
        (1, 1, 2), (2, 2, 1), (3, 2, 2), (4, 3, 1),
    ]  # fmt: skip
    assert (counts.videos, counts.images, counts.annotations, counts.left_out) == (2, 3, 4, 0)


def test_every_frame_lists_frames_without_instances():
    small = replace(VIDEO, num_frames=4)
    data, counts = written(
        (small, [pose(1, 1), pose(3, 1)]), (replace(small, id=8, slug="b"), [pose(0, 1)]), every_frame=True
    )
    data = json.loads(data)
    assert [image["frame_index"] for image in data["images"]] == [0, 1, 2, 3] * 2
    assert [annotation["image_id"] for annotation in data["annotations"]] == [2, 4, 5]
    assert counts.images == 8


def test_images_stay_with_their_instances_over_many_batches():
    video = replace(VIDEO, num_frames=2000)
    poses = [pose(frame, track) for frame in range(0, 2000, 2) for track in (1, 2, 5)]
    data, counts = written((video, iter(poses)))
    data = json.loads(data)
    frame_of = {image["id"]: image["frame_index"] for image in data["images"]}
    assert [(frame_of[a["image_id"]], a["track_id"]) for a in data["annotations"]] == [
        (p.frame_index, p.track_id) for p in poses
    ]
    assert (counts.images, counts.annotations) == (1000, 3000)
    assert [image["id"] for image in data["images"]] == list(range(1, 1001))


def test_instance_without_a_known_point_is_left_out_with_its_image():
    data, counts = written((VIDEO, [pose(1, 1, visibility=[0] * 5), pose(2, 1)]))
    assert [image["frame_index"] for image in json.loads(data)["images"]] == [2]
    assert (counts.images, counts.annotations, counts.left_out) == (1, 1, 1)
    assert written((VIDEO, [pose(1, 1, visibility=[0] * 5)]))[1].annotations == 0


def test_unknown_point_may_hold_anything():
    xy = np.full((5, 2), np.nan)
    xy[0] = 4
    visibility = np.array([2, 0, 0, 0, 0])
    instance = Instance(0, 1, xy, visibility, "pseudo", np.where(visibility, 0.5, np.nan), np.full(5, 3.0))
    (annotation,) = file_of(instance)["annotations"]
    assert annotation["keypoints"] == [4, 4, 2] + [0] * 12
    assert annotation["score"] == 0.5


def test_lone_point_and_points_beside_the_image_have_a_box_in_the_image():
    lone = pose(0, 1, visibility=(2, 0, 0, 0, 0))
    beside = pose(1, 1, offset=900.0)
    for annotation in file_of(lone, beside)["annotations"]:
        x, y, width, height = annotation["bbox"]
        assert width >= 1
        assert height >= 1
        assert x >= 0
        assert y >= 0
        assert x + width <= 320
        assert y + height <= 240
        assert annotation["area"] > 0


def test_zero_has_no_sign():
    instance = replace(pose(0, 1), xy=np.full((5, 2), -0.001))
    assert b"-0" not in written((VIDEO, [instance]))[0]


@pytest.mark.parametrize(
    ("poses", "sentence"),
    [
        ([pose(5, 1), pose(4, 1)], "frame 4, track 1 comes after frame 5, track 1"),
        ([pose(5, 2), pose(5, 1)], "frame 5, track 1 comes after"),
        ([pose(5, 1), pose(5, 1)], "comes after"),
        ([pose(100, 1)], "which has 100 frames"),
        ([pose(5, 0)], "count from 1"),
        ([replace(pose(5, 1), xy=np.zeros((4, 2)))], r"xy has shape \(4, 2\)"),
        ([replace(pseudo(5, 1), scores=np.zeros(4))], "scores has shape"),
        ([replace(pose(5, 1), visibility=np.full(5, 3))], "visibility must be"),
        ([replace(pose(5, 1), xy=np.full((5, 2), np.nan))], "coordinate"),
        ([replace(pose(5, 1), xy=np.full((5, 2), np.inf))], "coordinate"),
        ([pose(4, 1), replace(pseudo(5, 1), scores=np.full(5, np.nan))], "frame 5, track 1: a score"),
        ([replace(pseudo(5, 1), scores=np.full(5, 1.01))], "a score"),
        ([replace(pseudo(5, 1), radius90=np.full(5, np.nan))], "a radius"),
        ([replace(pose(5, 1), source="robot")], "a source"),
        ([pseudo(5, 1, point_sources=("human",))], "a source"),
    ],
)
def test_what_cannot_be_written_is_refused_by_name(poses, sentence):
    with pytest.raises(ValueError, match=sentence):
        written((VIDEO, poses))


def test_two_videos_of_one_name_are_refused():
    with pytest.raises(ValueError, match="shares its id or slug"):
        written((VIDEO, []), (replace(VIDEO, id=8), []))


def test_not_a_number_in_info_is_refused():
    with pytest.raises(ValueError, match="JSON"):
        written(info={"mean": float("nan")})


def test_file_has_no_instances_and_is_still_read():
    data, _ = written((VIDEO, []))
    assert read_coco(data).tracks == {}
    assert check_coco(data) == []


@pytest.mark.parametrize("skeleton", [COCO_17, FIVE], ids=lambda s: s.name)
def test_pycocotools_scores_a_file_against_itself_as_perfect(tmp_path, skeleton):
    rng = np.random.default_rng(1)
    visibility = rng.integers(0, 3, (40, skeleton.size))
    visibility[:, 0] = 2
    poses = [
        Instance(row // 2, row % 2 + 1, rng.uniform(0, 240, (skeleton.size, 2)), visibility[row], *made)
        for row, made in enumerate(
            [("human",), ("pseudo", np.full(skeleton.size, 0.7), np.ones(skeleton.size), 3)] * 20
        )
    ]
    path = tmp_path / "truth.json"
    data, _ = written((VIDEO, poses), skeleton=skeleton)
    path.write_bytes(data)
    with contextlib.redirect_stdout(io.StringIO()):
        truth = COCO(str(path))
        evaluation = COCOeval(truth, truth.loadRes(json.loads(data)["annotations"]), "keypoints")
        evaluation.params.kpt_oks_sigmas = skeleton.oks_sigmas()
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    assert evaluation.stats[0] == pytest.approx(1.0)
    assert evaluation.stats[5] == pytest.approx(1.0)


# From keyframes and propagation to instances.

LABELS = {
    2: Track.labelled([4, 9], np.array([[[1, 2, 2], [3, 4, 1]], [[5, 6, 2], [0, 0, 0]]])),
    5: Track.labelled([9], np.array([[[7, 8, 2], [9, 9, 2]]])),
}


def guess(frames):
    shape = (len(frames), 2)
    return Track(
        frames=np.array(frames), xy=np.full((*shape, 2), 50, dtype=np.float32), visibility=np.full(shape, 2, np.uint8),
        score=np.full(shape, 0.5, np.float32), radius90=np.full(shape, 4, np.float32),
    )  # fmt: skip


def test_labels_come_unchanged_and_pseudo_labels_fill_in():
    rows = list(instances(LABELS, {2: guess([4, 5, 9]), 3: guess([4])}, run_id=8))
    assert [(row.frame_index, row.track_id, row.source) for row in rows] == [
        (4, 2, "human"), (4, 3, "pseudo"), (5, 2, "pseudo"), (9, 2, "pseudo"), (9, 5, "human"),
    ]  # fmt: skip
    first, _, between, mixed, _ = rows
    np.testing.assert_array_equal(first.xy, LABELS[2].xy[0])
    assert (first.scores, first.radius90, first.run_id, first.point_sources) == (None, None, None, None)
    assert (between.run_id, between.point_sources) == (8, None)
    np.testing.assert_array_equal(mixed.xy, [[5, 6], [50, 50]])
    np.testing.assert_array_equal(mixed.scores, [1, 0.5])
    assert mixed.point_sources == ("human", "pseudo")


def test_no_tracks_make_no_instances():
    assert list(instances({})) == []


@st.composite
def track_sets(draw):
    """Tracks by id, each with a known point on every frame."""
    tracks = {}
    for track_id in draw(st.sets(st.integers(1, 9), max_size=3)):
        frames = sorted(draw(st.sets(st.integers(0, 99), min_size=1, max_size=5)))
        shape = (len(frames), 5)
        xy = draw(arrays(np.float32, (*shape, 2), elements=st.floats(-50, 99_999, width=32)))
        visibility = draw(arrays(np.uint8, shape, elements=st.integers(0, 2)))
        visibility[~visibility.any(axis=1), draw(st.integers(0, 4))] = 2
        known = visibility > 0
        score = draw(arrays(np.float32, shape, elements=st.floats(0, 1, width=32)))
        tracks[track_id] = Track(
            np.array(frames),
            np.where(known[..., None], xy, 0),
            visibility,
            np.where(known, score, 0),
            known * score * 9,
        )
    return tracks


def file_of_tracks(tracks):
    return written((VIDEO, instances({}, tracks, run_id=4)), info={"name": "property"})[0]


@given(track_sets())
def test_writing_what_was_read_gives_the_same_bytes(tracks):
    data = file_of_tracks(tracks)
    assert file_of_tracks(read_coco(data, num_frames=100, skeleton=FIVE).tracks) == data


@given(track_sets())
def test_nothing_appears_or_disappears_on_the_way(tracks):
    back = read_coco(file_of_tracks(tracks)).tracks
    assert sorted(back) == sorted(tracks)
    for track_id, track in tracks.items():
        np.testing.assert_array_equal(back[track_id].frames, track.frames)
        np.testing.assert_array_equal(back[track_id].visibility, track.visibility)
        np.testing.assert_allclose(back[track_id].xy, track.xy, atol=0.0051, rtol=1e-7)
        np.testing.assert_allclose(back[track_id].score, track.score, atol=0.00006)
        np.testing.assert_allclose(back[track_id].radius90, track.radius90, atol=0.0051)


@given(track_sets())
def test_what_is_written_has_no_mistakes(tracks):
    assert [finding for finding in check_coco(file_of_tracks(tracks)) if finding.severity == "error"] == []


@given(track_sets())
def test_numbers_have_at_most_two_decimals_and_scores_four(tracks):
    text = re.sub(rb'"(score|keypoint_scores|info)":(\[[^]]*\]|\{[^}]*\}|[^,]*)', b"", file_of_tracks(tracks))
    text = re.sub(rb'"sigmas":\[[^]]*\]', b"", text)
    assert not re.search(rb"\d\.\d{3}|\de[-+]?\d|NaN|null|Infinity", text)


def test_bytes_do_not_depend_on_the_process():
    script = """
import sys, numpy as np
from pose.formats.coco import VideoInfo, instances, write_coco
from pose.skeleton import COCO_17
from pose.track import Track
rng = np.random.default_rng(5)
tracks = {
    track: Track.labelled(range(50), np.concatenate(
        [rng.uniform(0, 200, (50, 17, 2)), rng.integers(0, 3, (50, 17, 1))], axis=-1))
    for track in (4, 1, 3)
}
video = VideoInfo(id=1, slug="walk", width=200, height=200, num_frames=50)
write_coco(sys.stdout.buffer, COCO_17, [(video, instances(tracks))], info={"b": 1, "a": {"z": 2, "y": "ü"}})
"""
    outputs = [
        subprocess.run(
            [sys.executable, "-c", script],
            env=os.environ
            | {"TZ": zone, "PYTHONHASHSEED": seed, "LC_ALL": locale, "PYTHONPATH": os.pathsep.join(sys.path)},
            capture_output=True,
            check=True,
        ).stdout
        for zone, seed, locale in (("UTC", "0", "C"), ("Asia/Tokyo", "12345", "C.UTF-8"))
    ]
    assert len(outputs[0]) > 50_000
    assert outputs[0] == outputs[1]
    assert outputs[0].endswith(b"]}\n")


def test_images_say_when_they_are_shown_and_whether_they_are_damaged():
    times = np.arange(100) / 30
    video = VideoInfo(id=7, slug="v", width=320, height=240, num_frames=100, times=times, damaged=((3, 5),))
    images = json.loads(written((video, [pose(2, 1), pose(3, 1), pose(50, 1)]))[0])["images"]
    assert [image["time"] for image in images] == [0.066667, 0.1, 1.666667]
    assert [image.get("damaged", False) for image in images] == [False, True, False]
