"""Cached features of ``stdpose``, kept on this machine for corrections, second propagations and fits to come."""

from __future__ import annotations

from app.file_cache import FileCache
from app.settings import Settings


def features(settings: Settings) -> FileCache:
    """Where it is kept; the worker processes of a machine share it."""
    return FileCache(settings.features_dir, settings.feature_cache_bytes)
