"""What a checkpoint has learnt from is what none of its line held out."""

from __future__ import annotations

import numpy as np
import pytest

from app.checkpoints.lineage import TrainingCoverage
from app.database import connect
from app.tables import Checkpoint

FRAMES = np.arange(0, 100, 10)


@pytest.fixture
def session(house):
    database = connect(house.service.settings.database)
    with database.session(readonly=True) as session:
        yield session
    database.dispose()


def planted(house, plant_checkpoint, held_out, videos=(1,), parent=None):
    pedigree = {"videos": [{"id": number} for number in videos], "held_out": held_out}
    return plant_checkpoint(house.service, house.project["id"], pedigree=pedigree, parent_id=parent)


def unseen(session, number, video=1):
    seen = TrainingCoverage(session, session.get_one(Checkpoint, number) if number else None)
    return FRAMES[~seen.cover(video, FRAMES)].tolist()


def test_without_a_checkpoint_nothing_was_seen(session):
    assert unseen(session, None) == FRAMES.tolist()


def test_what_was_held_out_was_not_seen_nor_were_other_videos(house, plant_checkpoint, session):
    number = planted(house, plant_checkpoint, [[1, 15, 45], [2, 0, 100]])
    assert unseen(session, number) == [20, 30, 40]
    assert unseen(session, number, video=3) == FRAMES.tolist()


def test_what_an_ancestor_saw_was_seen(house, plant_checkpoint, session):
    """A span that was held out only later may have been learnt from before."""
    first = planted(house, plant_checkpoint, [[1, 15, 45]])
    second = planted(house, plant_checkpoint, [[1, 15, 45], [1, 60, 75]], parent=first)
    third = planted(house, plant_checkpoint, [[1, 15, 75]], videos=(1, 2), parent=second)
    assert unseen(session, second) == [20, 30, 40]
    assert unseen(session, third) == [20, 30, 40]
    assert unseen(session, third, video=2) == []
