"""Where networks compute, and what a process is told before PyTorch is loaded."""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

import numpy as np
import pytest
import torch

from models.adaptation.adaptation import version_of
from models.compute import devices, precision_trial, processor
from models.compute.devices import Compute, DeviceError, check, choose, use_threads, wait_passively
from models.compute.precision_trial import Trial
from models.compute.processor import Processor
from models.stdpose.engine import StdPoseEngine
from models.stdpose.network import StdPose
from pose.track import blank

ROOT = Path(__file__).parents[3]
CPU = torch.device("cpu")

LAPTOP = Processor("A laptop of 2018", frozenset({"avx2"}))
SERVER = Processor("A server of 2024", frozenset({"avx2", "avx512f", "avx512_bf16"}))
ARM = Processor("A small server", frozenset({"asimd", "bf16"}))


@pytest.fixture
def on(monkeypatch: pytest.MonkeyPatch):
    """Take this machine's processor for another."""

    def put(one: Processor) -> None:
        for name in ("ONEDNN_MAX_CPU_ISA", "DNNL_MAX_CPU_ISA", "ATEN_CPU_CAPABILITY"):
            monkeypatch.delenv(name, raising=False)
        monkeypatch.setattr(processor.Processor, "here", classmethod(lambda cls: one))

    return put


@pytest.mark.parametrize("one", [LAPTOP, ARM])
def test_auto_is_fp32_where_bf16_would_be_emulated_even_in_part(on, one: Processor) -> None:
    on(one)
    assert choose("cpu") == Compute(CPU, "fp32", "fp32")


@pytest.mark.parametrize(
    ("trial", "precision", "learning"),
    [(Trial(0.7, 1.3), "bf16", "fp32"), (Trial(1.8, 1.6), "fp32", "fp32"), (Trial(0.9, 0.8), "fp32", "bf16")],
)
def test_auto_is_bf16_where_it_is_native_and_faster(
    on, monkeypatch, trial: Trial, precision: str, learning: str
) -> None:
    on(SERVER)
    monkeypatch.setattr(precision_trial, "compare", lambda fp32, bf16: trial)
    devices._faster_here.cache_clear()
    try:
        assert choose("cpu") == Compute(CPU, precision, learning)
        assert choose("cpu").to_learn() == Compute(CPU, learning)
        assert choose("cpu", "bf16").to_learn().precision == "bf16"
    finally:
        devices._faster_here.cache_clear()


def test_a_trial_times_each_precision_and_leaves_threads_and_random_numbers_alone() -> None:
    before, state = torch.get_num_threads(), torch.get_rng_state()

    @contextmanager
    def slow() -> Iterator[None]:
        end = time.thread_time() + 0.02
        while time.thread_time() < end:
            pass
        yield

    trial = precision_trial.compare(nullcontext, slow)
    assert trial.infer > 1
    assert trial.learn > 1
    trial = precision_trial.compare(slow, nullcontext)
    assert trial.infer < precision_trial.WORTH
    assert trial.learn < precision_trial.WORTH
    assert torch.get_num_threads() == before
    assert torch.equal(torch.get_rng_state(), state)


def test_an_engine_that_learnt_in_another_precision_is_another_version(network: StdPose) -> None:
    labels = {1: blank(np.arange(2), 1)}
    engines = [StdPoseEngine(network, "abc", Compute(CPU, "fp32", learning)) for learning in ("fp32", "bf16")]
    assert len({version_of(engine, labels) for engine in engines}) == 2
    assert engines[0].version == engines[1].version


def test_a_wish_is_followed_where_the_processor_can(on) -> None:
    on(ARM)
    assert choose("cpu", "bf16").precision == "bf16"
    on(SERVER)
    assert choose("cpu", "fp32").precision == "fp32"


@pytest.mark.parametrize("refuse", [choose, check])
def test_a_precision_that_the_device_lacks_is_refused_with_a_sentence(on, refuse) -> None:
    on(LAPTOP)
    with pytest.raises(DeviceError, match="bf16: A laptop of 2018 has no instructions for it"):
        refuse("cpu", "bf16")
    with pytest.raises(DeviceError, match="one of auto, fp32, bf16, not 'half'"):
        refuse("cpu", "half")
    with pytest.raises(DeviceError, match="no device 'cuda:99'"):
        refuse("cuda:99", "auto")


