"""The kinds of jobs: each has a module that does it, loaded when the first such job comes."""

from __future__ import annotations

import subprocess
import sys
from inspect import signature

import pytest

from tests.services import needed
from worker.context import JobFailed
from worker.registry import HELPED, KINDS, load, load_helper


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_has_a_function_that_does_it(kind):
    if kind in ("train", "estimate"):
        needed("torch")
    assert [*signature(load(kind)).parameters] == ["context"]


@pytest.mark.parametrize("kind", HELPED)
def test_each_kind_with_helpers_has_a_function_that_helps(kind):
    if kind == "estimate":
        needed("torch")
    assert [*signature(load_helper(kind)).parameters] == ["context", "more"]


def test_nothing_is_loaded_before_a_job_comes():
    code = "import sys, worker.worker; print(*sys.modules)"
    child = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {*KINDS.values(), "models", "torch"} & {*child.stdout.split()}


def test_what_needs_torch_says_so_where_there_is_none(monkeypatch):
    monkeypatch.setattr("worker.registry.find_spec", lambda name: None)
    for loading in (load, load_helper):
        with pytest.raises(JobFailed, match="estimators need PyTorch"):
            loading("estimate")
