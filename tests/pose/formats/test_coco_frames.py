"""Images are taken for the frames that they are, at the size at which the video is shown, or the file is refused."""

from __future__ import annotations

import json

import numpy as np
import pytest

from pose.formats.coco import CocoError, Numbering, PatternError, Reading, read_coco

KEYPOINTS = ["nose", "tail"]


def document(*names, **images):
    """One label on each image; ``images`` are lists of fields, an entry for each."""
    listed = [{"id": n, "file_name": name} for n, name in enumerate(names, start=1)]
    for field, values in images.items():
        for image, value in zip(listed, values, strict=True):
            image[field] = value
    labels = [
        {"id": image["id"], "image_id": image["id"], "category_id": 1, "track_id": 1, "keypoints": [9, 5, 2, 3, 7, 1]}
        for image in listed
    ]
    return {"images": listed, "annotations": labels, "categories": [{"id": 1, "keypoints": KEYPOINTS}]}


def read(given, numbering=Numbering("file_name"), scale="refuse", **options):  # noqa: B008  # frozen
    options = {"num_frames": 40, "size": (320, 240)} | options
    return read_coco(json.dumps(given).encode(), reading=Reading(numbering, scale), **options)


def frames(*names, **numbering):
    return list(read(document(*names), Numbering("file_name", **numbering)).labels[1].frames)


def faults(given, *arguments, **options):
    with pytest.raises(CocoError) as caught:
        read(given, *arguments, **options)
    return dict(caught.value.errors)


def test_the_last_digits_of_a_file_name_are_the_frame():
    assert frames("cam1/frame_000000.png", "cam1/frame_000010.png") == [0, 10]
    assert frames("2024-11-05/img 7 (edited).jp2", "2024-11-05/img 12.jp2") == [7, 12]
    assert frames(r"C:\labelled\mouse3\img0005.bmp", r"C:\labelled\mouse3\img0039.bmp") == [5, 39]
    assert frames("clip.0003", "clip.0004") == [3, 4]


def test_the_answer_says_which_frames_the_images_are():
    poses = read(document("a_12.png", "a_3.png"))
    assert (poses.file_names, poses.offset, poses.warnings) == ({3: "a_3.png", 12: "a_12.png"}, 0, [])


@pytest.mark.parametrize("other", ["img0011_png.rf.8a7f.jpg", "cam2/img0010_png.rf.9.jpg", "img0010_jpg.rf.9.jpg"])
def test_names_that_differ_in_more_than_their_last_digits_are_told_of(other):
    first = "img0010_png.rf.5.jpg"
    assert "frame_pattern says which digits" in read(document(first, other)).warnings[0]
    assert read(document(first, "img0010_png.rf.6.jpg")).warnings == []
    if "/" not in other:
        assert read(document(first, "img0011_" + other[8:]), Numbering("file_name", r"img(\d+)_")).warnings == []


def test_a_pattern_says_which_of_several_numbers_is_the_frame():
    names = ("cam1/f_0007_of_0300.png", "cam2/f_0009_of_0300.png")
    assert frames(*names, pattern="f_([0-9]+)_") == [7, 9]
    assert frames(*names, pattern=r"cam(\d)") == [1, 2]


@pytest.mark.parametrize(
    ("pattern", "sentence"),
    [
        (r"(\d+)", "matches 2 times in 'cam1/frame_000003.png': 1, 000003"),
        (r"image(\d+)", "matches nothing in 'cam1/frame_000003.png'"),
        (r"frame_(\D*)\d", "'' in 'cam1/frame_000003.png' is no frame number"),
        (r"(cam)", "'cam' in 'cam1/frame_000003.png' is no frame number"),
    ],
)
def test_a_pattern_that_does_not_find_one_number_is_refused_with_the_file_name(pattern, sentence):
    found = faults(document("cam1/frame_000003.png"), Numbering("file_name", pattern))
    assert sentence in found["/images/0/file_name"]


@pytest.mark.parametrize(
    ("pattern", "sentence"),
    [
        (r"(\d+", "missing )"),
        (r"\d+", "0 groups"),
        (r"(\d+)_(\d+)", "2 groups"),
        (r"(?<=a)(\d+)", "not a regular expression"),
        ("(x{1000}){1000}", "not a regular expression"),
        ("(\\d)" + "a" * 200, "longer than 200"),
        ("(\ud800)", "not a regular expression"),
        ("", "0 groups"),
    ],
)
def test_a_pattern_that_is_none_is_refused(pattern, sentence):
    with pytest.raises(PatternError) as caught:
        read(document("frame_3.png"), Numbering("file_name", pattern))
    assert sentence in str(caught.value)


def test_patterns_that_take_others_years_come_to_an_end():
    name = "a" * 990 + ".png"
    for pattern in (r"(a+)+$", r"(.*.*.*.*.*.*.*)x", r"^(\w+\s?)*$"):
        faults(document(name), Numbering("file_name", pattern))


