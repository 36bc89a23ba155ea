"""What a decoder that was taken over says and leaves is read as what a stranger wrote."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from fractions import Fraction

import numpy as np
import pytest

import worker.kinds.ingest as module
from app.settings import Settings
from pose.frame_table import FrameTable
from worker.kinds.ingest_files import LINE_BYTES, PROXY, TABLES, Odd, Word, regular, tables, words
from worker.loop import work

STREAM = {"index": 0, "of": 1, "reason": "only"}


def said(*pieces):
    """What is understood of pieces that a child wrote."""
    end, begin = os.pipe()
    with os.fdopen(end, "rb") as output, os.fdopen(begin, "wb", buffering=0) as child:
        found = words(output, 0.0)
        heard = []
        for piece in pieces:
            child.write(piece)
            heard.append(next(found))
        child.close()
        return [word for word in (*heard, *found) if word is not None]


def test_words_come_whole_in_however_many_pieces():
    lines = b'{"frames": 3, "share": 0.5}\n{"rejected": "no video"}\n{}\n'
    expected = [Word(frames=3, share=0.5), Word(rejected="no video"), Word()]
    assert said(lines) == expected
    assert said(lines[:20], lines[20:35], lines[35:]) == expected


@pytest.mark.parametrize(
    "line",
    [b"x\n", b"[]\n", b'{"share": "much"}\n', b'{"rejected": {}}\n', b'{"frames": 1e400}\n', b"\xff\n", b" " * 9],
)
def test_what_no_child_says_is_refused(line):
    with pytest.raises(Odd):
        said(*[line] if line.endswith(b"\n") else [line * (LINE_BYTES // 16)] * 3)


def test_a_sentence_has_an_end_and_a_share_is_one():
    (word,) = said(json.dumps({"rejected": "x" * 5000, "share": 7}).encode() + b"\n")
    assert (len(word.rejected), word.share) == (1000, 1.0)


@pytest.fixture
def table():
    return FrameTable(pts=np.arange(3), keyframe=np.ones(3, bool), time_base=Fraction(1, 25), width=8, height=6)


def leave(folder, **changes):
    (folder / TABLES).write_text(json.dumps(changes))


def test_tables_are_given_as_they_were_left(tmp_path, table):
    data = table.to_bytes()
    leave(tmp_path, source=data.hex(), proxy=data.hex(), stream=STREAM)
    source, *both, stream = tables(tmp_path, 10)
    assert (source.num_frames, both, stream.reason) == (3, [data, data], "only")


@pytest.mark.parametrize(
    "change",
    [
        {"source": "zz"},
        {"source": "00"},
        {"proxy": "00"},
        {"proxy": 3},
        {"stream": {}},
        {"stream": {**STREAM, "reason": "mine"}},
        {"source": "00" * 2**20},
    ],
)
def test_what_are_no_tables_is_refused(tmp_path, table, change):
    data = table.to_bytes().hex()
    leave(tmp_path, **{"source": data, "proxy": data, "stream": STREAM, **change})
    with pytest.raises(Odd):
        tables(tmp_path, 10)


def test_only_a_file_of_its_own_is_taken(tmp_path):
    secret, kept = tmp_path / "secret", tmp_path / PROXY
    with pytest.raises(Odd):
        regular(kept, 9)
    secret.write_bytes(b"123456789")
    assert regular(secret, 9) == secret
    with pytest.raises(Odd):
        regular(secret, 8)
    kept.symlink_to(secret)
    with pytest.raises(Odd):
        regular(kept, 9)
    kept.unlink()
    kept.hardlink_to(secret)
    with pytest.raises(Odd):
        regular(kept, 9)
    kept.unlink()
    kept.mkdir()
    with pytest.raises(Odd):
        regular(kept, 10**6)


LINKS = "import os, sys; os.symlink(sys.argv[1], 'proxy'); open('tables', 'w').write(sys.argv[2]); print('{}')"


@pytest.mark.parametrize(
    ("script", "word"),
    [
        (LINKS, "crashed"),
        ("print('{}')", "crashed"),
        ("print('{\"share\": []}')", "crashed"),
        ("import os; os.write(1, b'{'); import time; time.sleep(600)", "longer than"),
    ],
)
def test_a_video_whose_child_behaves_oddly_is_rejected_and_nothing_of_ours_is_taken(
    serving, tmp_path, walker, table, monkeypatch, script, word
):
    secret = tmp_path / "secret"
    secret.write_text("a key of the worker's")
    data = table.to_bytes().hex()
    given = [str(secret), json.dumps({"source": data, "proxy": data, "stream": STREAM})]
    # In place of a decoder that was taken over.
    monkeypatch.setattr(
        module,
        "start",
        lambda settings, source, folder: subprocess.Popen(
            [sys.executable, "-c", script, *given], stdout=subprocess.PIPE, text=True, cwd=folder
        ),
    )
    service = serving(Settings(data_dir=tmp_path / "data", port=0))
    project = service.project(walker.skeleton)
    video = service.http.post(f"/projects/{project['id']}/videos", content=walker.path.read_bytes()).json()
    patient = service.settings.model_copy(update={"ingest_seconds": 20.0 if word == "crashed" else 0.5})
    work(patient, threading.Event(), until_idle=True)
    shown = service.http.get(f"/videos/{video['id']}").json()
    assert (shown["status"], word in shown["reason"]) == ("rejected", True)
    assert secret.read_text() == "a key of the worker's"
    stored = [path for path in (tmp_path / "data" / "storage").rglob("*") if path.is_symlink()]
    assert stored == []
