import json

import numpy as np
import pytest

from pose.formats.coco import MAX_COORDINATE, CocoError, Reading, read_coco
from pose.skeleton import Skeleton

THREE = Skeleton(name="mouse", keypoints=("nose", "ear", "tail"), edges=((0, 1), (1, 2)))


def document(**changes):
    """Two tracks on frames 3 and 8 of one video."""
    return {
        "images": [
            {"id": 1, "file_name": "v/frame_000003.jpg", "width": 64, "height": 48, "frame_index": 3},
            {"id": 2, "file_name": "v/frame_000008.jpg", "width": 64, "height": 48, "frame_index": 8},
        ],
        "annotations": [
            annotation(1, image_id=2, track_id=1, keypoints=[5, 6, 2, 7.5, 8, 1, 9, 9, 0]),
            annotation(2, image_id=1, track_id=1, keypoints=[1, 2, 2, 3, 4, 2, 5, 6, 2]),
            annotation(3, image_id=1, track_id=2, keypoints=[11, 12, 2, 13, 14, 2, 15, 16, 2]),
        ],
        "categories": [category()],
    } | changes


def annotation(number, **fields):
    return {"id": number, "image_id": 1, "category_id": 1, "keypoints": [1, 2, 2] * 3, "iscrowd": 0} | fields


def category(**fields):
    return {"id": 1, "name": "mouse", "keypoints": list(THREE.keypoints), "skeleton": [[1, 2], [2, 3]]} | fields


def read(changes=None, **options):
    return read_coco(json.dumps(document(**changes or {})).encode(), **options)


def refusal(changes=None, **options):
    with pytest.raises(CocoError) as caught:
        read(changes, **options)
    return dict(caught.value.errors)


def changed(kind, index, **fields):
    items = document()[kind]
    items[index] |= fields
    return {kind: [{key: value for key, value in item.items() if value is not ...} for item in items]}


def test_tracks_come_sorted_by_frame_with_unknown_points_at_zero():
    poses = read()
    assert poses.skeleton == THREE
    assert (poses.width, poses.height, poses.warnings) == (64, 48, [])
    assert sorted(poses.tracks) == [1, 2]
    track = poses.tracks[1]
    np.testing.assert_array_equal(track.frames, [3, 8])
    np.testing.assert_array_equal(track.xy, [[[1, 2], [3, 4], [5, 6]], [[5, 6], [7.5, 8], [0, 0]]])
    np.testing.assert_array_equal(track.visibility, [[2, 2, 2], [2, 1, 0]])
    np.testing.assert_array_equal(track.score, [[1, 1, 1], [1, 1, 0]])
    np.testing.assert_array_equal(track.radius90, np.zeros((2, 3)))
    np.testing.assert_array_equal(poses.tracks[2].frames, [3])


def test_scores_and_radii_are_read_where_they_are_given():
    poses = read(changed("annotations", 0, keypoint_scores=[0.5, 0.25, 0.9], keypoint_radius90=[3, 4.5, 8]))
    np.testing.assert_array_equal(poses.tracks[1].score, [[1, 1, 1], [0.5, 0.25, 0]])
    np.testing.assert_array_equal(poses.tracks[1].radius90, [[0, 0, 0], [3, 4.5, 0]])


def test_file_without_track_ids_shows_one_subject():
    without = [annotation(1, image_id=1), annotation(2, image_id=2)]
    assert list(read({"annotations": without}).tracks) == [1]
    two = [annotation(1), annotation(2)]
    assert "two subjects" in refusal({"annotations": two})["/annotations/1/track_id"]


def test_byte_order_mark_and_foreign_fields_are_no_obstacle():
    images = [image | {"license": 3, "coco_url": None} for image in document()["images"]]
    data = b"\xef\xbb\xbf" + json.dumps(document(images=images, licenses=[{"id": 3}])).encode()
    assert len(read_coco(data).tracks) == 2


def test_file_without_annotations_has_no_tracks():
    assert read({"annotations": []}).tracks == {}
    empty = read({"annotations": [], "images": []})
    assert (empty.width, empty.height) == (None, None)


