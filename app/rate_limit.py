"""Rate limits of keys: a bucket of tokens for each, in the memory of this process."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from app.errors import TooMany


@dataclass
class _Bucket:
    tokens: float
    filled_at: float


class RateLimit:
    """Lets a key send a minute's worth of requests at once, and then as many as flow back in.

    Every API process counts for itself, so that no request waits for a database or a Redis to be counted; with ``n``
    processes a key may send up to ``n`` times as many.

    Args:
        per_minute: Requests a minute; 0 lets everything through.
        clock: Seconds that never go back.
    """

    def __init__(self, per_minute: int, clock: Callable[[], float] = time.monotonic) -> None:
        self.per_minute = per_minute
        self._clock = clock
        self._lock = threading.Lock()
        self._buckets: dict[int, _Bucket] = {}

    def take(self, key_id: int) -> dict[str, str]:
        """Count a request of a key.

        Returns:
            Headers that tell the client how much is left (draft-ietf-httpapi-ratelimit-headers).

        Raises:
            TooMany: There were too many; says how long to wait.
        """
        if not self.per_minute:
            return {}
        flow = self.per_minute / 60
        with self._lock:
            now = self._clock()
            bucket = self._buckets.setdefault(key_id, _Bucket(self.per_minute, now))
            bucket.tokens = min(self.per_minute, bucket.tokens + (now - bucket.filled_at) * flow)
            bucket.filled_at = now
            enough = bucket.tokens >= 1
            bucket.tokens -= enough
            left = bucket.tokens
        headers = {
            "RateLimit-Policy": f'"key";q={self.per_minute};w=60',
            "RateLimit": f'"key";r={math.floor(left)};t={math.ceil((self.per_minute - left) / flow)}',
        }
        if not enough:
            wait = math.ceil((1 - left) / flow)
            sentence = f"this key may send {self.per_minute} requests a minute; wait {wait} s and send this again"
            raise TooMany(sentence, retry_after=wait, headers=headers)
        return headers
