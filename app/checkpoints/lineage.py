"""The data that a checkpoint has learnt from, with all that it was fine-tuned from."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from sqlalchemy.orm import Session

from app.tables import Checkpoint
from app.trainings.spans import Spans


class TrainingCoverage:
    """Frames of videos that some checkpoints may have learnt from: those of their trainings that were not held out."""

    def __init__(self, session: Session, checkpoint: Checkpoint | None) -> None:
        self._trainings = [
            ({part["id"] for part in one.pedigree["videos"]}, Spans.from_json(one.pedigree["held_out"]))
            for one in _ancestors(session, checkpoint)
        ]

    def cover(self, video: int, frames: np.ndarray) -> np.ndarray:
        """``(F,)`` bool: which of ``(F,)`` frames of a video may have been learnt from."""
        covered = np.zeros(len(frames), dtype=bool)
        for videos, held in self._trainings:
            if video in videos:
                covered |= ~held.cover(video, frames)
        return covered


def _ancestors(session: Session, checkpoint: Checkpoint | None) -> Iterator[Checkpoint]:
    """A checkpoint, the one that it was fine-tuned from, and so on."""
    while checkpoint is not None:
        yield checkpoint
        parent = checkpoint.parent_id
        checkpoint = session.get_one(Checkpoint, parent) if parent is not None else None