def test_crowds_and_instances_without_known_points_are_left_out_with_a_warning():
    extra = [
        annotation(4, image_id=2, track_id=2, iscrowd=1),
        annotation(5, image_id=2, track_id=3, keypoints=[9, 9, 0] * 3),
    ]
    poses = read({"annotations": document()["annotations"] + extra})
    assert sorted(poses.tracks) == [1, 2]
    assert len(poses.tracks[2]) == 1
    assert [warning.split()[0] for warning in poses.warnings] == ["1", "1"]


def test_images_of_several_sizes_have_no_common_size():
    poses = read(changed("images", 1, width=128))
    assert (poses.width, poses.height) == (None, 48)


def test_edges_from_zero_are_taken_with_a_warning():
    poses = read({"categories": [category(skeleton=[[0, 1], [1, 2]])]})
    assert poses.skeleton.edges == ((0, 1), (1, 2))
    assert "from 0" in poses.warnings[0]


def test_keypoints_are_reordered_by_name_to_the_wanted_skeleton():
    wanted = Skeleton(name="mouse4", keypoints=("tail", "paw", "nose", "ear"))
    poses = read(skeleton=wanted)
    assert poses.skeleton is wanted
    np.testing.assert_array_equal(poses.tracks[2].xy[0], [[15, 16], [0, 0], [11, 12], [13, 14]])
    np.testing.assert_array_equal(poses.tracks[2].visibility[0], [2, 0, 2, 2])
    np.testing.assert_array_equal(poses.tracks[2].score[0], [1, 0, 1, 1])
    assert "paw" in poses.warnings[0]


def test_keypoint_that_the_wanted_skeleton_lacks_is_refused():
    errors = refusal(skeleton=Skeleton(name="head", keypoints=("nose", "ear")))
    assert "'tail'" in errors["/categories/0/keypoints/2"]


def test_categories_may_share_a_skeleton():
    both = [category(), category(id=2, name="other mouse"), {"id": 3, "name": "box"}]
    changes = changed("annotations", 2, category_id=2) | {"categories": both}
    assert sorted(read(changes).tracks) == [1, 2]


@pytest.mark.parametrize(
    ("changes", "pointer"),
    [
        (changed("annotations", 1, image_id=77), "/annotations/1/image_id"),
        (changed("annotations", 1, category_id=9), "/annotations/1/category_id"),
        (changed("annotations", 1, id=1), "/annotations/1/id"),
        (changed("annotations", 1, keypoints=[1, 2, 2]), "/annotations/1/keypoints"),
        (changed("annotations", 1, keypoints=[1, 2, 2, "x", 2, 2, 1, 2, 2]), "/annotations/1/keypoints/3"),
        (changed("annotations", 1, keypoints=[1, 2, 2, 3, 4, 3, 5, 6, 2]), "/annotations/1/keypoints/5"),
        (changed("annotations", 1, keypoints=[1, 2, 2, 3, 4, 0.5, 5, 6, 2]), "/annotations/1/keypoints/5"),
        (changed("annotations", 1, keypoints=[1, -2e5, 2, 3, 4, 2, 5, 6, 2]), "/annotations/1/keypoints/1"),
        (changed("annotations", 1, keypoints=[1, 2, 2, float("nan"), 4, 2, 5, 6, 2]), "/annotations/1/keypoints/3"),
        (changed("annotations", 1, keypoints=[1, 2, 2, 3, 4, 2, float("inf"), 6, 2]), "/annotations/1/keypoints/6"),
        (changed("annotations", 1, track_id=0), "/annotations/1/track_id"),
        (changed("annotations", 1, track_id=10**40), "/annotations/1/track_id"),
        (changed("annotations", 1, track_id=...), "/annotations/1/track_id"),
        (changed("annotations", 1, track_id=2, image_id=1), "/annotations/2/track_id"),
        (changed("annotations", 1, keypoint_scores=[0.5]), "/annotations/1/keypoint_scores"),
        (changed("annotations", 1, keypoint_scores=[0.5, 1.5, 0]), "/annotations/1/keypoint_scores/1"),
        (changed("annotations", 1, keypoint_radius90=[0.5, 1, -1]), "/annotations/1/keypoint_radius90/2"),
        (changed("images", 1, id=1), "/images/1/id"),
        (changed("images", 1, id="two"), "/images/1/id"),
        (changed("images", 1, frame_index=3), "/images/1/frame_index"),
        (changed("images", 1, frame_index=-1), "/images/1/frame_index"),
        (changed("images", 1, frame_index=10), "/images/1/frame_index"),
        (changed("images", 1, frame_index=...), "/images/1/frame_index"),
        (changed("images", 1, frame_index=10**40), "/images/1/frame_index"),
        (changed("images", 1, frame_index=2.5), "/images/1/frame_index"),
        (changed("images", 1, video_id=4), "/images/1/video_id"),
        ({"categories": []}, "/categories"),
        ({"categories": [category(), category()]}, "/categories/1/id"),
        (
            {"categories": [category(), category(id=2, keypoints=["a", "b", "c"])]}
            | changed("annotations", 1, category_id=2),
            "/categories/1/keypoints",
        ),
        ({"categories": [category(keypoints=["a", "b", "a"])]}, "/categories/0/keypoints/2"),
        ({"categories": [category(skeleton=[[1, 2], [2, 4]])]}, "/categories/0/skeleton/1"),
        ({"categories": [category(skeleton=[[1, 2, 3]])]}, "/categories/0/skeleton/0"),
        ({"categories": [category(swap=[["nose", "left"]])]}, "/categories/0/swap/0"),
        ({"categories": [category(sigmas=[0.1, 0.1, -1])]}, "/categories/0/sigmas/2"),
        ({"images": None}, "/images"),
        ({"annotations": {}}, "/annotations"),
    ],
)
def test_refusal_points_at_the_fault(changes, pointer):
    errors = refusal(changes, num_frames=10)
    assert next(iter(errors)) == pointer
    assert len(errors[pointer]) > 8


