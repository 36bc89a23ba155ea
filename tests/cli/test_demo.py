"""What the demo tells of itself while it goes on, and what it leaves."""

from __future__ import annotations

import io
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import httpx2
import pytest
from rich.console import Console

from cli.demo import ENGINES, STEPS
from cli.demo_steps import Step, Steps, duration
from pose.formats.coco import check_coco
from tests.services import needed


class Clock:
    """A clock that is set by hand."""

    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now


@pytest.fixture
def told():
    """Steps that tell their story into a text: of which steps, on which clock, on a terminal or not."""

    def make(*steps, terminal=False):
        text, clock = io.StringIO(), Clock()
        console = Console(file=text, force_terminal=terminal, width=120, highlight=False)
        return Steps(console, [Step(what, seconds) for what, seconds in steps], clock), clock, text

    return make


def job(progress, stage="working", **more):
    return {"progress": progress, "stage": stage, **more}


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0, "5 s"), (33, "35 s"), (58, "1 min"), (60, "1 min"), (79, "1 min 20 s"), (3601, "60 min")],
)
def test_seconds_as_people_say_them(seconds, words):
    assert duration(seconds) == words


def test_each_step_is_named_with_its_place_and_what_is_left(told):
    steps, clock, text = told(("first", 10), ("second", 30))
    with steps.next():
        clock.now += 10
    with steps.next():
        clock.now += 30
    lines = text.getvalue().splitlines()
    assert lines == [
        "step 1 of 2: first (about 40 s left in all)",
        "  ✓ first (10.0 s)",
        "step 2 of 2: second (about 30 s left in all)",
        "  ✓ second (30.0 s)",
    ]
    assert steps.left() == 0


def test_a_slow_machine_is_believed(told):
    steps, clock, _ = told(("first", 10), ("second", 30), ("third", 5))
    with steps.next():
        clock.now += 40
    assert steps.left() == pytest.approx(4 * 35)
    with steps.next():
        clock.now += 60
        assert steps.left() == pytest.approx(4 * 35 - 60)


def test_a_job_that_says_how_long_it_takes_is_believed_and_else_its_pace(told):
    steps, clock, text = told(("first", 10), ("second", 5))
    with steps.next() as show:
        clock.now += 5
        show(job(0.0))
        assert steps.left() == pytest.approx(10)
        show(job(0.5))
        assert steps.left() == pytest.approx(5 + 5)
        show(job(0.5, remaining_seconds=20.0))
        assert steps.left() == pytest.approx(20 + 5)
        show(job(0.5, remaining_seconds=None))
        assert steps.left() == pytest.approx(5 + 5)
    assert "working" not in text.getvalue()


def test_a_long_step_says_something_now_and_then_where_no_line_can_move(told):
    steps, clock, text = told(("first", 60))
    with steps.next() as show:
        for second in range(35):
            clock.now = second
            show(job(second / 60, "adapting"))
    lines = [line for line in text.getvalue().splitlines() if "adapting" in line]
    assert lines == [
        "    adapting: 17%, about 50 s left in all",
        "    adapting: 33%, about 40 s left in all",
        "    adapting: 50%, about 30 s left in all",
    ]


def test_on_a_terminal_a_line_moves_and_goes(told):
    steps, _, text = told(("first", 60), terminal=True)
    with steps.next() as show:
        show(job(0.5, "adapting"))
    shown = text.getvalue()
    assert "step 1 of 1: first: adapting" in shown
    assert "left in all" in shown
    assert "✓ first" in shown.splitlines()[-1]


@pytest.mark.slow
def test_the_demo_says_what_it_does_and_what_it_made(tmp_path):
    needed("torch")
    done = subprocess.run(
        [sys.executable, "-m", "cli.main", "demo", "--output", "made"],
        env={**os.environ, "POSETWEEN_ADAPT_STEPS": "2", "COLUMNS": "120"},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    for number, step in enumerate(STEPS, 1):
        assert f"step {number} of {len(STEPS)}: {step.what}" in done.stdout
        assert f"✓ {step.what}" in done.stdout
    assert "From 7 labelled frames 114 were filled in" in done.stdout
    for name in ("sample", "stdpose.json", "overlay.mp4", "contact-sheet.png"):
        assert (tmp_path / "made" / name).exists()
        assert f"made/{name}" in done.stdout
    for engine in ENGINES:
        assert list(check_coco((tmp_path / "made" / f"{engine}.json").read_bytes())) == []
    assert "posetween up --data-dir made/data --open" in done.stdout


@pytest.mark.slow
def test_a_demo_that_stays_open_names_an_address_where_its_poses_can_be_looked_at(tmp_path):
    needed("torch")
    command = [sys.executable, "-m", "cli.main", "demo", "--output", "made", "--open"]
    environment = {**os.environ, "POSETWEEN_ADAPT_STEPS": "2", "COLUMNS": "120"}
    with subprocess.Popen(
        command, env=environment, cwd=tmp_path, stdout=subprocess.PIPE, text=True, start_new_session=True
    ) as demo:
        assert demo.stdout is not None
        line = next(line for line in demo.stdout if line.startswith("Look at the poses: "))
        address, key_file = re.fullmatch(r"Look at the poses: (\S+) \(the key is in (.+)\)\n", line).groups()
        key = Path(key_file).read_text().strip()
        answer = httpx2.get(f"{address}/api/v1/projects", headers={"Authorization": f"Bearer {key}"}, timeout=60)
        assert [project["name"] for project in answer.json()["items"]] == ["demo"]
        os.killpg(demo.pid, signal.SIGINT)
        assert "Ctrl+C" in demo.stdout.read()
    assert demo.returncode == 0


def test_a_demo_whose_service_does_not_start_says_where_its_log_is(tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "cli.main", "demo", "--output", "made"],
        env={**os.environ, "POSETWEEN_STORAGE_URL": "nowhere://x"},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "the service did not start" in done.stderr
    assert "made/service.log" in done.stderr
    assert "Traceback" not in done.stderr
