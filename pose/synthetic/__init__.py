"""Synthetic videos of articulated bodies with exact truth: a demo, every test's fixture, and training material."""

from pose.synthetic.acting import ACTS
from pose.synthetic.scene import Scene
from pose.synthetic.spec import KINDS, Kind, SceneSpec

__all__ = ["ACTS", "KINDS", "Kind", "Scene", "SceneSpec"]
