from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from transformers import Dinov2Config, Dinov2Model, ResNetConfig, ResNetModel

from models.estimators.checkpoints import load
from models.estimators.presets import RANDOM, build, configure
from models.training.clips import Clips
from models.training.schedule import optimizer_of
from models.training.subjects import Subject, hold_out
from models.training.train import Epoch, TrainConfig, TrainingError, so_far, train
from models.training.validation import validate
from pose.skeleton import Skeleton

QUICK = TrainConfig(
    estimator="single_frame", epochs=3, batch=8, clips=30, device="cpu", workers=1, changes={"height": 64, "width": 64}
)


@pytest.fixture
def split(fly: tuple[Subject, Skeleton]) -> tuple[list[Subject], list[Subject]]:
    return hold_out([fly[0]], 0.25, 0)


def test_learning_lowers_the_loss_and_the_error(fly, split, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    config = replace(QUICK, epochs=12, clips=64, estimator="stdpose")
    epochs = list(train(config, fly[1], *split, tmp_path))
    assert [epoch.index for epoch in epochs] == list(range(len(epochs)))
    assert epochs[-1].progress == 1
    assert min(epoch.loss for epoch in epochs) < 0.6 * epochs[0].loss
    errors = [epoch.validation["error"] for epoch in epochs]
    assert min(errors) < 0.6 * errors[0]
    best = [epoch.index for epoch in epochs if epoch.best][-1]
    assert errors[best] == min(errors)
    assert all(0 <= epoch.waiting <= 1 for epoch in epochs)
    loaded = load(tmp_path / "best.safetensors", fly[1])
    assert len(loaded.recipe["curve"]) == best + 1
    assert loaded.recipe["training"]["seed"] == 0


def test_going_on_is_as_if_never_stopped(fly, split, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    config = replace(QUICK, estimator="cmpose")  # draws at random while it learns
    list(train(config, fly[1], *split, tmp_path / "once"))
    stopped: Iterator[Epoch] = train(config, fly[1], *split, tmp_path / "twice")
    next(stopped)
    stopped.close()  # type: ignore[attr-defined]
    rest = list(train(config, fly[1], *split, tmp_path / "twice"))
    assert [epoch.index for epoch in rest] == [1, 2]
    once, twice = (load_file(tmp_path / name / "state.safetensors") for name in ("once", "twice"))
    assert all(torch.equal(once[name], twice[name]) for name in once)


def test_a_training_that_is_called_off_goes_on_from_its_last_epoch(fly, split, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    calls = 0

    def count() -> None:
        nonlocal calls
        calls += 1

    list(train(QUICK, fly[1], *split, tmp_path / "once", step=count))
    left = calls - 2  # within the last epoch

    def step() -> None:
        nonlocal left
        left -= 1
        if not left:
            raise KeyError("called off")

    with pytest.raises(KeyError):
        list(train(QUICK, fly[1], *split, tmp_path / "twice", step=step))
    rest = list(train(QUICK, fly[1], *split, tmp_path / "twice"))
    assert len(rest) == 1
    once, twice = (load_file(tmp_path / name / "state.safetensors") for name in ("once", "twice"))
    assert all(torch.equal(once[name], twice[name]) for name in once)


def test_a_finished_training_stays_finished(fly, split, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    list(train(QUICK, fly[1], *split, tmp_path))
    assert list(train(QUICK, fly[1], *split, tmp_path)) == []


def test_without_progress_it_ends_early(fly, split, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    config = replace(QUICK, epochs=30, patience=2, rate=0.0)
    assert len(list(train(config, fly[1], *split, tmp_path))) == 3


def test_the_clock_can_end_it(fly, split, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    epochs = list(train(replace(QUICK, minutes=0.05, patience=0), fly[1], *split, tmp_path))
    assert epochs[-1].progress == 1
    assert epochs[0].epochs == 0


def test_a_training_begins_with_a_checkpoint(fly, split, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    list(train(QUICK, fly[1], *split, tmp_path / "first"))
    base = tmp_path / "first" / "best.safetensors"
    still = replace(QUICK, epochs=1, rate=0.0)
    list(train(still, fly[1], *split, tmp_path / "second", base=base))
    old, new = load_file(base), load_file(tmp_path / "second" / "best.safetensors")
    assert all(torch.equal(old[name], new[name]) for name in old)


def test_another_estimator_begins_with_what_all_have_in_common(fly, split, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    list(train(QUICK, fly[1], *split, tmp_path / "first"))
    base = tmp_path / "first" / "best.safetensors"
    still = replace(QUICK, estimator="stdpose", epochs=1, rate=0.0)
    list(train(still, fly[1], *split, tmp_path / "second", base=base))
    old, new = load_file(base), load_file(tmp_path / "second" / "best.safetensors")
    common = [name for name in old if name.split(".")[0] in ("backbone", "embed", "embed_finer", "position", "head")]
    assert len(common) < len(old)
    assert all(torch.equal(old[name], new[name]) for name in common)
    for estimator in ("stdpose", QUICK.estimator):
        wider = replace(still, estimator=estimator, changes={**QUICK.changes, "head_channels": 40})
        with pytest.raises(TrainingError, match=f"holds a {QUICK.estimator} of another size"):
            list(train(wider, fly[1], *split, tmp_path / "third", base=base))


def test_a_training_begins_with_published_weights(fly, split, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    published = tmp_path / "resnet"
    sizes = {"embedding_size": 8, "hidden_sizes": [8, 8, 16, 16], "depths": [1, 1, 1, 1], "layer_type": "basic"}
    ResNetModel(ResNetConfig(**sizes)).save_pretrained(published)
    config = replace(QUICK, epochs=2, pretrained=str(published), frozen=0.5)
    stopped = train(config, fly[1], *split, tmp_path / "first")
    next(stopped)
    stopped.close()  # type: ignore[attr-defined]
    state, weights = (
        load_file(path / name)
        for path, name in ((tmp_path / "first", "state.safetensors"), (published, "model.safetensors"))
    )
    stem = "embedder.embedder.convolution.weight"
    (kept,) = (state[name] for name in state if name.startswith("network") and name.endswith(stem))
    assert torch.equal(kept, weights[stem])  # frozen so far
    next(train(config, fly[1], *split, tmp_path / "first"))
    loaded = load(tmp_path / "first" / "best.safetensors")
    assert loaded.recipe["training"]["pretrained"] == "resnet"
    assert not torch.equal(loaded.estimator.backbone.state_dict()[f"body.{stem}"], weights[stem])
    base = tmp_path / "first" / "best.safetensors"
    shutil.rmtree(published)
    going_on = replace(QUICK, epochs=1, estimator="stdpose")
    list(train(going_on, fly[1], *split, tmp_path / "second", base))
    assert load(tmp_path / "second" / "best.safetensors").estimator.config.backbone == loaded.estimator.config.backbone
    with pytest.raises(TrainingError, match="brings a backbone of its own"):
        list(train(config, fly[1], *split, tmp_path / "third", base))
    with pytest.raises(TrainingError, match=r"resnet holds no config\.json and model\.safetensors"):
        list(train(config, fly[1], *split, tmp_path / "third"))


def test_new_parts_learn_faster_than_what_was_trained_before(tmp_path: Path) -> None:
    sizes = {"hidden_size": 16, "num_hidden_layers": 3, "num_attention_heads": 2, "image_size": 56}
    Dinov2Model(Dinov2Config(**sizes)).save_pretrained(tmp_path)
    network = build("single_frame", configure("single_frame", "tiny", 3), pretrained=tmp_path)
    groups = optimizer_of(network, rate=1.0, backbone_rate=0.5, layer_decay=0.5, weight_decay=0.1).param_groups
    rates = {id(one): group["peak"] for group in groups for one in group["params"]}
    named = {name: rates[id(one)] for name, one in network.named_parameters()}
    assert len(rates) == len(named)
    expected = {
        "head.lateral.weight": 1.0,
        "backbone.around.stages.0.first.weight": 1.0,
        "backbone.lateral.0.0.weight": 1.0,
        "backbone.body.layernorm.weight": 0.5,
        "backbone.body.encoder.layer.2.norm1.weight": 0.5,
        "backbone.body.encoder.layer.0.norm1.weight": 0.125,
        "backbone.body.embeddings.patch_embeddings.projection.weight": 0.0625,
    }
    assert {name: named[name] for name in expected} == expected


def test_accumulated_parts_learn_the_same(fly, split, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    # AdamW heeds how gradients relate to each other, hardly how large they are: what is compared is its memory of them.
    exact = replace(QUICK, epochs=1, clips=8, precision="fp32", frozen=0.0, clip=1e9)
    states = []
    for parts in (1, 4):
        (epoch,) = train(replace(exact, accumulate=parts), fly[1], *split, tmp_path / str(parts))
        assert epoch.step == 1
        states.append(load_file(tmp_path / str(parts) / "state.safetensors"))
    whole, parted = states
    memories = [name for name in whole if name.endswith("/exp_avg")]
    assert memories
    assert max(float(whole[name].abs().max()) for name in memories) > 1e-4
    for name in memories:
        torch.testing.assert_close(parted[name], whole[name], rtol=1e-3, atol=1e-6)


@pytest.mark.parametrize(
    "error", [torch.OutOfMemoryError("no room"), RuntimeError("DefaultCPUAllocator: can't allocate memory")]
)
def test_too_little_memory_halves_the_batch(fly, split, tmp_path: Path, monkeypatch, error: Exception) -> None:  # type: ignore[no-untyped-def]
    from models.estimators.single_frame import SingleFrame

    learnt, looked_at, real = [], [], SingleFrame.forward

    def cramped(self, frames, labelled=None):  # type: ignore[no-untyped-def]
        (learnt if self.training else looked_at).append(len(frames))
        if len(frames) > 3:
            raise error
        return real(self, frames, labelled)

    monkeypatch.setattr(SingleFrame, "forward", cramped)
    (epoch,) = train(replace(QUICK, epochs=1), fly[1], *split, tmp_path)
    assert learnt[:3] == [8, 4, 2]
    assert max(learnt[2:]) == 2
    assert looked_at[0] > 3 >= looked_at[-1]
    assert epoch.validation


@pytest.mark.parametrize(("learns", "words"), [(True, "for 1 clips at a time"), (False, "to look at one clip")])
def test_far_too_little_memory_is_said(fly, split, tmp_path: Path, monkeypatch, learns: bool, words: str) -> None:  # type: ignore[no-untyped-def]
    from models.estimators.single_frame import SingleFrame

    real = SingleFrame.forward

    def cramped(self, frames, labelled=None):  # type: ignore[no-untyped-def]
        if self.training == learns:
            raise MemoryError
        return real(self, frames, labelled)

    monkeypatch.setattr(SingleFrame, "forward", cramped)
    with pytest.raises(TrainingError, match=words):
        list(train(replace(QUICK, epochs=1), fly[1], *split, tmp_path))


def test_the_checkpoint_is_there_before_the_state_that_tells_of_it(fly, split, tmp_path: Path, monkeypatch) -> None:  # type: ignore[no-untyped-def]
    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    list(train(QUICK, fly[1], *split, tmp_path / "once"))
    with monkeypatch.context() as patch:
        patch.setattr("models.training_state.save", killed)
        with pytest.raises(KeyboardInterrupt):
            list(train(QUICK, fly[1], *split, tmp_path / "twice"))
    assert load(tmp_path / "twice" / "best.safetensors").name == "single_frame"
    list(train(QUICK, fly[1], *split, tmp_path / "twice"))
    once, twice = (load_file(tmp_path / name / "best.safetensors") for name in ("once", "twice"))
    assert all(torch.equal(once[name], twice[name]) for name in once)


def test_epochs_so_far_are_remembered(fly, split, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    assert so_far(tmp_path) == []
    told = list(train(QUICK, fly[1], *split, tmp_path))
    assert so_far(tmp_path) == told
    (tmp_path / "state.safetensors").write_bytes(b"torn")
    with pytest.raises(TrainingError, match="not the state of a training"):
        so_far(tmp_path)


def test_a_loss_that_is_no_number_ends_it(fly, split, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(TrainingError, match="not a number at step"):
        list(train(replace(QUICK, rate=1e30, clip=1e30, warm=0.0, frozen=0.0, epochs=9), fly[1], *split, tmp_path))
    assert not list(tmp_path.glob("*.part"))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"estimator": "openpose"}, "no estimator"),
        ({"preset": "vast"}, "no preset"),
        ({"device": "abacus"}, "no device"),
        ({"changes": {"heads": 7}}, "do not divide"),
    ],
)
def test_bad_settings(fly, split, tmp_path: Path, changes, words: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(TrainingError, match=words):
        next(train(replace(QUICK, **changes), fly[1], *split, tmp_path))


def test_too_few_labels(fly, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    few = fly[0].select(np.arange(5))
    with pytest.raises(TrainingError, match="5 labelled frames"):
        next(train(QUICK, fly[1], [few], [], tmp_path))


def test_a_video_that_is_gone(fly, split, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    gone = [replace(one, path=tmp_path / "gone.mp4") for one in split[0]]
    with pytest.raises(TrainingError, match=r"gone\.mp4"):
        next(train(QUICK, fly[1], gone, [], tmp_path))


def test_a_state_of_other_settings_is_left_alone(fly, split, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    list(train(QUICK, fly[1], *split, tmp_path))
    before = (tmp_path / "state.safetensors").read_bytes()
    base = tmp_path / "best.safetensors"
    shifted = [replace(split[0][0], weight=split[0][0].weight / 2), *split[0][1:]]
    with pytest.raises(TrainingError, match="other settings"):
        next(train(replace(QUICK, seed=9), fly[1], *split, tmp_path))
    with pytest.raises(TrainingError, match="or labels"):
        next(train(QUICK, fly[1], shifted, split[1], tmp_path))
    with pytest.raises(TrainingError, match="or labels"):
        next(train(QUICK, fly[1], *split, tmp_path, base))
    assert (tmp_path / "state.safetensors").read_bytes() == before


def test_measuring_nothing_measures_nothing(fly, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]

    config = configure("single_frame", "tiny", fly[1].size, height=64, width=64)
    empty = Clips([], fly[1], config, tmp_path / "none")
    measured = validate(build("single_frame", config, pretrained=RANDOM), empty, torch.device("cpu"))
    assert (dict(measured.figures), list(measured.reliability)) == ({}, [])


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
