"""Connections that end in the middle of a body: what arrived counts, and the digest comes out the same."""

from __future__ import annotations

import base64
import hashlib
import random
import socket
import struct
import threading
import time

import pytest

SIZE = 2_000_000
CUTS = 50


def settled(tus, url, before, most):
    """The offset once the server has noticed that a connection is gone: no longer refused, no longer growing."""
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        offset = tus.offset(url)
        if tus.patch(url, b"", offset).status_code == 204:
            assert before <= offset <= most
            return offset
    raise AssertionError("the upload stayed locked")


def reset(connection):
    """Let the connection end with a reset, as when a cable is cut and a machine forgets."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def test_fifty_cuts_at_random_bytes(tus, make_video):
    rng, data = random.Random(1), make_video(SIZE)
    url, offset, moved = tus.begin(SIZE), 0, 0
    for cut in range(CUTS):
        length = SIZE - offset
        sent = rng.randrange(min(length, 2 * SIZE // CUTS))
        with tus.pushing(url, offset, length) as connection:
            connection.sendall(data[offset : offset + sent])
            if cut % 2:
                time.sleep(rng.random() / 20)
            if cut % 3 == 0:
                reset(connection)
        after = settled(tus, url, offset, offset + sent)
        moved += after > offset
        offset = after
    assert moved > CUTS // 3
    assert tus.patch(url, data[offset:], offset).headers["posetween-video"]
    assert tus.video(url)["sha256"] == hashlib.sha256(data).hexdigest()


@pytest.mark.slow
def test_fifty_uploads_with_a_cut_each(tus, make_video):
    rng, kept = random.Random(2), 0
    for _ in range(CUTS):
        data = make_video(300_000)
        url, cut = tus.begin(len(data)), rng.randrange(len(data))
        with tus.pushing(url, 0, len(data)) as connection:
            connection.sendall(data[:cut])
            time.sleep(0.05)
        offset = settled(tus, url, 0, cut)
        kept += offset == cut
        assert tus.patch(url, data[offset:], offset).headers["posetween-video"]
        assert tus.video(url)["sha256"] == hashlib.sha256(data).hexdigest()
    assert kept > CUTS // 2


def test_every_byte_that_the_server_had_time_to_read_counts(tus, make_video):
    data = make_video(SIZE)
    url = tus.begin(SIZE)
    with tus.pushing(url, 0, SIZE) as connection:
        connection.sendall(data[:777_777])
        deadline = time.monotonic() + 10
        while tus.offset(url) < 777_777 and time.monotonic() < deadline:
            time.sleep(0.01)
    assert settled(tus, url, 0, SIZE) == 777_777


def test_a_cut_before_the_checksum_could_be_judged_counts_nothing(tus, make_video):
    data = make_video(SIZE)
    url = tus.begin(SIZE)
    assert tus.patch(url, data[:1000], 0).status_code == 204
    promise = f"sha1 {base64.b64encode(hashlib.sha1(data[1000:]).digest()).decode()}"
    with tus.pushing(url, 1000, SIZE - 1000, Upload_Checksum=promise) as connection:
        connection.sendall(data[1000:900_000])
        time.sleep(0.3)
        assert tus.offset(url) == 1000
    assert settled(tus, url, 1000, SIZE) == 1000
    assert tus.patch(url, data[1000:], 1000, Upload_Checksum=promise).headers["posetween-video"]
    assert tus.video(url)["sha256"] == hashlib.sha256(data).hexdigest()


def test_two_writers_at_a_time(tus, make_video, refused):
    data = make_video(SIZE)
    url = tus.begin(SIZE)
    with tus.pushing(url, 0, SIZE) as connection:
        connection.sendall(data[:100_000])
        time.sleep(0.2)
        refused(tus.patch(url, bytes(SIZE), 0), 423)
        connection.sendall(data[100_000:100_001])  # who is silent for too long is given up
        refused(tus.call("DELETE", url), 423)
        connection.sendall(data[100_001:])
        assert b" 204 " in connection.recv(4096)
    assert tus.video(url)["sha256"] == hashlib.sha256(data).hexdigest()


def test_writers_that_race_for_the_same_bytes(tus, make_video):
    data = make_video(SIZE)
    url, codes = tus.begin(SIZE), []

    def write():
        codes.append(tus.patch(url, data, 0).status_code)

    threads = [threading.Thread(target=write) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert codes.count(204) == 1
    assert set(codes) <= {204, 409, 423}
    assert tus.video(url)["sha256"] == hashlib.sha256(data).hexdigest()


def test_a_connection_that_stands_still_is_given_up(tus, make_video):
    data = make_video(SIZE)
    url = tus.begin(SIZE)
    with tus.pushing(url, 0, SIZE) as connection:
        connection.sendall(data[:50_000])
        assert b" 408 " in connection.recv(4096)
        assert tus.offset(url) == 50_000
        assert tus.patch(url, data[50_000:], 50_000).headers["posetween-video"]
    assert tus.video(url)["sha256"] == hashlib.sha256(data).hexdigest()


def test_a_client_that_does_not_wait_for_the_last_answer(tus, make_video):
    data = make_video(SIZE)
    url = tus.begin(SIZE)
    with tus.pushing(url, 0, SIZE) as connection:
        connection.sendall(data)
        time.sleep(0.05)
    deadline = time.monotonic() + 20
    while (head := tus.call("HEAD", url)).headers.get("upload-offset") != str(SIZE) and time.monotonic() < deadline:
        assert head.status_code in (200, 423)
        if head.status_code == 200:
            offset = int(head.headers["upload-offset"])
            tus.patch(url, data[offset:], offset)
    assert tus.video(url)["sha256"] == hashlib.sha256(data).hexdigest()
