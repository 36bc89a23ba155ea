"""Requests made up from the OpenAPI schema: none may break the service, and each answer is one the schema knows."""

from __future__ import annotations

import base64
import re
from contextlib import suppress

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from app.keys.service import Role

pytestmark = pytest.mark.slow

CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]

DELETES = re.compile(
    r"^DELETE /api/v1/(videos|projects|labs)/[^/]*$|^POST /api/v1/(videos|projects|labs)/[^/]*/restore$"
)

#: Answers that hold tuples.
TUPLES = {
    *(f"GET /api/v1/videos/{{video_id}}/{what}" for what in ("labels", "review-queue", "timeline")),
    "GET /api/v1/projects/{project_id}/review-queue",
}

MOST = {"get": 15, "put": 25, "post": 20, "patch": 20, "delete": 10, "head": 10, "options": 5}


@pytest.fixture(scope="module")
def api(house, plant_checkpoint, walker):
    """The schema of a service in which everything with the id 1 is there."""
    plant_checkpoint(house.service, house.project["id"])
    for path, body in (
        (f"{house.url}/propagations", {"engine": "linear"}),
        (f"/projects/{house.project['id']}/exports", {}),
    ):
        house.service.finished(house.http.post(path, json=body).json())
    house.client(Role.READER).close()
    # What may be deleted, so that the things with the id 1 stay.
    other = house.http.post("/projects", json={"name": "other", "skeleton": {"name": "s", "keypoints": ["a"]}}).json()
    assert (other["id"], house.service.upload(other, walker.path)["id"]) == (2, 2)
    metadata = f"project_id {base64.b64encode(b'1').decode()}"
    tus = {"Tus-Resumable": "1.0.0", "Upload-Length": "100000", "Upload-Metadata": metadata}
    house.upload_id = house.http.post("/uploads", headers=tus).json()["id"]
    schema = schemathesis.openapi.from_url(f"{house.http.base_url}openapi.json")
    schema.config.update(base_url=str(house.http.base_url).removesuffix("/api/v1/"))
    return schema


def probe(operation, house, mode):
    """Send made-up requests of one operation, with the ids of things that are there."""

    @settings(
        max_examples=MOST[operation.method],
        deadline=None,
        derandomize=True,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy(generation_mode=mode))
    def send(case):
        for name in case.path_parameters:
            if name.endswith("_id"):
                # The second key, since the first is ours.
                here = {"key_id": 2, "upload_id": house.upload_id}.get(name, 1)
                case.path_parameters[name] = 2 if DELETES.search(operation.label) else here
        answer = case.call(headers={"Authorization": f"Bearer {house.service.key}"})
        # Schemathesis rewrites tuples of an inline schema into a form that it then finds invalid.
        tuples = operation.label in TUPLES
        case.validate_response(answer, checks=CHECKS, excluded_checks=[response_schema_conformance] if tuples else [])

    send()


@pytest.mark.parametrize("mode", GenerationMode)
def test_every_answer_is_one_that_the_schema_knows(api, house, mode):
    operations = [found.ok() for found in api.get_all_operations()]
    assert len(operations) > 30
    for operation in operations:
        with suppress(Unsatisfiable):  # an operation without parameters cannot be asked wrongly
            probe(operation, house, mode)
