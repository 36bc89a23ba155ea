"""A machine learning backend for Label Studio: it answers with the poses that Posetween has of a task's picture.

``POSETWEEN_PROJECT=mice POSETWEEN_KEY=... uvicorn --factory examples.label_studio_backend:create --port 9090``
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any
from xml.etree import ElementTree

import numpy as np
from fastapi import FastAPI, HTTPException, Request
from fastapi.responses import JSONResponse
from pydantic import BaseModel

from examples.frame_poses import FramePoses, connected
from formats.label_studio import regions
from formats.label_studio_read import picture_name
from formats.losses import forget
from posetween import ApiError

VERSION = "posetween"


class Setup(BaseModel):
    """What Label Studio says of a project when it is connected."""

    schema_: str = ""

    model_config = {"alias_generator": lambda name: name.rstrip("_")}


class Predict(BaseModel):
    """Tasks that Label Studio wants predictions for."""

    tasks: list[dict[str, Any]]
    label_config: str = ""


@dataclass(frozen=True)
class Controls:
    """What a labelling configuration calls its parts.

    Attributes:
        image: The picture.
        value: The field of a task's data that names the picture's file.
        subjects: The rectangles.
        subject: The first label of these.
        keypoints: The keypoints.
        labels: The labels of these.
    """

    image: str
    value: str
    subjects: str
    subject: str
    keypoints: str
    labels: frozenset[str]

    @classmethod
    def of(cls, config: str) -> Controls:
        """Read a configuration.

        Raises:
            ValueError: It has no picture with rectangles and keypoints.
        """
        if "<!" in config.replace("<!--", ""):
            raise ValueError("a labelling configuration has no document type")
        try:
            root = ElementTree.fromstring(config)
        except ElementTree.ParseError as error:
            raise ValueError(f"the labelling configuration is no XML: {error}") from None
        found = [root.find(f".//{kind}") for kind in ("Image", "RectangleLabels", "KeyPointLabels")]
        image, rectangles, keypoints = found
        if image is None or rectangles is None or keypoints is None:
            raise ValueError("the labelling configuration needs an Image, RectangleLabels and KeyPointLabels")
        names = [label.get("value", "") for label in rectangles.iter("Label")]
        return cls(
            image=image.get("name", ""),
            value=image.get("value", "").removeprefix("$"),
            subjects=rectangles.get("name", ""),
            subject=names[0] if names else "",
            keypoints=keypoints.get("name", ""),
            labels=frozenset(label.get("value", "") for label in keypoints.iter("Label")),
        )


def predicted(poses: FramePoses, controls: Controls, task: dict[str, Any]) -> dict[str, Any]:
    """A prediction: a rectangle for each subject with its keypoints, nothing where no pose is known."""
    name = task.get("data", {}).get(controls.value)
    found = poses.of(picture_name(name)) if isinstance(name, str) else None
    if found is None or not len(found):
        return {"model_version": VERSION, "score": 0.0, "result": []}
    found = forget(found, ("human",))  # whoever made a point, here it is proposed
    result = []
    for row in range(len(found)):
        for region in regions(found, row, found.videos[0], machine=True):
            value, kind = region["value"], region["type"]
            if kind == "rectanglelabels":
                value[kind] = [controls.subject]
            elif value[kind][0] not in controls.labels:
                continue
            named = controls.subjects if kind == "rectanglelabels" else controls.keypoints
            result.append(region | {"from_name": named, "to_name": controls.image})
    score = float(np.mean(found.score[found.known]))
    return {"model_version": VERSION, "score": score, "result": result}


def create(poses: FramePoses | None = None) -> FastAPI:
    """The backend.

    Args:
        poses: Where poses are; left out, the project that ``POSETWEEN_PROJECT`` names.

    Raises:
        LookupError: There is no such project.
    """
    there = connected(os.environ.get("POSETWEEN_PROJECT", "")) if poses is None else poses
    app = FastAPI(title="Posetween for Label Studio")

    @app.get("/")
    @app.get("/health")
    def health() -> dict[str, str]:
        return {"status": "UP", "model_class": "Posetween"}

    @app.post("/setup")
    def setup(body: Setup) -> dict[str, str]:
        controls = _controls(body.schema_)
        lacking = [name for name in there.skeleton.keypoints if name not in controls.labels]
        if lacking:
            raise HTTPException(400, f"{controls.keypoints} lacks the labels {', '.join(lacking)}")
        return {"model_version": VERSION}

    @app.post("/predict")
    def predict(body: Predict) -> dict[str, Any]:
        controls = _controls(body.label_config)
        results = [predicted(there, controls, task) for task in body.tasks]
        return {"results": results, "model_version": VERSION}

    @app.exception_handler(ApiError)
    def refused(request: Request, error: ApiError) -> JSONResponse:
        return JSONResponse({"detail": str(error)}, status_code=503)

    return app


def _controls(config: str) -> Controls:
    try:
        return Controls.of(config)
    except ValueError as error:
        raise HTTPException(400, str(error)) from None
