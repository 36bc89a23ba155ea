"""Run ``python -m benchmarks.chaos``; progress goes to standard error, the page of results to standard output."""

from __future__ import annotations

import argparse
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from pathlib import Path
from random import Random
from statistics import median

import numpy as np

from benchmarks.chaos.campaign import Campaign, Outcome
from benchmarks.chaos.faults import FAULTS, Fault
from benchmarks.chaos.installation import LEASE_SECONDS, Installation, many_machines, one_machine
from benchmarks.chaos.invariants import INVARIANTS
from benchmarks.chaos.load import STAGES
from benchmarks.chaos.wall_clock import NoCompiler, compile_library
from benchmarks.live_server import table

_OWN_MOUNTS = "POSETWEEN_CHAOS_OWN_MOUNTS"


def main() -> int:
    """Harm, audit, print; status 1 where something was violated."""
    given = _arguments()
    small_disk = _in_a_mount_namespace()
    faults = [fault for fault in FAULTS if any(word in fault.name for word in given.only)]
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="posetween-chaos-") as name:
        folder = Path(name)
        folder.chmod(0o711)  # Postgres's user passes through
        try:
            library = compile_library(folder)
        except NoCompiler as error:
            print(f"SKIPPED: clock jumps ({error})", file=sys.stderr)
            library = None
        if not small_disk:
            print("SKIPPED: disk full (needs root and unshare)", file=sys.stderr)
        houses: dict[str, AbstractContextManager[Installation]] = {
            "many": many_machines(
                folder / "many", library=library, small_disk=small_disk, rng=Random(f"{given.seed} storage")
            ),
            "one": one_machine(folder / "one", library=library, small_disk=small_disk),
        }
        try:
            with ThreadPoolExecutor(2) as pool:
                running = [
                    pool.submit(_campaign, house, folder / name, faults, given.rounds, Random(f"{given.seed} {name}"))
                    for name, house in houses.items()
                    if name in given.installations
                ]
                results = dict(future.result() for future in running)
        finally:
            if given.keep:
                shutil.copytree(folder, given.keep, ignore=shutil.ignore_patterns("data*", "*.part"))
    _print(results, time.monotonic() - began)
    return int(any(outcome.violations for outcomes in results.values() for outcome in outcomes))


def _campaign(
    house: AbstractContextManager[Installation], folder: Path, faults: list[Fault], rounds: int, rng: Random
) -> tuple[str, list[Outcome]]:
    folder.mkdir()
    with house as installation:
        return installation.name, Campaign(installation, folder, rng).run(faults, rounds)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser("python -m benchmarks.chaos", description="Harm the service, and audit it.")
    parser.add_argument("--rounds", type=int, default=20, help="moments at which each fault comes")
    parser.add_argument("--seed", type=int, default=1, help="for moments, victims and the load")
    parser.add_argument("--only", nargs="+", default=[""], metavar="WORD", help="faults whose name has one of these")
    parser.add_argument("--installations", nargs="+", choices=("many", "one"), default=("many", "one"))
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="where to keep the logs")
    return parser.parse_args()


def _in_a_mount_namespace() -> bool:
    """Whether small disks can be mounted that nobody else sees; starts this program anew where that makes it so."""
    if os.environ.get(_OWN_MOUNTS):
        return True
    own = ["unshare", "--mount", "--propagation", "private"]
    if os.geteuid() != 0 or shutil.which("unshare") is None or subprocess.run([*own, "true"]).returncode:
        return False
    os.environ[_OWN_MOUNTS] = "1"
    os.execvp(own[0], [*own, sys.executable, "-m", "benchmarks.chaos", *sys.argv[1:]])


def _print(results: dict[str, list[Outcome]], seconds: float) -> None:
    print("# Faults survived\n")
    print(
        f"{os.cpu_count()} cores ({platform.machine()}), Python {platform.python_version()}, {sys.platform}; load "
        f"average {os.getloadavg()[0]:.0f}. {seconds / 60:.0f} minutes.\n\n"
        f"Command: `{' '.join(['python -m benchmarks.chaos', *sys.argv[1:]])}`\n\n"
        f"The real processes under a small load, with a lease of {LEASE_SECONDS:g} s; both installations at the same "
        "time. A fault lasts up to 3 s (a stopped lease holder 1.1 to 2.5 leases, storage errors and attacks 3 to 6 s)."
        " *Under way* counts the moments at which work of that kind was. *Back* is the time from the end of the fault "
        "(the process is started again or goes on, the disk has room; where the service mends it by itself, from its "
        "beginning) until every process does its work, a label was written, and no job is without a worker. *Answers* "
        "are those of 500 and more; clients try again after them, and those for a flipped object are as they must be.\n"
    )
    for name, outcomes in results.items():
        print(f"## {name}\n")
        table(
            [
                *("fault", "times", *(f"{stage} under way" for stage in STAGES)),
                *("back, median s", "back, worst s", "answers", "processes that gave up", "violations"),
            ],
            [_row(outcome) for outcome in outcomes],
        )
        _print_writes(outcomes)
        checked = sum((outcome.checked for outcome in outcomes), Counter[str]())
        print(f"Audited: {', '.join(f'{count} {what}' for what, count in sorted(checked.items()))}.\n")
        for outcome in outcomes:
            for violation in outcome.violations:
                print(f"- **{outcome.fault}**: {violation}")
    print("\n## What was audited after each fault\n")
    for invariant in INVARIANTS:
        print(f"- {invariant.__doc__}")


def _print_writes(outcomes: list[Outcome]) -> None:
    timed = [outcome for outcome in outcomes if outcome.writes and outcome.writes_before]
    if timed:
        print("Writes of a label by another lab, in ms; 500 at the 99th percentile are wanted while a fault lasts:\n")
        heads = ("number", "median", "99th percentile", "worst")
        columns = ("fault", *(f"{head}, {when}" for when in ("before", "while it lasts") for head in heads))
        rows = [[one.fault, *_figures(one.writes_before), *_figures(one.writes)] for one in timed]
        table(columns, rows)


def _figures(seconds: list[float]) -> list[object]:
    milliseconds = 1000 * np.array(seconds)
    return [len(seconds), *(f"{found:.0f}" for found in np.percentile(milliseconds, (50, 99, 100)))]


def _row(outcome: Outcome) -> list[object]:
    if outcome.skipped is not None:
        return [outcome.fault, outcome.skipped, *[""] * (len(STAGES) + 5)]
    answers = ", ".join(f"{count} of {status}" for status, count in sorted(outcome.answers.items()))
    return [
        outcome.fault,
        len(outcome.recoveries),
        *(outcome.under_way[stage] for stage in STAGES),
        f"{median(outcome.recoveries):.1f}",
        f"{max(outcome.recoveries):.1f}",
        answers or "none",
        outcome.ended,
        len(outcome.violations),
    ]


if __name__ == "__main__":
    sys.exit(main())
