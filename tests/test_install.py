"""What `make setup` brings on a machine without a GPU."""

import shutil
import subprocess
from importlib.metadata import distributions

import pytest


def gpu():
    return shutil.which("nvidia-smi") and subprocess.run(["nvidia-smi", "-L"], check=False).returncode == 0


@pytest.mark.skipif(bool(gpu()), reason="a GPU is here")
def test_no_cuda_packages_without_a_gpu():
    names = {distribution.metadata["Name"].lower() for distribution in distributions()}
    assert "torch" in names
    assert not [name for name in names if name.startswith("nvidia-") or name == "triton"]


def test_only_one_opencv():
    names = {distribution.metadata["Name"].lower() for distribution in distributions()}
    assert {name for name in names if name.startswith("opencv")} == {"opencv-python-headless"}
