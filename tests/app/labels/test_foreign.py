"""Labels in formats of other tools, sent to a running service: read apart from it, and imported as COCO's are."""

from __future__ import annotations

import io
import json
import threading
import zipfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest

from app import disk
from app.labels import router
from app.settings import Settings
from formats.dataset import Dataset, Video
from formats.registry import FORMATS, write
from pose.skeleton import Skeleton
from tests.formats.tables import HERE

MOUSE = Skeleton(name="mouse", keypoints=("nose", "tail"), edges=((0, 1),))
MACHINES = ("dlc-predictions", "sleap-analysis")
#: COCO's files are read as they always were, PoseTrack has joints of its own, and these hold one subject.
OTHERS = ("coco", "posetrack", "lightning-pose", "posemark")


@pytest.fixture(scope="module")
def lab(serving, tmp_path_factory):
    return serving(Settings(data_dir=tmp_path_factory.mktemp("foreign"), port=0))


@pytest.fixture
def video(lab, walker):
    """A video of 45 frames in a new project, without labels."""
    return lab.upload(lab.project(MOUSE, "mice"), walker.path)


def table(video, *, name="walk", human=True):
    """Poses of two subjects on two frames, one point hidden and one not known, and a video of another name."""
    size = {"width": video["width"], "height": video["height"]}
    names = {1: "anna", 2: "bob"}
    videos = (Video(name=name, num_frames=45, tracks=names, **size), Video(name="other", num_frames=45, **size))
    visibility = np.array([[2, 1], [2, 0], [2, 2], [2, 2]])
    return Dataset.of(
        MOUSE,
        videos,
        video=[0, 0, 0, 1],
        frame=[0, 0, 30, 3],
        track=[1, 2, 1, 1],
        xy=np.arange(16).reshape(4, 2, 2) * 10.25 + 5,
        visibility=visibility,
        score=np.full((4, 2), 0.5),
        human=np.full((4, 2), human),
    )


def packed(path):
    if path.is_file():
        return path.read_bytes()
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for file in sorted(path.rglob("*")):
            if file.is_file():
                archive.write(file, file.relative_to(path.parent).as_posix())
    return stream.getvalue()


def send(lab, video, body, **query):
    headers = {"Content-Type": "application/octet-stream"}
    return lab.http.post(f"/videos/{video['id']}/labels/import", params=query, content=body, headers=headers)


def labels(lab, video, layer="human"):
    found = lab.http.get(f"/videos/{video['id']}/labels", params={"layer": layer}).json()["labels"]
    return {(one["frame_index"], one["track_id"]): one["keypoints"] for one in found}


@pytest.mark.parametrize("name", [name for name in HERE if name not in OTHERS])
def test_every_format_is_read_as_posetween_import_reads_it(name, lab, video, tmp_path):
    poses = table(video, human=name not in MACHINES)
    target = tmp_path / f"poses{FORMATS[name].ending}"
    write(poses, name, target)
    expected = FORMATS[name].read(target)
    number = [one.name for one in expected.videos].index("walk")
    query = {"format": "auto", "pseudo": "run", "source": "walk"}
    dry = send(lab, video, packed(target), **query, dry_run=True)
    assert dry.status_code == 200, dry.text
    assert labels(lab, video) == {}
    answer = send(lab, video, packed(target), **query).json()
    told = {"dry_run": None, "revision": None, "run_id": None}
    assert answer | told == dry.json() | told
    assert any("1 other video of the file left out: 'other'" in warning for warning in answer["warnings"])
    machine = expected.machine[expected.rows_of(number)].any()
    assert (answer["run_id"] is not None, answer["written"]) == (bool(machine), 0 if machine else 3)
    found = labels(lab, video, "merged")
    rows = expected.rows_of(number)
    track_of = answer["identities"] or {}
    for row in range(rows.start, rows.stop):
        called = expected.videos[number].tracks.get(int(expected.track[row]))
        track = track_of.get(called, int(expected.track[row]))
        for k in np.flatnonzero(expected.known[row]):
            x, y, v = found[int(expected.frame[row]), track][k][:3]
            np.testing.assert_allclose([x, y], expected.xy[row, k], atol=0.011)
            assert v == expected.visibility[row, k]


def test_the_video_that_is_called_so_is_meant_else_one_has_to_be_named(lab, video, tmp_path):
    write(table(video, name=video["slug"]), "dlc", tmp_path / "there")
    answer = send(lab, video, packed(tmp_path / "there"), format="dlc")
    assert (answer.status_code, answer.json()["written"]) == (200, 3)
    names = {one["name"] for one in lab.http.get(f"/videos/{video['id']}/tracks").json()["items"]}
    assert {"anna", "bob"} <= names
    write(table(video, name="cage"), "dlc", tmp_path / "others")
    refused = send(lab, video, packed(tmp_path / "others"), format="dlc")
    assert refused.status_code == 422
    assert "it has 'cage', 'other'" in refused.json()["detail"]
    assert refused.json()["errors"][0]["pointer"] == "/source"
    assert send(lab, video, packed(tmp_path / "others"), format="dlc", source="cat").status_code == 422


