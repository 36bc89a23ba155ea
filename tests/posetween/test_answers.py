"""The client's types are those of the service's OpenAPI schema."""

from __future__ import annotations

import types
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints, is_typeddict

import pytest

from app.main import create_app
from app.settings import Settings
from posetween import answers

KINDS = [kind for kind in vars(answers).values() if is_typeddict(kind) and kind.__module__ == answers.__name__]
JSON = {int: "integer", float: "number", str: "string", bool: "boolean", list: "array", tuple: "array", dict: "object"}


@pytest.fixture(scope="module")
def schemas(tmp_path_factory):
    app = create_app(Settings(data_dir=tmp_path_factory.mktemp("data")))
    found = app.openapi()["components"]["schemas"]
    app.state.database.dispose()
    return found


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_an_answer_has_the_fields_of_its_schema(kind, schemas):
    schema = schemas[kind.__name__]
    hints = get_type_hints(kind)
    assert hints.keys() == schema["properties"].keys()
    assert {name: of_hint(hint) for name, hint in hints.items()} == {
        name: of_schema(property_, schemas) for name, property_ in schema["properties"].items()
    }


def test_every_answer_is_looked_at():
    assert {"ProjectOut", "VideoOut", "JobOut", "RunOut", "ExportOut", "Imported"} <= {kind.__name__ for kind in KINDS}


def of_hint(hint: Any) -> frozenset[str]:
    """What JSON a type stands for: ``integer``, ``null``, or a text in quotes for each that may stand there."""
    origin = get_origin(hint)
    if origin in (Union, types.UnionType):
        return frozenset().union(*map(of_hint, get_args(hint)))
    if origin is Literal:
        return frozenset(map(repr, get_args(hint)))
    if hint is type(None):
        return frozenset({"null"})
    return frozenset({"object" if is_typeddict(hint) else JSON[origin or hint]})


def of_schema(property_: dict[str, Any], schemas: dict[str, Any]) -> frozenset[str]:
    if "$ref" in property_:
        return of_schema(schemas[property_["$ref"].rpartition("/")[2]], schemas)
    if "anyOf" in property_:
        return frozenset().union(*(of_schema(one, schemas) for one in property_["anyOf"]))
    if "enum" in property_:
        return frozenset(map(repr, property_["enum"]))
    return frozenset({property_["type"]})
