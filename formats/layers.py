"""Rows of which some are about the same subject on the same frame, put together: a person's words over a machine's."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from formats.dataset import RowError, stacked


def merged(parts: Sequence[dict[str, np.ndarray]], size: int) -> dict[str, np.ndarray]:
    """Columns of a table in which no subject is on a frame twice.

    Args:
        parts: Columns by name, all of ``formats.dataset.COLUMNS``; the parts one after another.
        size: ``K`` keypoints.

    Raises:
        RowError: People placed a point of one subject on one frame twice, and differently.
    """
    table = stacked(parts, size)
    keys = np.stack([table["video"], table["frame"], table["track"]], axis=1)
    spoken = (table["human"].astype(bool) | table["absent"].astype(bool)).any(axis=1)
    order = np.lexsort((~spoken, keys[:, 2], keys[:, 1], keys[:, 0]))
    same = np.flatnonzero((np.diff(keys[order], axis=0) == 0).all(axis=1))
    gone = np.zeros(len(keys), dtype=bool)
    for place in same[::-1].tolist():
        above, below = order[place], order[place + 1]
        both = table["human"][above].astype(bool) & table["human"][below].astype(bool)
        moved = (table["xy"][above] != table["xy"][below]).any(axis=-1)
        if np.any(both & (moved | (table["visibility"][above] != table["visibility"][below]))):
            _, frame, track = keys[above].tolist()
            raise RowError(None, f"people placed points of track {track} on frame {frame} twice, and differently")
        silent = ~((table["visibility"][above] > 0) | table["absent"][above].astype(bool))
        for name in ("xy", "visibility", "absent", "score", "radius90", "human"):
            table[name][above][silent] = table[name][below][silent]
        table["run"][above] = max(table["run"][above], table["run"][below])
        gone[below] = True
    return {name: values[~gone] for name, values in table.items()}