def test_pictures_of_another_size_are_refused_or_fitted(lab, video, tmp_path):
    poses = table(video)
    half = replace(poses.videos[0], width=video["width"] // 2, height=video["height"] // 2)
    write(poses.with_videos((half, poses.videos[1])), "cvat", tmp_path / "labels.xml")
    body = (tmp_path / "labels.xml").read_bytes()
    assert send(lab, video, body, format="cvat", source="walk").status_code == 422
    assert send(lab, video, body, format="cvat", source="walk", scale="fit").status_code == 200
    x, y, _ = labels(lab, video)[0, 1][0]
    assert (x, y) == pytest.approx(((5 + 0.5) * 2 - 0.5, (15.25 + 0.5) * 2 - 0.5), abs=0.02)


def test_labels_of_frames_that_the_video_lacks_write_nothing(lab, video, tmp_path):
    poses = table(video).with_columns(frame=[0, 0, 44, 3])
    late = replace(poses, frame=np.array([0, 0, 45, 3]), videos=tuple(replace(v, num_frames=90) for v in poses.videos))
    write(late, "dlc", tmp_path / "there")
    refused = send(lab, video, packed(tmp_path / "there"), format="auto", source="walk")
    assert refused.status_code == 422
    assert "45" in refused.json()["detail"]
    assert labels(lab, video) == {}


@pytest.mark.parametrize(
    ("body", "query", "said"),
    [
        (b"", {"format": "auto"}, "no format that is known"),
        (b"hello", {"format": "cvat", "filename": "x.xml"}, "not XML"),
        (b"\x89HDF\r\n\x1a\nbroken", {"format": "auto"}, "HDF5"),
        (b"PK\x03\x04broken", {"format": "auto"}, "a broken archive"),
        (b"[]", {"format": "label-studio"}, "0 different keypoints"),
        (b"hello", {"format": "cvat", "filename": "x.a\0"}, "not XML"),
        (b"hello", {"format": "cvat", "filename": "\U0001f42d" * 50 + "." + "\U0001f42d" * 19}, "not XML"),
        (b"hello", {"format": "cvat", "filename": ".."}, "not XML"),
    ],
)
def test_a_body_that_cannot_be_read_is_refused_without_a_path_of_the_server(body, query, said, lab, video):
    refused = send(lab, video, body, **query)
    assert refused.status_code == 422, refused.text
    assert said in refused.json()["detail"]
    assert str(lab.settings.data_dir) not in refused.text
    assert labels(lab, video) == {}


def zipped(name, data=b"x", **about):
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        entry = zipfile.ZipInfo(name)
        for attribute, value in about.items():
            setattr(entry, attribute, value)
        archive.writestr(entry, data)
        archive.writestr("other.txt", b"y")
    return stream.getvalue()


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (zipped("../../evil.csv"), "leads out of the archive"),
        (zipped("/etc/evil.csv"), "leads out of the archive"),
        (zipped("c:/evil.csv"), "leads out of the archive"),
        (zipped("link.csv", b"/etc/passwd", external_attr=0o120777 << 16), "this is a link"),
    ],
)
def test_an_archive_that_reaches_out_is_refused(body, said, lab, video, tmp_path):
    refused = send(lab, video, body, format="auto")
    assert refused.status_code == 422
    assert said in refused.json()["detail"]


def test_options_that_belong_to_the_other_kind_of_file_are_refused(lab, video):
    for query in ({"source": "walk"}, {"filename": "walk.json"}, {"format": "dlc", "frame_from": "file_name"}):
        refused = send(lab, video, b"{}", **query)
        assert refused.status_code == 422, refused.text
    assert send(lab, video, b"{}", format="magic").status_code == 422


def test_labels_are_written_while_a_file_is_read(lab, video, tmp_path, monkeypatch):
    write(table(video), "dlc", tmp_path / "there")
    reading, go_on = threading.Event(), threading.Event()
    read = router.read_foreign

    def held(*what):
        reading.set()
        assert go_on.wait(60)
        return read(*what)

    monkeypatch.setattr(router, "read_foreign", held)
    lab.track(video)
    points = [[1.25, 2.5, 2], [3.75, 4.5, 2]]
    many = [{"frame_index": frame, "track_id": 1, "keypoints": points} for frame in range(45)]
    body = json.dumps({"labels": many}) + " " * router._SHORT_BODY
    with ThreadPoolExecutor(1) as pool:
        sent = pool.submit(send, lab, video, packed(tmp_path / "there"), format="dlc", source="walk")
        try:
            assert reading.wait(60)
            written = lab.http.put(f"/videos/{video['id']}/labels", content=body)
            assert written.json()["written"] == 45, written.text
        finally:
            go_on.set()
        assert sent.result().status_code == 200


def test_a_file_for_which_there_is_no_room_is_refused_and_what_it_unfolds_to(lab, video, monkeypatch):
    monkeypatch.setattr(disk, "room", lambda folder: 10**6)
    refused = send(lab, video, zipped("labels.csv", b"0" * 10**6, compress_type=zipfile.ZIP_DEFLATED), format="auto")
    assert (refused.status_code, "no room" in refused.json()["detail"]) == (422, True)
    monkeypatch.setattr(disk, "room", lambda folder: 0)
    assert send(lab, video, b"hello", format="auto").status_code == 507
    assert labels(lab, video) == {}


def test_a_reader_and_strangers_have_nothing_read(lab, video):
    key = lab.http.post("/keys", json={"name": "r", "role": "reader"}).json()["key"]
    headers = {"Authorization": f"Bearer {key}"}
    path = f"/videos/{video['id']}/labels/import"
    assert lab.http.post(path, params={"format": "auto"}, content=b"x", headers=headers).status_code == 403
    assert send(lab, {"id": 999}, b"x", format="auto").status_code == 404
