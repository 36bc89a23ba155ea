"""Whatever stands in a file, it is read or refused with a sentence; no other error comes of it."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator

from hypothesis import given
from hypothesis import strategies as st

from pose.formats.coco import CocoError, Numbering, PatternError, Reading, check_coco, read_coco
from pose.formats.coco_videos import read_coco_videos
from pose.skeleton import Skeleton

RIGHT = {
    "images": [
        {
            "absent_tracks": [n + 5],
            "absent_keypoints": [{"track_id": n + 8, "category_id": 1, "absent": [1]}],
            "id": n,
            "file_name": f"c/f_{n:03d}.png",
            "width": 64,
            "height": 48,
            "frame_index": n,
            "video_id": 1,
        }
        for n in (1, 2, 3)
    ],
    "annotations": [
        {"id": n, "image_id": 1 + n % 3, "category_id": 1 + n % 2, "track_id": n, "keypoints": [1, 2, 2, 3, 4, 1]}
        | {"source": "human" if n % 2 else "pseudo", "score": 0.5, "keypoint_scores": [0.5, 1], "iscrowd": 0}
        | {"keypoint_radius90": [1, 2], "keypoint_sources": ["human", None], "attributes": {"track_id": n, "score": 1}}
        for n in range(1, 6)
    ],
    "categories": [
        {
            "id": 1,
            "name": "m",
            "keypoints": ["a", "b"],
            "skeleton": [[1, 2]],
            "swap": [["a", "b"]],
            "sigmas": [0.1, 0.1],
        },
        {"id": 2, "name": "n", "keypoints": ["b", "a"]},
        {"id": 3, "name": "box"},
    ],
}
ODD = st.sampled_from(
    [
        *(
            None,
            True,
            0,
            -1,
            1,
            1.0,
            2.5,
            1e300,
            -1e300,
            10**30,
            2**53,
            2**53 + 1,
            "",
            "a",
            "1",
            "1.0",
            "\0x",
            "9" * 40,
        ),
        *(
            [],
            {},
            [None],
            [[1]],
            {"a": 1},
            [1, 2, 2],
            [0] * 6,
            [1e9] * 6,
            {"track_id": [1]},
            {"track_id": 1e300},
            "human",
        ),
    ]
)


def places(node, path=()) -> Iterator[tuple]:
    if path:
        yield path
    parts = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    for key, part in parts:
        yield from places(part, (*path, key))


PLACES = list(places(RIGHT))


def changed(changes):
    document = copy.deepcopy(RIGHT)
    for path, value, gone in changes:
        try:
            parent = document
            for key in path[:-1]:
                parent = parent[key]
            if gone:
                del parent[path[-1]]
            else:
                parent[path[-1]] = copy.deepcopy(value)
        except (KeyError, IndexError, TypeError):  # an earlier change took it away
            continue
    return json.dumps(document).encode()


@given(
    st.lists(st.tuples(st.sampled_from(PLACES), ODD, st.booleans()), min_size=1, max_size=3).map(changed),
    st.sampled_from([None, Skeleton(name="m", keypoints=("b", "a")), Skeleton(name="m", keypoints=("a", "b", "c"))]),
    st.builds(
        Reading,
        st.sampled_from([Numbering(), Numbering("file_name"), Numbering("file_name", r"f_(\d+)", 1)]),
        st.sampled_from(["refuse", "fit"]),
        st.sampled_from(["keep", "skip", "human"]),
    ),
)
def test_an_odd_file_is_read_or_refused(data, skeleton, reading):
    for read in (
        lambda: read_coco(data, num_frames=10, size=(32, 24), skeleton=skeleton, reading=reading),
        lambda: read_coco_videos(data, skeleton=skeleton),
        lambda: check_coco(data),
    ):
        try:
            found = read()
            said = [*getattr(found, "warnings", [])]
        except CocoError as error:
            said = [sentence for _, sentence in error.errors]
        assert all(0 < len(sentence.encode()) < 1000 for sentence in said)


@given(st.text(max_size=30) | st.from_regex(r"[a(.*+?\\d|)\[\]{}^$0-9]{0,30}", fullmatch=True))
def test_any_pattern_is_used_or_refused(pattern):
    data = json.dumps(RIGHT | {"annotations": []}).encode()
    try:
        found = read_coco(data, reading=Reading(Numbering("file_name", pattern)))
    except (CocoError, PatternError) as error:
        said = str(error)
        assert said
    else:
        assert len(found.file_names) == 3
