"""What people said to be absent is learnt and measured by a training of the service."""

from __future__ import annotations

import pytest

from tests.services import needed
from tests.worker.kinds.test_train import FRAMES, MOMENT, Discs, Lab

needed("models.training.train")
needed("models.evaluation.report")

pytestmark = pytest.mark.slow


def test_absences_are_learnt_and_measured(serving, tmp_path):
    lab = Lab(serving, tmp_path)
    said = [{"frame_index": frame, "track_id": 1, "absent": True} for frame in range(2, FRAMES, 4)]
    assert lab.http.put("/videos/1/labels", json={"labels": said}).is_success
    lab.propagate()  # what rests on labels that were moved since is not learnt, and without it nothing is kept aside
    checkpoint, job = lab.train(**MOMENT)
    counted, found = checkpoint["pedigree"]["labels"], checkpoint["metrics"]["false_positives"]
    assert job["result"]["labels"] == counted
    assert counted["human"] + counted["held_out"] == FRAMES // 4
    assert counted["absent"] + found["poses"] == len(said)
    assert found["poses"] > 0
    assert found["points"] == found["poses"] * Discs.SKELETON.size
    assert found["pose_rate"] == found["poses_found"] / found["poses"]
    report = lab.http.get(f"/checkpoints/{checkpoint['id']}/files/report.md").text
    assert "## Where people said that nothing is there" in report
    recipe = lab.http.get(f"/checkpoints/{checkpoint['id']}/files/recipe.json").json()
    assert recipe["recipe"]["presence"]
