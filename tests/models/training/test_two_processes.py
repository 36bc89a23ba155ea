"""Two processes that share a training."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np

from models.estimators.checkpoints import load

TWO = """
import json
import os
import sys
from dataclasses import replace
from pathlib import Path
from models.training.subjects import Subject, hold_out
from models.training.train import TrainConfig, TrainingError, train
from pose.skeleton import Skeleton
from pose.track import Track
import numpy as np
video, labels, folder = map(Path, sys.argv[1:])
read = np.load(labels)
skeleton = Skeleton(name="fly", keypoints=tuple(read["names"].tolist()))
track = Track.labelled(read["frames"], read["keypoints"])
config = TrainConfig(estimator="single_frame", epochs=2, batch=8, clips=30, device="cpu", workers=1,
                     changes={"height": 64, "width": 64})
learnt, aside = hold_out([Subject.labelled("fly", video, track)], 0.25, 0)
number = int(os.environ["RANK"])
told = {}
for estimator in ("single_frame", "cmpose"):
    own = replace(config, estimator=estimator)
    both = [epoch for epoch in train(own, skeleton, learnt, aside, folder / estimator)]
    told[estimator] = [[epoch.index, epoch.loss, epoch.validation["error"]] for epoch in both]
hurried = list(train(replace(config, minutes=0.05, patience=2), skeleton, learnt, [], folder / "hurried"))
told["hurried"] = [[epoch.index, epoch.loss, epoch.seconds] for epoch in hurried]
own = folder / f"of {number}"
list(train(config, skeleton, learnt, aside, own))
try:
    list(train(config, skeleton, learnt, aside, own))
except TrainingError as error:
    told["apart"] = str(error)
(folder / f"{number}.json").write_text(json.dumps(told))
"""


def test_two_processes_share_a_training(fly, split, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    labels, script = tmp_path / "labels.npz", tmp_path / "two.py"
    subject, skeleton = fly
    keypoints = np.concatenate([subject.track.xy, subject.track.visibility[..., None]], axis=-1)
    np.savez(labels, frames=subject.track.frames, keypoints=keypoints, names=np.array(skeleton.keypoints))
    script.write_text(TWO)
    command = [
        *(sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"),
        *(str(script), str(subject.path), str(labels), str(tmp_path / "out")),
    ]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=300, check=False)
    assert done.returncode == 0, done.stderr[-10_000:]
    told, theirs = (json.loads((tmp_path / "out" / f"{number}.json").read_text()) for number in (0, 1))
    # Both processes took the same epochs, hold the same network, and came to their end at the same moment.
    for estimator in ("single_frame", "cmpose"):
        assert [index for index, *_ in told[estimator]] == [0, 1]
        assert load(tmp_path / "out" / estimator / "best.safetensors").name == estimator
    assert "do not share one folder" in told.pop("apart") + theirs.pop("apart")
    assert told == theirs
