"""Rendering errors as RFC 9457 problem details."""

from __future__ import annotations

import json
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from sqlalchemy.exc import SQLAlchemyError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from app import request_log
from app.errors import PROBLEM, FieldProblem, Invalid, Malformed, Problem, ServiceError, database_trouble

_HEADERS = {401: {"WWW-Authenticate": "Bearer"}, 503: {"Retry-After": "1"}}


def install(app: FastAPI) -> None:
    """Render every error of the app as a problem document."""
    app.add_exception_handler(ServiceError, _service_error)
    app.add_exception_handler(RequestValidationError, _validation_error)
    app.add_exception_handler(HTTPException, _http_error)
    app.add_exception_handler(SQLAlchemyError, _database_error)
    app.add_exception_handler(ClientDisconnect, _broken_off)
    app.add_exception_handler(Exception, _unexpected)


class _ProblemResponse(JSONResponse):
    media_type = PROBLEM

    def render(self, content: Any) -> bytes:
        # What somebody sent, and a problem names, can hold half a surrogate pair; UTF-8 cannot.
        return json.dumps(content, ensure_ascii=False).encode(errors="replace")


def _render(error: ServiceError, headers: dict[str, str] | None = None) -> JSONResponse:
    problem = Problem(title=error.title, status=error.status, detail=error.detail, errors=error.errors)
    return _ProblemResponse({**problem.model_dump(), **error.extra}, status_code=error.status, headers=headers)


async def _service_error(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, ServiceError)
    return _render(error, {**_HEADERS.get(error.status, {}), **error.headers})


async def _validation_error(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    fields = [_field(entry) for entry in error.errors()]
    if any(entry["type"] == "json_invalid" for entry in error.errors()):
        return _render(Malformed("the body is not JSON", fields))
    detail = "; ".join(f"{field.pointer or field.location}: {field.detail}" for field in fields[:3])
    return _render(Invalid(detail, fields))


def _field(entry: dict[str, Any]) -> FieldProblem:
    location, *path = entry["loc"]
    pointer = "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in path)
    pointer += entry.get("ctx", {}).get("pointer", "")
    return FieldProblem(pointer=pointer, detail=entry["msg"], location=str(location))


async def _http_error(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    cause = error.__cause__
    if isinstance(cause, ServiceError):
        return await _service_error(request, cause)
    if isinstance(cause, SQLAlchemyError):
        return await _database_error(request, cause)
    if error.status_code == HTTPStatus.INTERNAL_SERVER_ERROR and isinstance(cause, Exception):
        raise cause
    plain = ServiceError(str(error.detail))
    plain.status, plain.title = error.status_code, HTTPStatus(error.status_code).phrase
    return _render(plain, dict(error.headers or {}))


async def _database_error(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, SQLAlchemyError)
    trouble = database_trouble(error)
    if trouble is None:
        raise error
    return await _service_error(request, trouble)


async def _broken_off(request: Request, error: Exception) -> JSONResponse:
    return _render(Malformed("the connection ended before the request did"))


async def _unexpected(request: Request, error: Exception) -> JSONResponse:
    request_id = request_log.id_of(request)
    if request_id is None:
        return _render(ServiceError("the service made a mistake; its log says which"))
    detail = f"the service made a mistake; its log says which, under the request id {request_id}"
    return _render(ServiceError(detail, request_id=request_id))
