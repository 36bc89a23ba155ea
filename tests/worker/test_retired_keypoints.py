"""A keypoint that is retired is neither learnt nor estimated, and checkpoints of before and after compare."""

from __future__ import annotations

import pytest

from tests.services import needed
from tests.worker.kinds.test_train import MOMENT, Lab

needed("models.training.train")

pytestmark = pytest.mark.slow


def test_trainings_and_estimates_do_without_what_is_retired(serving, tmp_path):
    lab = Lab(serving, tmp_path)
    whole, _ = lab.train(**MOMENT)
    assert lab.http.patch(lab.url, json={"retired": ["green"]}).json()["skeleton"]["retired"] == ["green"]
    lab.http.post(f"/checkpoints/{whole['id']}/promote")
    part, _ = lab.train(**MOMENT)
    assert [*part["metrics"]["keypoints"]] == ["red", "blue"]
    # It was compared with one that knows the retired keypoint as well, on those that both know.
    assert part["verdict"]["against"] == whole["id"]
    assert part["verdict"]["frames"] > 0
    seen = {}
    for checkpoint in (whole, part):
        url = f"/videos/{lab.bare['id']}"
        run = lab.done(lab.http.post(f"{url}/estimates", json={"checkpoint_id": checkpoint["id"]}))["result"]["run_id"]
        labels = lab.http.get(f"{url}/labels", params={"layer": "pseudo"}).json()["labels"]
        seen[checkpoint["id"]] = {tuple(v > 0 for _, _, v in label["keypoints"]) for label in labels}
        lab.http.delete(f"/runs/{run}")
    assert seen == {whole["id"]: {(True, True, True)}, part["id"]: {(True, False, True)}}
    base = {"base_checkpoint_id": whole["id"]}
    refused = lab.http.post(f"{lab.url}/trainings", json=base)
    assert (refused.status_code, "another skeleton" in refused.json()["detail"]) == (422, True)
    assert lab.http.patch(lab.url, json={"retired": []}).is_success
    assert lab.http.post(f"{lab.url}/trainings", json=base).status_code == 202
