"""An object store whose calls are timed and counted."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

from obstore.exceptions import BaseError

from app.errors import DamagedObject, MissingObject, ServiceError
from app.metrics import StorageMetrics
from app.storage import Step, Storage, Stored, go_on


class ObservedStorage(Storage):
    """See ``Storage``.

    Args:
        metrics: What to count in.
        address: As of ``Storage``, and what else it takes.
    """

    def __init__(self, metrics: StorageMetrics, *address: Any, **options: Any) -> None:
        self._metrics = metrics
        super().__init__(*address, **options)

    def has(self, sha256: str) -> bool:
        """Return whether an object is there."""
        with self._call("look"):
            return super().has(sha256)

    def put_at(self, sha256: str) -> datetime:
        """When an object was put last."""
        with self._call("look"):
            return super().put_at(sha256)

    def verify(self, sha256: str) -> None:
        """Read an object and compare its digest."""
        with self._call("read"):
            super().verify(sha256)

    def get(self, sha256: str) -> bytes:
        """Read a whole object."""
        with self._call("read"):
            return super().get(sha256)

    def file(self, sha256: str, step: Step = go_on, *, within: float | None = None) -> Path:
        """A local file with the object's bytes."""
        with self._call("file"):
            return super().file(sha256, step, within=within)

    def discard(self, sha256: str) -> None:
        """Remove an object."""
        with self._call("remove"):
            super().discard(sha256)

    def _adopt(self, path: Path, stored: Stored, step: Step = go_on) -> Stored:
        with self._call("write"):
            return super()._adopt(path, stored, step)

    @contextmanager
    def _call(self, operation: str) -> Iterator[None]:
        began = time.perf_counter()
        try:
            yield
        except MissingObject:
            self._metrics.bad.labels("missing").inc()
            raise
        except FileNotFoundError:
            raise
        except DamagedObject:
            self._metrics.bad.labels("damaged").inc()
            self._metrics.errors.labels(operation).inc()
            raise
        except (OSError, BaseError, ServiceError):  # and not what a step raises to end the call
            self._metrics.errors.labels(operation).inc()
            raise
        finally:
            self._metrics.seconds.labels(operation).observe(time.perf_counter() - began)
