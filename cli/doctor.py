"""``posetween doctor``: what this machine has, what will be used of it, and what is missing."""

from __future__ import annotations

import json
import os
import platform
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import typer

from app.sandbox.confinement import protections
from app.settings import Settings
from app.version import SCHEMA, VERSION
from cli.options import (
    BrokerUrl,
    DatabaseUrl,
    DataDir,
    Device,
    Json,
    Precision,
    StorageUrl,
    Threads,
    settings,
)
from models.compute import devices
from models.compute.processor import Processor, share_of_machine
from models.weights import TINY

GIB = 2**30

#: Packages whose versions matter to who looks for a fault.
PACKAGES = (
    "torch",
    "numpy",
    "av",
    "opencv-python-headless",
    "transformers",
    "sqlalchemy",
    "psycopg",
    "celery",
    "redis",
)

#: What a video that takes a decoder over could do where the kernel lacks something.
_UNPROTECTED = {
    "landlock": "Linux has it since 5.13 unless it is turned off; without it, a video that takes a decoder over could"
    " read and write the files of the user that runs the service",
    "seccomp": "without it, on x86_64 or aarch64, a video that takes a decoder over could reach the network and begin"
    " programs",
}

_LEAST_FREE = GIB  # of the disk; less than this is full after one video


@dataclass(frozen=True)
class Missing:
    """Something that is not here.

    Attributes:
        what: Its name.
        needed: Whether what the settings ask for cannot be done without it.
        sentence: What follows from that, and what helps.
    """

    what: str
    needed: bool
    sentence: str


def doctor(
    data_dir: DataDir = None,
    database_url: DatabaseUrl = None,
    storage_url: StorageUrl = None,
    broker_url: BrokerUrl = None,
    device: Device = "auto",
    precision: Precision = "auto",
    threads: Threads = 0,
    as_json: Json = False,
) -> None:
    """Tell what this machine has, what will be used of it, and what is missing; status 1 where that is needed."""
    chosen = settings(
        data_dir=data_dir,
        database_url=database_url,
        storage_url=storage_url,
        broker_url=broker_url,
        device=device,
        precision=precision,
        threads=threads,
    )
    missing: list[Missing] = []
    report = {
        "machine": _machine(),
        "compute": _compute(chosen, missing),
        "data": _data(chosen.data_dir, missing),
        "versions": dict(_versions()),
    }
    missing += _lacks(chosen)
    works = not any(one.needed for one in missing)
    if as_json:
        typer.echo(json.dumps({**report, "missing": [asdict(one) for one in missing], "works": works}))
    else:
        _print(report, missing)
    if not works:
        raise typer.Exit(1)


def _machine() -> dict[str, Any]:
    processor, share = Processor.here(), share_of_machine()
    return {
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "processor": processor.name,
        "flags": list(processor.telling_flags),
        "cores": share.cores,
        "quota": share.quota,
        "memory_bytes": share.memory,
        "gpus": _gpus(),
        "containment": protections(),
    }


def _gpus() -> list[dict[str, Any]]:
    if find_spec("torch") is None:
        return []
    import torch

    return [
        {"name": one.name, "memory_bytes": one.total_memory}
        for one in map(torch.cuda.get_device_properties, range(torch.cuda.device_count()))
    ]


def _compute(chosen: Settings, missing: list[Missing]) -> dict[str, Any]:
    threads = devices.use_threads(chosen.threads)
    waiting = {name: os.environ[name] for name in devices.WAITING if name in os.environ}
    found: dict[str, Any] = dict.fromkeys(("device", "precision", "learning"))
    found |= {"threads": threads, "waiting": waiting}
    if find_spec("torch") is None:
        return found
    try:
        compute = devices.choose(chosen.device, chosen.precision)
    except devices.DeviceError as error:
        missing.append(Missing("device", True, str(error)))
        return found
    learning = compute.to_learn().precision
    return {**found, "device": compute.device_name, "precision": compute.precision, "learning": learning}