def test_what_is_computed_is_of_the_precision() -> None:
    one, other = torch.randn(4, 4), torch.randn(4, 4)
    for precision, dtype in (("fp32", torch.float32), ("bf16", torch.bfloat16)):
        compute = Compute(CPU, precision)
        with compute.autocast():
            assert (one @ other).dtype == compute.dtype == dtype
    assert compute.pedigree() == {"device": "cpu", "precision": "bf16", "threads": torch.get_num_threads()}


def test_an_engine_of_another_precision_is_another_version(network: StdPose) -> None:
    versions = {StdPoseEngine(network, "abc", Compute(CPU, precision)).version for precision in ("fp32", "bf16")}
    assert versions == {"2-abc", "2-abc-fp32"}


def test_openmp_waits_passively_unless_the_user_says_how() -> None:
    environ: dict[str, str] = {}
    assert wait_passively(environ)
    assert environ == {"OMP_WAIT_POLICY": "PASSIVE"}
    for own in ({"OMP_WAIT_POLICY": "active"}, {"GOMP_SPINCOUNT": "100"}, {"KMP_BLOCKTIME": "0"}):
        kept = dict(own)
        assert not wait_passively(kept)
        assert kept == own


def test_threads_are_those_asked_for_else_those_told_to_openmp_else_those_that_can_run(monkeypatch) -> None:
    before = torch.get_num_threads()
    environ = {"OMP_NUM_THREADS": "3,2"}
    try:
        assert use_threads(1, environ) == torch.get_num_threads() == 1
        assert environ == {"OMP_NUM_THREADS": "1", "OPENCV_FOR_THREADS_NUM": "1"}
        assert use_threads(0, {"OMP_NUM_THREADS": "3,2"}) == torch.get_num_threads() == 3
        monkeypatch.setattr(devices, "share_of_machine", lambda: processor.Share(8, 2.5))
        assert use_threads(0, environ := {}) == torch.get_num_threads() == 2
        assert environ["OMP_NUM_THREADS"] == "2"
    finally:
        use_threads(before, {})


_CHILD = """
import json, os, sys
from cli import main
main.app = lambda: None
before = "torch" in sys.modules
main.main()
from models.compute.devices import use_threads
use_threads(int(sys.argv[1]))
import cv2, torch
print(json.dumps([before, os.environ["OMP_WAIT_POLICY"], torch.get_num_threads(), cv2.getNumThreads()]))
"""


@pytest.mark.parametrize(("own", "policy"), [({}, "PASSIVE"), ({"OMP_WAIT_POLICY": "ACTIVE"}, "ACTIVE")])
def test_the_command_sets_openmp_up_before_pytorch_is_loaded(own: dict[str, str], policy: str) -> None:
    environ = {name: value for name, value in os.environ.items() if not name.startswith(("OMP_", "GOMP_", "KMP_"))}
    environ |= {"PYTHONPATH": os.pathsep.join(sys.path), **own}
    done = subprocess.run([sys.executable, "-c", _CHILD, "1"], env=environ, capture_output=True, check=True, text=True)
    assert json.loads(done.stdout) == [False, policy, 1, 1]


def test_no_other_module_decides_on_a_precision() -> None:
    named = {
        path.relative_to(ROOT).as_posix()
        for folder in ("models", "worker", "cli", "benchmarks")
        for path in (ROOT / folder).rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Attribute)
        and node.attr in ("autocast", "bfloat16", "float16", "half")
        and isinstance(node.value, ast.Name)
        and node.value.id == "torch"
    }
    on_disk = {
        "models/stdpose/checkpoints.py",
        "models/engines/stored_arrays.py",
    }  # weights, and what was seen, as they are kept
    assert named - on_disk == {"models/compute/devices.py"}


def test_estimates_of_both_precisions_agree(network: StdPose) -> None:
    image = torch.from_numpy(np.random.default_rng(0).integers(0, 255, (1, 3, 64, 64)).astype(np.float32))
    levels = []
    for precision in ("fp32", "bf16"):
        with Compute(CPU, precision).autocast(), torch.inference_mode():
            levels.append(network.describe(image)[0].float())
    assert (levels[0] * levels[1]).sum(-1).min() > 0.99  # cosine: descriptions are of length 1
