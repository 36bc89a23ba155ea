"""Frames are exact, cacheable, and served to many at a time."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import cv2
import numpy as np
import pytest

from pose.frame_table import FrameTable
from pose.video import Video


def decoded(answer):
    return cv2.cvtColor(cv2.imdecode(np.frombuffer(answer.content, np.uint8), cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB)


@pytest.fixture(scope="module")
def proxy(house, tmp_path_factory):
    path = tmp_path_factory.mktemp("proxy") / "proxy.mp4"
    path.write_bytes(house.http.get(f"{house.url}/content").content)
    with Video(path) as reader:
        yield reader


@pytest.mark.parametrize("index", [0, 1, 29, 30, 31, 44, 7])
def test_a_png_has_the_pixels_of_the_proxy(house, proxy, index):
    answer = house.http.get(f"{house.url}/frames/{index}", params={"format": "png"})
    assert answer.headers["content-type"] == "image/png"
    assert np.array_equal(decoded(answer), proxy.read(index))


def test_all_frames_are_there_in_order(house, proxy, walker):
    with ThreadPoolExecutor(8) as pool:
        urls = [f"{house.url}/frames/{index}?format=png" for index in range(walker.num_frames)]
        answers = list(pool.map(house.http.get, urls))
    for answer, frame in zip(answers, proxy.frames(), strict=True):
        assert np.array_equal(decoded(answer), frame)


@pytest.mark.parametrize("kind", ["jpeg", "webp"])
def test_lossy_formats_look_alike(house, proxy, kind):
    answer = house.http.get(f"{house.url}/frames/10", params={"format": kind})
    assert answer.headers["content-type"] == f"image/{kind}"
    assert np.abs(decoded(answer).astype(int) - proxy.read(10)).mean() < 8


@pytest.mark.parametrize(("width", "shape"), [(160, (120, 160)), (1, (1, 1)), (1000, (240, 320)), (320, (240, 320))])
def test_frames_shrink_but_do_not_grow(house, width, shape):
    assert decoded(house.http.get(f"{house.url}/frames/3", params={"width": width})).shape[:2] == shape


def test_a_frame_that_the_client_has_is_not_sent_again(house):
    first = house.http.get(f"{house.url}/frames/3")
    assert "immutable" in first.headers["cache-control"]
    for known in (first.headers["etag"], f'"x", {first.headers["etag"]}', "*"):
        again = house.http.get(f"{house.url}/frames/3", headers={"If-None-Match": known})
        assert (again.status_code, again.content) == (304, b"")
        assert again.headers["etag"] == first.headers["etag"]
    others = [
        house.http.get(f"{house.url}/frames/{query}").headers["etag"] for query in ("4", "3?width=9", "3?format=png")
    ]
    assert len({first.headers["etag"], *others}) == 4
    assert house.http.get(f"{house.url}/frames/4", headers={"If-None-Match": first.headers["etag"]}).status_code == 200


def test_the_frame_table_of_the_proxy_fits_the_video(house, proxy, walker):
    assert isinstance(proxy.table, FrameTable)
    assert (proxy.num_frames, house.video["num_frames"]) == (walker.num_frames, walker.num_frames)


def test_a_frame_reader_that_was_closed_is_opened_again(house, serving, walker, tmp_path):
    from app.settings import Settings

    small = serving(Settings(data_dir=tmp_path / "small", port=0, open_videos=1))
    project = small.project(walker.skeleton)
    videos = [small.upload(project, walker.path)]
    second = tmp_path / "second.mp4"
    second.write_bytes(walker.path.read_bytes() + b"\x00\x00\x00\x08free")
    videos.append(small.upload(project, second))
    assert {video["status"] for video in videos} == {"ready"}
    pixels = [small.http.get(f"/videos/{video['id']}/frames/9?format=png").content for video in (*videos, *videos)]
    assert len(set(pixels)) == 1