def _data(folder: Path, missing: list[Missing]) -> dict[str, Any]:
    there = next(path for path in (folder.absolute(), *folder.absolute().parents) if path.exists())
    free = shutil.disk_usage(there).free
    if not there.is_dir() or not os.access(there, os.W_OK | os.X_OK):
        missing.append(Missing("data folder", True, f"nothing can be written at {there}; choose another --data-dir"))
    elif free < _LEAST_FREE:
        missing.append(Missing("disk", True, f"{free / GIB:.1f} GiB are free at {there}; a video takes more"))
    return {"folder": str(folder.absolute()), "exists": folder.is_dir(), "free_bytes": free}


def _versions() -> Iterator[tuple[str, str | None]]:
    yield "posetween", VERSION
    yield "schema", SCHEMA
    yield "python", platform.python_version()
    for package in PACKAGES:
        try:
            yield package, version(package)
        except PackageNotFoundError:
            yield package, None


def _lacks(chosen: Settings) -> Iterator[Missing]:
    """Packages, weights and protections of the kernel that are not here."""
    extra = "pip install 'posetween[{}]'"
    for name, there in protections().items():
        if not there:
            yield Missing(name, False, _UNPROTECTED[name])
    if find_spec("torch") is None:
        yield Missing(
            "PyTorch", False, "flow and linear work; stdpose, estimates and trainings need " + extra.format("worker")
        )
    if not TINY.exists():
        yield Missing("weights", False, f"stdpose needs {TINY.name}, which the package brings; install it again")
    if find_spec("transformers") is None:
        yield Missing("transformers", False, "presets above tiny need " + extra.format("vitpose"))
    if find_spec("psycopg") is None:
        needed = chosen.database.startswith("postgres")
        yield Missing("psycopg", needed, "a Postgres database needs " + extra.format("server"))
    if find_spec("celery") is None or find_spec("redis") is None:
        yield Missing("celery", bool(chosen.broker_url), "a broker needs " + extra.format("server"))


def _print(report: Mapping[str, Mapping[str, Any]], missing: list[Missing]) -> None:
    machine, compute, data = report["machine"], report["compute"], report["data"]
    gpus = [f"{gpu['name']}, {gpu['memory_bytes'] / GIB:.0f} GiB" for gpu in machine["gpus"]]
    quota = "" if machine["quota"] is None else f", of which {machine['quota']:g} may be kept busy"
    memory = "unknown" if machine["memory_bytes"] is None else f"{machine['memory_bytes'] / GIB:.1f} GiB"
    waiting = ", ".join(f"{name}={value}" for name, value in compute["waiting"].items()) or "as OpenMP has it"
    confined = [name for name, there in machine["containment"].items() if there]
    networks = "none can run"
    if compute["device"]:
        networks = f"{compute['device']} in {compute['precision']}, learning in {compute['learning']}"
    rows = (
        ("system", machine["system"]),
        ("processor", f"{machine['processor']} ({' '.join(machine['flags']) or 'flags unknown'})"),
        ("cores", f"{machine['cores']}{quota}"),
        ("memory", memory),
        ("GPU", "; ".join(gpus) or "none"),
        ("videos", f"are decoded by processes confined by {' and '.join(confined) or 'limits alone'}"),
        ("networks", f"{networks}, {compute['threads']} threads, {waiting}"),
        ("data", f"{data['folder']}, {data['free_bytes'] / GIB:.1f} GiB free"),
        ("versions", ", ".join(f"{name} {number}" for name, number in report["versions"].items() if number)),
    )
    for name, text in rows:
        typer.echo(f"{name:<10} {text}")
    for one in missing:
        typer.echo(f"{'MISSING' if one.needed else 'not here':<10} {one.what}: {one.sentence}")
    if not any(one.needed for one in missing):
        typer.echo("Nothing that is needed is missing.")
