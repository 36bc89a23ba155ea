"""Frames are exact, cacheable, and served to many at a time."""

from __future__ import annotations

import socket
import time
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace

import cv2
import numpy as np
import psutil
import pytest

from app.errors import Busy, TooMany
from app.file_cache import FileCache
from app.storage import Storage
from app.videos.frame_maker import View
from app.videos.frames import MOST_GROUPS_OF_LAB, Frames
from app.videos.images import stepped
from pose.frame_table import FrameTable
from pose.video import VideoReader


def decoded(answer):
    return cv2.cvtColor(cv2.imdecode(np.frombuffer(answer.content, np.uint8), cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB)


@pytest.fixture(scope="module")
def proxy(house, tmp_path_factory):
    path = tmp_path_factory.mktemp("proxy") / "proxy.mp4"
    path.write_bytes(house.http.get(f"{house.url}/content").content)
    with VideoReader(path) as reader:
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


@pytest.mark.parametrize(("width", "shape"), [(160, (120, 160)), (1, (12, 16)), (1000, (240, 320)), (320, (240, 320))])
def test_frames_shrink_but_do_not_grow(house, width, shape):
    assert decoded(house.http.get(f"{house.url}/frames/3", params={"width": width})).shape[:2] == shape


def test_widths_are_rounded_up_to_steps(house):
    assert [stepped(width) for width in (1, 16, 17, 64, 65, 100, 128, 129, 200, 320, 1000, 1920)] == [
        *(16, 16, 32, 64, 80, 112, 128, 160, 224, 320, 1024, 2048)
    ]
    assert len({stepped(width) for width in range(1, 16385)}) < 40
    assert all(width <= stepped(width) <= max(1.25 * width, width + 15) for width in range(1, 16385))
    tags = {house.http.get(f"{house.url}/frames/3?width={width}").headers["etag"] for width in (97, 100, 112)}
    assert len(tags) == 1


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


@pytest.fixture
def stored(tmp_path, proxy, house):
    """A store of its own with the proxy of the house's video, and its frames in one view."""
    storage = Storage((tmp_path / "storage").as_uri(), tmp_path / "scratch")
    data = house.http.get(f"{house.url}/content").content
    kept = storage.put(data), storage.put(proxy.table.to_bytes())
    return storage, View(kept[0].sha256, kept[1].sha256, "jpeg", None), data


@pytest.fixture
def cache(tmp_path):
    return FileCache(tmp_path / "frames", 2**20)


@pytest.fixture
def frames(stored, cache):
    served = Frames(stored[0], cache, open_videos=2, makers=2)
    yield served
    served.close()


def image(found):
    return found.result(timeout=60) if isinstance(found, Future) else found


def until(condition):
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_the_frames_around_one_that_was_asked_for_are_there_too(frames, stored, proxy):
    storage, view, _ = stored
    start, stop = proxy.table.group(10)
    assert (start, stop) == (0, 30)
    asked = image(frames.get(view, 10))
    until(lambda: not frames._groups)
    storage.discard(view.proxy_sha256)
    images = [frames.get(view, index) for index in range(start, stop)]
    assert all(isinstance(one, bytes) for one in images)
    assert images[10] == asked
    sizes = {cv2.imdecode(np.frombuffer(one, np.uint8), cv2.IMREAD_COLOR).shape for one in images}
    assert sizes == {(240, 320, 3)}


@pytest.fixture
def made(cache, monkeypatch):
    """Names of images in the order in which they are kept."""
    names = []
    put = cache.put
    monkeypatch.setattr(cache, "put", lambda name, image: (names.append(name), put(name, image)))
    return names


def test_who_waits_comes_first_then_what_follows_then_what_lies_before(frames, stored, made):
    view = stored[1]
    image(frames.get(view, 25))
    until(lambda: not frames._groups)
    assert made == [view.name(index) for index in (*range(25, 30), *range(25))]


def test_little_is_made_ahead_while_somebody_waits(stored, cache, made, monkeypatch):
    storage, view, _ = stored
    monkeypatch.setattr("app.videos.frames._AHEAD_SECONDS", 0.0)
    served = Frames(storage, cache, open_videos=2, makers=1)
    views = [replace(view, width=width) for width in range(401, 409)]
    assert all(image(one) for one in [served.get(one, 20) for one in views])
    assert made[: len(views)] == [one.name(20) for one in views]
    served.close()


def test_while_somebody_waits_only_what_follows_is_made_ahead(stored, cache, made, monkeypatch):
    storage, view, _ = stored
    monkeypatch.setattr("app.videos.frames._AHEAD_SECONDS", 60.0)
    served = Frames(storage, cache, open_videos=2, makers=1)
    views = [replace(view, width=width) for width in range(401, 409)]
    assert all(image(one) for one in [served.get(one, 20) for one in views])
    served.close()
    assert made[:20] == [one.name(index) for one in views[:2] for index in range(20, 30)]


def test_a_small_picture_is_made_alone(frames, stored, cache):
    view = replace(stored[1], width=160)
    asked = image(frames.get(view, 10))
    assert cv2.imdecode(np.frombuffer(asked, np.uint8), cv2.IMREAD_COLOR).shape == (120, 160, 3)
    image(frames.get(view, 40))  # of another group: the one before is done with
    assert [index for index in range(45) if view.name(index) in cache] == [10, 40]


def test_who_asks_for_the_same_frame_gets_the_same_image(frames, stored):
    with ThreadPoolExecutor(8) as pool:
        images = list(pool.map(lambda index: image(frames.get(stored[1], index)), [7, 3, 7, 29, 3, 44, 7, 0] * 4))
    assert len(set(images)) == 5


def test_a_frame_is_made_as_long_as_one_of_those_who_asked_waits(stored, cache):
    storage, view, _ = stored
    served = Frames(storage, cache, open_videos=2, makers=1)
    busy = [served.get(replace(view, width=width), 29) for width in range(100, 110)]
    mine, yours, alone = served.get(view, 3), served.get(view, 3), served.get(view, 44)
    assert mine is yours
    served.forget(view, 3)
    served.forget(view, 44)
    assert alone.cancelled()
    assert image(yours)[:2] == b"\xff\xd8"
    for index in (3, 44):
        served.forget(view, index)  # late, or once too often: nothing comes of it
    assert all(image(one) for one in busy)
    assert image(served.get(view, 44))[:2] == b"\xff\xd8"
    served.close()


def test_a_page_that_calls_off_what_it_asked_for_hinders_nobody(house):
    address = house.http.base_url
    for index in range(20):
        with socket.create_connection((address.host, address.port)) as connection:
            request = (
                f"GET {address.path.rstrip('/')}{house.url}/frames/{index}?format=png&width={200 + index} HTTP/1.1"
            )
            lines = [request, "Host: x", f"Authorization: {house.http.headers['authorization']}", "", ""]
            connection.sendall("\r\n".join(lines).encode())
    assert house.http.get(f"{house.url}/frames/20").status_code == 200


def test_a_frame_that_cannot_be_read_fails_alone(frames, stored):
    storage, view, data = stored
    storage.discard(view.proxy_sha256)
    with pytest.raises(FileNotFoundError):
        image(frames.get(view, 5))
    storage.put(data)
    assert image(frames.get(view, 5))[:2] == b"\xff\xd8"


def test_without_room_each_frame_is_still_served(stored, tmp_path):
    served = Frames(stored[0], FileCache(tmp_path / "none", 0), open_videos=1, makers=1)
    images = {index: image(served.get(stored[1], index)) for index in (3, 12, 40)}
    again = {index: image(served.get(stored[1], index)) for index in (40, 3, 12)}
    served.close()
    assert images == again


def test_promises_do_not_outlive_the_service(stored, cache):
    storage, view, _ = stored
    served = Frames(storage, cache, open_videos=1, makers=1)
    promises = [served.get(replace(view, width=width), 29) for width in range(100, 140)]
    served.close()
    for promise in promises:
        if isinstance(promise, Future):
            assert promise.done()
    with pytest.raises(RuntimeError, match="stopped"):
        served.get(replace(view, width=99), 29)


def test_two_services_share_what_is_made(stored, cache):
    storage, view, _ = stored
    one, other = (Frames(storage, cache, open_videos=1, makers=1) for _ in range(2))
    made = image(one.get(view, 10))
    assert other.get(view, 10) == made
    one.close()
    other.close()


def makers():
    return [child for child in psutil.Process().children() if "app.videos.frame_child" in child.cmdline()]


def test_a_maker_that_dies_takes_only_its_task_with_it(stored, cache):
    storage, view, _ = stored
    before = set(makers())
    served = Frames(storage, cache, open_videos=1, makers=1)
    assert image(served.get(view, 3))[:2] == b"\xff\xd8"
    until(lambda: isinstance(served.get(view, 29), bytes) and not served._groups)
    (maker,) = set(makers()) - before
    maker.kill()
    with pytest.raises(Busy, match="ask again"):
        image(served.get(view, 44))
    assert image(served.get(view, 44))[:2] == b"\xff\xd8"
    served.close()
    assert set(makers()) <= before


def test_a_maker_that_hangs_is_ended_and_another_one_begins(stored, cache, monkeypatch):
    storage, view, _ = stored
    before = set(makers())
    served = Frames(storage, cache, open_videos=1, makers=1)
    image(served.get(view, 3))
    until(lambda: isinstance(served.get(view, 29), bytes) and not served._groups)
    (maker,) = set(makers()) - before
    maker.suspend()
    with monkeypatch.context() as patch:
        patch.setattr("app.videos.frame_maker._SECONDS", 0.1)
        with pytest.raises(Busy, match="ask again"):
            image(served.get(view, 44))
    assert not maker.is_running()
    assert image(served.get(view, 44))[:2] == b"\xff\xd8"
    served.close()


def test_who_would_wait_too_long_is_told_so(stored, cache):
    storage, view, _ = stored
    served = Frames(storage, cache, open_videos=1, makers=1)

    def ask_for_too_many():
        for width in range(1, 2000):  # far faster than they are decoded
            served.get(replace(view, width=width), 29)

    with pytest.raises(TooMany, match="ask again"):
        ask_for_too_many()
    # Another lab may still ask, and need not wait until the first one has all it wants.
    assert image(served.get(view, 3, 7))[:2] == b"\xff\xd8"
    assert sum(group.lab_id is None for group in served._groups.values()) > MOST_GROUPS_OF_LAB // 2
    served.close()


def test_many_people_of_a_lab_have_more_of_the_decoding_than_one_of_another(stored, cache):
    storage, view, _ = stored
    served, order = Frames(storage, cache, open_videos=1, makers=1), []
    promises = []
    for width in range(100, 140):  # lab 1: one caller, all at once
        promises.append((1, served.get(replace(view, width=width), 29, 1, "a")))
    for width in range(140, 180):  # lab 2: eight callers
        promises.append((2, served.get(replace(view, width=width), 29, 2, width % 8)))
    for lab_id, promise in promises:
        promise.add_done_callback(lambda _, lab_id=lab_id: order.append(lab_id))
    for _, promise in promises:
        assert promise.result()[:2] == b"\xff\xd8"
    served.close()
    # While both wait; the first few were begun before the second lab came.
    both = order[4 : len(order) - order[::-1].index(2)]
    assert both.count(2) > 3 * both.count(1)
