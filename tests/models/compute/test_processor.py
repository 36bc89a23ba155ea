"""What a processor and its system tell of themselves."""

from __future__ import annotations

from pathlib import Path

import pytest

from models.compute.processor import Processor, Share, share_of_machine

EPYC = "processor\t: 0\nmodel name\t: AMD EPYC 9554\nflags\t\t: fpu avx2 avx512f avx512_bf16 fsrm\n\nprocessor\t: 1\n"
LAPTOP = "processor\t: 0\nmodel name\t: Intel(R) Core(TM) i5-8250U\nflags\t\t: fpu sse2 avx2\n"
SAPPHIRE_RAPIDS = "model name : Intel(R) Xeon(R) Platinum 8480+\nflags : avx2 avx512f amx_bf16 amx_tile\n"
GRAVITON = "processor\t: 0\nBogoMIPS\t: 2100.00\nFeatures\t: fp asimd sve i8mm bf16\nCPU implementer\t: 0x41\n"


@pytest.mark.parametrize(
    ("cpuinfo", "has", "computes"),
    [
        (EPYC, True, True),
        (SAPPHIRE_RAPIDS, True, True),
        (LAPTOP, False, False),
        (GRAVITON, True, False),
        ("", False, False),
    ],
)
def test_pytorch_computes_in_bf16_where_x86_processors_have_instructions(
    cpuinfo: str, has: bool, computes: bool
) -> None:
    processor = Processor.of(cpuinfo)
    assert (processor.has_bf16({}), processor.computes_in_bf16({})) == (has, computes)


@pytest.mark.parametrize(
    "environ",
    [{"ONEDNN_MAX_CPU_ISA": "AVX2"}, {"DNNL_MAX_CPU_ISA": "avx512_core"}, {"ATEN_CPU_CAPABILITY": "avx2"}],
)
def test_instructions_that_pytorch_must_not_use_do_not_count(environ: dict[str, str]) -> None:
    assert not Processor.of(EPYC).has_bf16(environ)
    assert Processor.of(EPYC).has_bf16(dict.fromkeys(environ, "DEFAULT_AND_MORE"))


def test_a_processor_tells_its_name_and_the_flags_that_matter() -> None:
    processor = Processor.of(EPYC)
    assert processor.name == "AMD EPYC 9554"
    assert processor.telling_flags == ("avx2", "avx512f", "avx512_bf16")
    assert Processor.of(GRAVITON).name
    assert Processor.here().name


def _machine(root: Path, cgroup: str, files: dict[str, str]) -> Path:
    for name, text in {"proc/self/cgroup": cgroup, "proc/meminfo": "MemTotal: 4194304 kB\n", **files}.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


def test_the_tightest_quota_of_the_control_groups_holds(tmp_path: Path) -> None:
    files = {
        "sys/fs/cgroup/lab/cpu.max": "250000 100000\n",
        "sys/fs/cgroup/lab/worker/cpu.max": "max 100000\n",
        "sys/fs/cgroup/lab/worker/memory.max": "1073741824\n",
        "sys/fs/cgroup/memory.max": "max\n",
    }
    share = share_of_machine(_machine(tmp_path, "0::/lab/worker\n", files))
    assert (share.quota, share.memory) == (2.5, 2**30)


def test_control_groups_of_the_first_version_are_read(tmp_path: Path) -> None:
    files = {
        "sys/fs/cgroup/cpu,cpuacct/docker/abc/cpu.cfs_quota_us": "150000\n",
        "sys/fs/cgroup/cpu,cpuacct/docker/abc/cpu.cfs_period_us": "100000\n",
        "sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us": "-1\n",
        "sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us": "100000\n",
    }
    share = share_of_machine(_machine(tmp_path, "4:cpu,cpuacct:/docker/abc\n0::/\n", files))
    assert (share.quota, share.memory) == (1.5, 4 * 2**30)


def test_in_a_container_whose_group_has_another_path_outside_what_is_mounted_holds(tmp_path: Path) -> None:
    files = {"sys/fs/cgroup/cpu.max": "50000 100000\n"}
    assert share_of_machine(_machine(tmp_path, "0::/kubepods/pod1/abc\n", files)).quota == 0.5


def test_without_control_groups_all_cores_count(tmp_path: Path) -> None:
    share = share_of_machine(tmp_path)
    assert (share.quota, share.memory) == (None, None)
    assert share.threads == share.cores >= 1


@pytest.mark.parametrize(
    ("cores", "quota", "threads"), [(8, None, 8), (8, 2.5, 2), (8, 0.5, 1), (2, 16.0, 2), (1, 1.0, 1)]
)
def test_threads_are_as_many_as_can_run_at_a_time(cores: int, quota: float | None, threads: int) -> None:
    assert Share(cores, quota).threads == threads
