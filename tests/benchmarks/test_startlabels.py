"""Start labels: what is printed, and a label file for each subject."""

from __future__ import annotations

import json
import sys

from benchmarks.startlabels import main
from formats.registry import write
from pose.synthetic import SceneSpec
from tests.cli.importing.conftest import table
from tests.conftest import render


def test_each_subject_of_each_clip_has_files_of_its_own(tmp_path, monkeypatch, capsys):
    long = "a-name-of-a-clip-that-is-longer-than-forty-letters"
    for place in ("one", "two"):
        folder = tmp_path / "data" / "flies" / f"{long}-{place}"
        folder.mkdir(parents=True)
        made = render(folder, SceneSpec(seed=5, kind="fly", subjects=2, num_frames=6, width=64, height=64))
        made.path.rename(folder / "video.mp4")
        write(table(made, range(6)), "coco", folder / "truth.json")
    words = ["--data", tmp_path / "data", "--engines", "linear", "--group", "flies", "--out", tmp_path / "out"]
    monkeypatch.setattr(sys, "argv", ["startlabels", *map(str, words)])
    main()
    shown = capsys.readouterr().out
    assert '`python -m benchmarks.startlabels --data DIR --engines "linear" --group flies --out FILES`' in shown
    assert "counts as missed: `coverage`" in shown
    assert "| linear |" in shown
    for kind in ("startlabels", "cliplabels"):
        files = [*(tmp_path / "out" / "linear").rglob(f"*_{kind}.json")]
        assert len(files) == 4
        assert len({json.dumps(json.loads(file.read_text())["annotations"]) for file in files}) >= 2
