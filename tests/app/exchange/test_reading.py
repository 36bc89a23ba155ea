"""Projects of strangers are read in a child that reaches nothing else."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from app.exchange import reading
from app.exchange.reading import read
from app.sandbox.confinement import protections
from formats.errors import FormatError
from formats.registry import FORMATS, write
from tests.formats.tables import HERE, WITHOUT_EXTRA, differences, two_mice


@pytest.fixture
def folder(tmp_path):
    place = tmp_path / "child"
    place.mkdir()
    return place


@pytest.mark.parametrize("name", HERE)
def test_the_child_reads_what_the_format_reads(name, tmp_path, folder):
    write(two_mice(name), name, tmp_path / "there")
    found = read(tmp_path / "there", None, folder)
    assert found.format == name
    assert differences(FORMATS[name].read(tmp_path / "there"), found.dataset) == []
    assert len(found.media) == len(found.dataset.videos)


def test_a_broken_file_is_named_with_the_place(tmp_path, folder):
    (tmp_path / "labels.xml").write_text("<annotations><image")
    with pytest.raises(FormatError, match=r"labels\.xml, line 1: not XML") as refused:
        read(tmp_path / "labels.xml", None, folder)
    assert refused.value.path == tmp_path / "labels.xml"


def test_what_is_not_there_is_said(tmp_path, folder):
    with pytest.raises(FormatError, match="there is no such file"):
        read(tmp_path / "gone.slp", None, folder)


@pytest.mark.skipif(not protections()["landlock"], reason="this kernel has no Landlock")
def test_a_link_that_leads_out_of_the_project_is_not_followed(tmp_path, folder):
    write(two_mice(), "dlc", tmp_path / "project")
    (sheet,) = (tmp_path / "project" / "labeled-data" / "left").glob("*.csv")
    elsewhere = tmp_path / "elsewhere.csv"
    sheet.rename(elsewhere)
    sheet.symlink_to(elsewhere)
    with pytest.raises(FormatError, match="Permission denied"):
        read(tmp_path / "project", None, folder)


def test_a_picture_that_is_a_link_out_of_the_project_is_refused(tmp_path, folder):
    (tmp_path / "id_rsa").write_text("secret")
    write(two_mice(), "dlc", tmp_path / "project")
    picture = tmp_path / "project" / "labeled-data" / "left" / "img0007.png"
    picture.symlink_to(tmp_path / "id_rsa")
    with pytest.raises(FormatError, match=r"img0007\.png: this picture is no file in .*project, and") as refused:
        read(tmp_path / "project", None, folder)
    assert refused.value.path == picture
    picture.unlink()
    picture.symlink_to(tmp_path / "project" / "config.yaml")
    assert read(tmp_path / "project", None, folder).media[0].pictures == {7: picture}


@pytest.mark.parametrize("data", [b"PK", b"PK\3\4" + b"\0" * 40, b""])
def test_an_answer_that_is_broken_is_refused(data, tmp_path, folder, monkeypatch):
    write(two_mice(), "dlc", tmp_path / "project")
    do = reading.tasks.do

    def broken(*words):
        said = do(*words)
        (folder / "columns.npz").write_bytes(data or (folder / "columns.npz").read_bytes()[:-300])
        return said

    monkeypatch.setattr(reading.tasks, "do", broken)
    with pytest.raises(FormatError, match="an answer that makes no sense"):
        read(tmp_path / "project", None, folder)


@pytest.mark.parametrize("media", [[], [[]], [{"file": "", "pictures": [], "crop": None}], None])
def test_what_a_child_says_of_pictures_is_not_believed(media, tmp_path, folder, monkeypatch):
    write(two_mice(), "dlc", tmp_path / "project")
    do = reading.tasks.do
    monkeypatch.setattr(reading.tasks, "do", lambda *words: {**do(*words), "media": media})
    with pytest.raises(FormatError, match="an answer that makes no sense"):
        read(tmp_path / "project", None, folder)


def test_pictures_and_videos_of_a_deeplabcut_project_are_found(tmp_path, folder):
    write(two_mice(), "dlc", tmp_path / "project")
    config = tmp_path / "project" / "config.yaml"
    config.write_text(config.read_text().replace("0, 640, 0, 480", "10, 330, 20, 260"))
    picture = tmp_path / "project" / "labeled-data" / "left" / "img0007.png"
    picture.write_bytes(b"")
    found = read(tmp_path / "project", None, folder)
    left, right = found.media
    assert left.file == "videos/left.mp4"
    assert left.pictures == {7: picture}
    assert left.crop == (10, 20, 320, 240)
    assert (right.pictures, right.crop) == ({}, None)


@pytest.mark.skipif(WITHOUT_EXTRA, reason="h5py is not installed")
def test_pictures_of_a_package_of_sleap_come_out_of_it(tmp_path, folder):
    import h5py

    write(two_mice(), "slp", tmp_path / "mice.slp")
    shown = np.arange(48, dtype=np.uint8).reshape(4, 4, 3)
    png = np.frombuffer(cv2.imencode(".png", shown)[1].tobytes(), dtype=np.int8)
    with h5py.File(tmp_path / "mice.slp", "r+") as file:
        lines = [text.decode() for text in file["videos_json"][()]]
        about = (
            '{"filename": "mice.slp", "backend": {"filename": ".", "dataset": "video0/video", "shape": [2, 4, 4, 3]}}'
        )
        lines[0] = about
        del file["videos_json"]
        file.create_dataset("videos_json", data=lines, dtype=h5py.string_dtype())
        pictures = file.create_dataset("video0/video", (2,), dtype=h5py.vlen_dtype(np.int8))
        pictures[0], pictures[1] = png, png
        file["video0/frame_numbers"] = [0, 7]
        file.create_group("video0/source_video").attrs["json"] = '{"filename": "C:\\\\lab\\\\left.avi"}'
    found = read(tmp_path / "mice.slp", None, folder)
    assert (found.dataset.videos[0].name, found.dataset.videos[0].num_frames) == ("left", None)
    assert found.media[0].file == "C:\\lab\\left.avi"
    assert [*found.media[0].pictures] == [0, 7]
    assert np.array_equal(cv2.imread(str(found.media[0].pictures[7])), shown)
    assert found.media[1].pictures == {}


def test_pictures_of_coco_and_yolo_are_found(tmp_path, folder):
    for name, picture in (("coco", "left/frame_000007.jpg"), ("yolo", "images/train/left/frame_000007.jpg")):
        target = tmp_path / name / "labels.json" if name == "coco" else tmp_path / name
        target.parent.mkdir(exist_ok=True)
        write(two_mice(), name, target)
        file = tmp_path / name / picture
        file.parent.mkdir(parents=True)
        file.write_bytes(b"")
        place = folder / name
        place.mkdir()
        assert read(target, None, place).media[0].pictures == {7: file}, name


def test_a_name_of_a_picture_does_not_lead_out_of_the_project(tmp_path, folder):
    (tmp_path / "secret.png").write_bytes(b"")
    write(two_mice(), "dlc", tmp_path / "project")
    sheet = Path(*(tmp_path / "project" / "labeled-data" / "left").glob("*.csv"))
    sheet.write_text(sheet.read_text().replace("labeled-data,left", "labeled-data,../.."))
    found = read(tmp_path / "project", None, folder)
    assert [media.pictures for media in found.media] == [{}] * len(found.media)
