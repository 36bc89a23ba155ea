"""Which tests run side by side, and in what order: so that no processor waits, neither in between nor at the end."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).parent

#: Files that take longest. They come first: whoever ran the last of them while the others have nothing to do any more
#: would keep everybody waiting. Those that drive a browser alternate with others.
LONG = (
    "page/test_screens.py",
    "worker/kinds/test_train.py",
    "recorded/test_recorded.py",
    "deploy/test_processes.py",
    "page/test_desk.py",
    "worker/test_spread.py",
    "models/training/test_two_processes.py",
    "page/test_bad_days.py",
    "worker/test_celery.py",
    "models/training/test_presence.py",
    "page/test_loop.py",
    "worker/test_retired_keypoints.py",
    "models/training/test_train.py",
    "page/test_skeletons.py",
    "worker/test_loop.py",
    "models/training/test_going_on.py",
    "page/test_review.py",
    "worker/test_erasing.py",
    "models/training/test_beginning.py",
    "worker/test_absences.py",
    "cli/importing/test_command.py",
    "cli/importing/test_moving_in.py",
    "worker/test_cancel.py",
    "worker/kinds/test_ingest.py",
    "app/test_openapi.py",
    "formats/test_round_trip.py",
    "formats/test_fuzz.py",
    "app/uploads/test_killed.py",
    "app/uploads/test_cuts.py",
    "app/labels/test_writers.py",
    "models/adaptation/test_adaptation.py",
    "models/pretraining/test_training.py",
)


def pytest_xdist_auto_num_workers() -> int | None:
    """How many processes ``-n auto`` means: half as many again as there are processors, since many tests wait."""
    if os.environ.get("PYTEST_XDIST_AUTO_NUM_WORKERS"):
        return None
    processors = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return processors + max(1, processors // 2)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put long files first; within a file, and among the others, the order stays."""
    places = {ROOT / name: place for place, name in enumerate(LONG)}
    items.sort(key=lambda item: places.get(item.path, len(places)))