def test_names_without_a_number_are_refused():
    found = faults(document("frame.png", "", "x" * 1001 + "1.png", f"{'9' * 30}.png"))
    assert [sentence.split(";")[0] for sentence in found.values()] == [
        "'frame.png' has no number",
        "missing",
        "too long for a file name",
        f"'{'9' * 30}' in '{'9' * 30}.png' is no frame number",
    ]


def test_several_images_of_one_frame_are_refused():
    found = faults(document("cam1/3.png", "cam2/3.png"))
    assert found == {"/images/1/file_name": "frame 3 of 'cam2/3.png' is image 1 already"}


def test_numbers_that_can_only_count_from_one_do():
    poses = read(document("1.png", "40.png"))
    assert (list(poses.labels[1].frames), poses.offset) == ([0, 39], 1)
    assert "count from 1" in poses.warnings[0]


def test_numbers_that_may_count_from_one_are_said_to_count_from_zero():
    poses = read(document("frame1.png", "frame11.png"))
    assert (list(poses.labels[1].frames), poses.offset) == ([1, 11], 0)
    assert "frame_offset=1" in poses.warnings[0]
    told = read(document("frame1.png", "frame11.png"), Numbering("file_name", offset=1))
    assert (list(told.labels[1].frames), told.offset, told.warnings) == ([0, 10], 1, [])


def test_the_number_of_the_first_frame_may_be_anything():
    assert frames("12000.png", "12039.png", offset=12_000) == [0, 39]
    found = faults(document("11999.png", "12040.png"), Numbering("file_name", offset=12_000))
    assert "frame -1 of '11999.png' is not in the video" in found["/images/0/file_name"]
    assert "frame 40 of '12040.png' is not in the video" in found["/images/1/file_name"]
    assert "frame_offset" in faults(document("0.png", "40.png"))["/images/1/file_name"]


def test_a_frame_index_beside_another_number_is_told_of():
    poses = read(document("3.png", "4.png", frame_index=[3, 5]))
    assert list(poses.labels[1].frames) == [3, 4]
    assert "1 image with a frame_index other than" in poses.warnings[0]
    assert "/images/1" in poses.warnings[0]


def test_a_file_without_frame_index_is_refused_with_the_remedy():
    assert "frame_from=file_name" in faults(document("3.png"), Numbering())["/images/0/frame_index"]


@pytest.mark.parametrize("value", [7, 7.0, "7", " 7.0 "])
def test_a_frame_index_is_a_whole_number_however_it_is_written(value):
    assert list(read(document("x.png", frame_index=[value]), Numbering()).labels[1].frames) == [7]


def test_images_of_another_size_are_refused():
    found = faults(document("0.png", "1.png", width=[320, 640], height=[240, 480]))
    assert list(found) == ["/images/1/width"]
    assert "640 x 480 pixels, but the video shows 320 x 240; scale=fit" in found["/images/1/width"]
    assert "/images/0/height" in faults(document("0.png", width=[320], height=[200]))


def test_coordinates_are_scaled_image_by_image():
    given = document("0.png", "1.png", "2.png", width=[320, 640, 160], height=[240, 480, 120])
    given["annotations"][1]["keypoints"] = [120, 100, 2, 0, 0, 0]
    poses = read(given, scale="fit")
    np.testing.assert_allclose(poses.labels[1].xy[:, 0], [[9, 5], [59.75, 49.75], [18.5, 10.5]])
    np.testing.assert_array_equal(poses.labels[1].xy[1, 1], [0, 0])
    assert poses.warnings == [
        "coordinates on 1 image of 640 x 480 pixels are scaled to the video's 320 x 240",
        "coordinates on 1 image of 160 x 120 pixels are scaled to the video's 320 x 240",
    ]


def test_the_corners_of_an_image_stay_its_corners():
    given = document("0.png", width=[640], height=[480])
    given["annotations"][0]["keypoints"] = [-0.5, -0.5, 2, 639.5, 479.5, 2]
    poses = read(given, scale="fit")
    np.testing.assert_array_equal(poses.labels[1].xy[0], [[-0.5, -0.5], [319.5, 239.5]])
    assert not [warning for warning in poses.warnings if "outside" in warning]


def test_another_shape_is_stretched_and_told_of():
    poses = read(document("0.png", width=[640], height=[240]), scale="fit")
    assert "they are stretched" in poses.warnings[0]
    assert "stretched" not in read(document("0.png", width=[1919], height=[1440]), scale="fit").warnings[0]


def test_a_size_that_is_half_said_cannot_be_scaled():
    assert "/images/0/height" in faults(document("0.png", width=[640]), scale="fit")
    assert "/images/0/width" in faults(document("0.png", height=[480]), scale="fit")


@pytest.mark.parametrize("sizes", [{}, {"width": [None]}, {"width": [0], "height": [-1]}, {"width": ["320"]}])
def test_images_that_do_not_say_their_size_have_the_videos(sizes):
    assert read(document("0.png", **sizes)).warnings == []


def test_radii_are_scaled_too():
    given = document("0.png", width=[640], height=[480])
    given["annotations"][0] |= {"source": "pseudo", "score": 0.5, "keypoint_radius90": [8, 2]}
    np.testing.assert_allclose(read(given, scale="fit").pseudo[1].radius90, [[4, 1]])
