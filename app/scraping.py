"""``/metrics``: what Prometheus reads of this process. No lab's data is in it, but it is not for everybody."""

from __future__ import annotations

from hmac import compare_digest
from typing import Annotated

from anyio import CapacityLimiter, to_thread
from fastapi import APIRouter, Depends, Request, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder

from app import origin
from app.database import Database
from app.errors import Forbidden, Unauthorized
from app.keys import service as keys
from app.labs import service as labs
from app.settings import Settings

router = APIRouter(tags=["health"])

_BEARER = HTTPBearer(auto_error=False)


async def _admit(
    request: Request, credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(_BEARER)]
) -> None:
    settings: Settings = request.app.state.settings
    token = settings.metrics_token.get_secret_value()
    if credentials is not None:
        given = credentials.credentials
        if not (token and compare_digest(given.encode(), token.encode())):
            await run_in_threadpool(_check_operator, request.app.state.database, given)
    elif token or not origin.from_this_machine(request):
        raise Unauthorized(
            "send 'Authorization: Bearer <token>' with POSETWEEN_METRICS_TOKEN or a key of the operator; without "
            "either, and where no token is set, this answers only the machine itself"
        )


def _check_operator(database: Database, key: str) -> None:
    with database.session(readonly=True) as session:
        if not labs.is_operator(session, keys.authenticate(session, key)):
            raise Forbidden("this is for the operator of the installation: an admin of its first lab")


@router.get("/metrics", include_in_schema=False, dependencies=[Depends(_admit)])
async def metrics(request: Request) -> Response:
    """All metrics of this process, in the format that the scraper asks for."""
    registry: CollectorRegistry = request.app.state.registry
    encode, media_type = choose_encoder(request.headers.get("accept", ""))
    # One scrape at a time, in a thread that requests cannot take away from it.
    limiter: CapacityLimiter = request.app.state.scrapes
    return Response(await to_thread.run_sync(encode, registry, limiter=limiter), headers={"Content-Type": media_type})
