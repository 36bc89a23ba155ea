"""A training of moments."""

from __future__ import annotations

from models.training.train import TrainConfig

QUICK = TrainConfig(
    estimator="single_frame", epochs=3, batch=8, clips=30, device="cpu", workers=1, changes={"height": 64, "width": 64}
)