@pytest.mark.parametrize(
    "data",
    [
        b"", b"[]", b"null", b"{", b"video", b'{"images":[]}', b"\xff\xfe{", json.dumps(document()).encode()[:-9],
        json.dumps(document()).encode("utf-16"), b"[" * 100_000, b'{"images":[],"annotations":' + b"[" * 100_000,
        b'{"images":[],"categories":[],"annotations":[],"x":NaN',
        b'{"images":[],"annotations":[],"categories":[{"id":1,"name":"\xff"}]}',
    ],
)  # fmt: skip
def test_what_is_no_coco_file_is_refused(data):
    with pytest.raises(CocoError) as caught:
        read_coco(data)
    assert str(caught.value)


def test_frames_without_a_known_length_are_still_bounded():
    assert "/images/1/frame_index" in refusal(changed("images", 1, frame_index=10**40))


def test_number_beyond_floats_is_refused_in_place():
    data = json.dumps(document()).encode().replace(b"7.5", b"7.5e999")
    with pytest.raises(CocoError) as caught:
        read_coco(data)
    assert caught.value.pointer == "/annotations/0/keypoints/3"


def test_many_faults_are_told_together_but_not_without_end():
    several = refusal(
        {"annotations": [annotation(1, image_id=7), annotation(1, keypoints=[1]), annotation(3, track_id=-4)]}
    )
    assert {
        "/annotations/0/image_id",
        "/annotations/1/id",
        "/annotations/1/keypoints",
        "/annotations/2/track_id",
    } <= set(several)
    assert len(refusal({"annotations": [annotation(n, image_id=7, track_id=n + 1) for n in range(99)]})) == 20


def test_message_names_the_first_fault_and_counts_the_others():
    with pytest.raises(CocoError, match=r"^/annotations/0/image_id: there is no image 7 \(and 1 more\)$"):
        read({"annotations": [annotation(1, image_id=7, track_id=1), annotation(2, image_id=8, track_id=1)]})


def test_a_file_that_holds_too_much_is_refused_while_it_is_read():
    assert sorted(read(most_points=9).tracks) == [1, 2]
    assert list(refusal(most_points=8)) == ["/annotations/2"]
    machines = changed("annotations", 2, source="pseudo")
    assert sorted(read(machines, most_points=6, reading=Reading(machine="skip")).tracks) == [1]


def test_float32_keeps_two_decimals_of_the_largest_coordinate():
    values = np.round(np.linspace(MAX_COORDINATE - 9, MAX_COORDINATE, 1000), 2)
    np.testing.assert_array_equal(np.round(values.astype(np.float32).astype(float), 2), values)
