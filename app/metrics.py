"""What a process counts for Prometheus: every metric hangs on a registry of its own, none on the module."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from typing import Self

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector

from app.settings import Settings
from app.version import VERSION

#: Seconds. 0.25 is what 99 of 100 writes of labels shall stay under.
_REQUEST_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 120)
_STORAGE_BUCKETS = (0.001, 0.005, 0.025, 0.1, 0.5, 2.5, 10, 60)


def new_registry(settings: Settings) -> CollectorRegistry:
    """A registry with what every process tells of itself: version, free disk, memory, processor time, open files."""
    registry = CollectorRegistry()
    ProcessCollector(registry=registry)
    build = Gauge("posetween_build_info", "1, with the version that runs", ["version"], registry=registry)
    build.labels(VERSION).set(1)
    free = Gauge("posetween_disk_free_bytes", "Free bytes on the disk of the data folder", registry=registry)
    free.set_function(lambda: shutil.disk_usage(settings.data_dir).free)
    return registry


@dataclass(frozen=True)
class StorageMetrics:
    """What a process sees of the object store."""

    seconds: Histogram
    errors: Counter

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
        )


@dataclass(frozen=True)
class ApiMetrics:
    """What an API process counts."""

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
            in_flight=Gauge("posetween_requests_in_flight", "Requests under way", registry=registry),
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
