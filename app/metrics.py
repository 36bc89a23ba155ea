"""The metrics of a process for Prometheus: each hangs on a registry of its own, none on the module."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Metric, ProcessCollector
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead
from prometheus_client.registry import Collector

from app import disk
from app.settings import Settings
from app.version import VERSION

#: Seconds. 0.25 is what 99 of 100 writes of labels shall stay under.
_REQUEST_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 120)
_STORAGE_BUCKETS = (0.001, 0.005, 0.025, 0.1, 0.5, 2.5, 10, 60)


#: Environment variable that names the folder in which the processes of a service count together. It must be set before
#: the library that counts is imported.
SHARED_FOLDER = "PROMETHEUS_MULTIPROC_DIR"


class _Machine(Collector):
    """Metrics of the machine, whichever process is asked."""

    def __init__(self, settings: Settings) -> None:
        self._folder = settings.data_dir

    def collect(self) -> Iterator[Metric]:
        build = GaugeMetricFamily("posetween_build_info", "1, with the version that runs", labels=["version"])
        build.add_metric([VERSION], 1)
        yield build
        free = shutil.disk_usage(self._folder).free
        yield GaugeMetricFamily("posetween_disk_free_bytes", "Free bytes on the disk of the data folder", free)
        kept, explained = disk.reserve(self._folder), "Bytes of it that uploads, exports and computed poses leave free"
        yield GaugeMetricFamily("posetween_disk_reserve_bytes", explained, kept)


class _Together(Collector):
    """The counts of all processes of a service, also those that ended."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._counted = MultiProcessCollector(None, str(folder))  # type: ignore[no-untyped-call]

    def collect(self) -> Iterator[Metric]:
        for file in self._folder.glob("gauge_live*.db"):
            process = int(file.stem.rpartition("_")[2])
            if not _lives(process):
                mark_process_dead(process, str(self._folder))  # type: ignore[no-untyped-call]
        yield from self._counted.collect()  # type: ignore[no-untyped-call]


def new_registry(settings: Settings) -> CollectorRegistry:
    """A registry with what every process tells: version, free disk, and if it is the only one its memory and time."""
    registry = CollectorRegistry()
    if SHARED_FOLDER not in os.environ:
        ProcessCollector(registry=registry)
    registry.register(_Machine(settings))
    return registry


def shared_by_processes(registry: CollectorRegistry) -> CollectorRegistry:
    """Where the metrics hang that are counted up: of several processes each tells what all of them counted."""
    folder = os.environ.get(SHARED_FOLDER)
    if folder is None:
        return registry
    registry.register(_Together(Path(folder)))
    return CollectorRegistry()


def _lives(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True


@dataclass(frozen=True)
class StorageMetrics:
    """The metrics of a process's calls to the object store."""

    seconds: Histogram
    errors: Counter
    bad: Counter

    @classmethod
    def on(cls, registry: CollectorRegistry) -> Self:
        """Register them."""
        return cls(
            seconds=Histogram(
                "posetween_storage_seconds",
                "How long calls of the object store took",
                ["operation"],
                buckets=_STORAGE_BUCKETS,
                registry=registry,
            ),
            errors=Counter(
                "posetween_storage_errors",
                "Calls of the object store that failed; a missing object is no failure",
                ["operation"],
                registry=registry,
            ),
            bad=Counter(
                "posetween_objects_bad",
                "Times that a stored file was wanted and was missing or damaged: put it back from a copy",
                ["what"],
                registry=registry,
            ),
        )


@dataclass(frozen=True)
class ApiMetrics:
    """The metrics of an API process."""

    requests: Histogram
    in_flight: Gauge
    upload_bytes: Counter
    labels_written: Counter

    @classmethod
    def on(cls, registry: CollectorRegistry) -> Self:
        """Register them."""
        return cls(
            requests=Histogram(
                "posetween_request_seconds",
                "From the first byte of a request to the last of its answer",
                ["method", "route", "status"],
                buckets=_REQUEST_BUCKETS,
                registry=registry,
            ),
            in_flight=Gauge(
                "posetween_requests_in_flight", "Requests under way", registry=registry, multiprocess_mode="livesum"
            ),
            upload_bytes=Counter(
                "posetween_upload_bytes", "Bytes of videos that arrived", ["route"], registry=registry
            ),
            labels_written=Counter(
                "posetween_labels_written",
                "Labels written: poses of one subject on one frame",
                ["act"],
                registry=registry,
            ),
        )
