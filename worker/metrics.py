"""The metrics of a worker, for Prometheus."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from prometheus_client import Counter, Histogram
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from app.metrics import StorageMetrics, new_registry
from app.settings import Settings

_CPU = "cpu"

_WAIT_BUCKETS = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 10, 60, 300, 1800, 7200)


class WorkerMetrics:
    """The metrics of one worker, on a registry of its own.

    Args:
        settings: Whose worker it is.
    """

    def __init__(self, settings: Settings) -> None:
        self.registry = registry = new_registry(settings)
        self.storage = StorageMetrics.on(registry)
        self.device_usage = DeviceUsage()
        registry.register(self.device_usage)
        registry.register(_GpuMemory(self.device_usage))
        self.done = Counter(
            "posetween_jobs_done", "Jobs that a worker let go of", ["kind", "outcome"], registry=registry
        )
        self.waited = Histogram(
            "posetween_job_wait_seconds",
            "From a job's being queued to its first claim",
            ["kind"],
            buckets=_WAIT_BUCKETS,
            registry=registry,
        )
        self.segments = Counter("posetween_segments_propagated", "Segments computed", ["engine"], registry=registry)
        self.frames = Counter(
            "posetween_frames_propagated", "Frames computed, once for each track", ["engine"], registry=registry
        )
        self.spared = Counter(
            "posetween_out_of_memory", "Times that memory ran out and the steps were made smaller", registry=registry
        )


class DeviceUse:
    """Some work under way; where it goes on to another device, ``on`` says so."""

    def __init__(self, device_usage: DeviceUsage, kind: str) -> None:
        self.key = _CPU, kind
        self.since = time.monotonic()
        self._usage = device_usage

    def on(self, device: str) -> None:
        """From now on the work occupies this device."""
        self._usage.move(self, device)


class DeviceUsage(Collector):
    """Seconds that jobs occupied devices: also of the job that is under way, up to the moment of the scrape."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._seconds: dict[tuple[str, str], float] = {}
        self._uses: set[DeviceUse] = set()

    @contextmanager
    def working(self, kind: str) -> Iterator[DeviceUse]:
        """Count the length of a block."""
        use = DeviceUse(self, kind)
        with self._lock:
            self._uses.add(use)
        try:
            yield use
        finally:
            with self._lock:
                self._settle(use)
                self._uses.remove(use)

    def move(self, use: DeviceUse, device: str) -> None:
        """Let a stint go on on another device."""
        with self._lock:
            self._settle(use)
            use.key = device, use.key[1]

    def seconds(self) -> dict[tuple[str, str], float]:
        """Seconds by device and kind of job, until now."""
        with self._lock:
            for use in self._uses:
                self._settle(use)
            return dict(self._seconds)

    def describe(self) -> Iterable[Metric]:
        """The metric without values."""
        return [self._family()]

    def collect(self) -> Iterable[Metric]:
        """The metric."""
        family = self._family()
        for labels, seconds in self.seconds().items():
            family.add_metric(labels, seconds)
        return [family]

    def _settle(self, use: DeviceUse) -> None:
        now = time.monotonic()
        self._seconds[use.key] = self._seconds.get(use.key, 0.0) + now - use.since
        use.since = now

    @staticmethod
    def _family() -> CounterMetricFamily:
        labels = ["device", "kind"]
        return CounterMetricFamily("posetween_device_seconds", "Seconds that jobs occupied a device", labels=labels)


class _GpuMemory(Collector):
    """The most memory that PyTorch has held on each GPU that jobs occupied."""

    def __init__(self, device_usage: DeviceUsage) -> None:
        self._usage = device_usage

    def describe(self) -> Iterable[Metric]:
        return [self._family()]

    def collect(self) -> Iterable[Metric]:
        family = self._family()
        # Loaded by whoever occupied a GPU, and never for a scrape.
        torch: Any = sys.modules.get("torch")
        for device in sorted({device for device, _ in self._usage.seconds() if device.startswith("cuda")}):
            family.add_metric([device], torch.cuda.max_memory_reserved(device))
        return [family]

    @staticmethod
    def _family() -> GaugeMetricFamily:
        explained = "Most memory that PyTorch has held on a GPU"
        return GaugeMetricFamily("posetween_gpu_memory_peak_bytes", explained, labels=["device"])
