"""The auto-annotation function as CVAT's own SDK takes it."""

from __future__ import annotations

import logging
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from tests.services import needed

cvataa = needed("cvat_sdk.auto_annotation")
driver = needed("cvat_sdk.auto_annotation.driver")
from examples.cvat_function import PosetweenFunction, create  # noqa: E402  # the SDK has to be there first


def context(name, threshold=None):
    return driver._DetectionFunctionContextImpl(frame_name=name, conf_threshold=threshold)


def accepted(function, shapes, frame):
    """What CVAT's driver makes of shapes, for a task with the labels of the function under numbers of its own."""
    (label,) = function.spec.labels
    points = [SimpleNamespace(id=900 + k, name=one.name, attributes=[]) for k, one in enumerate(label.sublabels)]
    there = SimpleNamespace(id=77, name=label.name, type="skeleton", attributes=[], sublabels=points[::-1])
    mapper = driver._AnnotationMapper(
        logging.getLogger(), function.spec.labels, [there], allow_unmatched_labels=False, conv_mask_to_poly=False
    )
    found = [*shapes]
    mapper.validate_and_remap(found, frame)
    return found, {point.id: point.name for point in points}


def test_cvat_takes_the_skeletons(poses, walker):
    function = PosetweenFunction(poses)
    assert isinstance(function.spec, cvataa.DetectionFunctionSpec)
    picture = Image.new("RGB", (walker.width, walker.height))
    shapes = function.detect(context(f"{walker.path.stem}/frame_000020.jpg"), picture)
    (shape,), names = accepted(function, shapes, 5)
    assert (shape.label_id, shape.frame, shape.source) == (77, 5, "auto")
    truth = walker.tracks[1]
    row = list(truth.frames).index(20)
    assert len(shape.elements) == walker.skeleton.size
    for element in shape.elements:
        k = walker.skeleton.keypoints.index(names[element.label_id])
        assert (element.outside, element.occluded) == (truth.visibility[row, k] == 0, truth.visibility[row, k] == 1)
        if truth.visibility[row, k]:
            np.testing.assert_allclose(element.points, truth.xy[row, k], atol=0.01)


def test_points_that_are_not_sure_enough_are_outside(poses, walker):
    function, name = PosetweenFunction(poses), f"{walker.path.stem}/frame_000010.jpg"
    picture = Image.new("RGB", (walker.width, walker.height))
    scores = np.sort(poses.of(name).score[0])
    middle = float(scores[len(scores) // 2])
    shapes = function.detect(context(name, middle), picture)
    (shape,), _ = accepted(function, shapes, 0)
    assert sum(not element.outside for element in shape.elements) == int((scores >= middle).sum())
    assert function.detect(context(name, 1.0), picture) == []


def test_other_pictures_have_no_skeletons_and_other_sizes_are_refused(poses, walker):
    function = PosetweenFunction(poses)
    assert function.detect(context("another/frame_000001.jpg"), Image.new("RGB", (10, 10))) == []
    with pytest.raises(ValueError, match=f"has 10 x 10 pixels, and the video .* {walker.width} x {walker.height}"):
        function.detect(context(f"{walker.path.stem}/frame_000001.jpg"), Image.new("RGB", (10, 10)))


def test_it_is_made_from_the_environment(labelled, address, monkeypatch):
    monkeypatch.setenv("POSETWEEN_SERVER", address)
    monkeypatch.setenv("POSETWEEN_KEY", labelled.key)
    function = create("walks")
    assert function.spec.labels[0].type == "skeleton"
    function.poses.close()
