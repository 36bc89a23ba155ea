"""``/healthz`` and ``/readyz``: whether the process lives, and whether it can do its work."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Request
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field
from sqlalchemy import text

from app import disk
from app.database import Database
from app.jobs.notifier import Notifier
from app.storage import Storage
from app.timed_probe import TimedProbe
from app.turns import Turns
from app.version import SCHEMA, VERSION

log = logging.getLogger(__name__)

router = APIRouter(tags=["health"])

_PATIENCE_SECONDS = 2.0
_FRESH_SECONDS = 1.0

#: A turn to write that one request or process keeps for longer keeps everybody else from writing.
_STILL_SECONDS = 10.0

#: Without these no request can be answered. Without a broker jobs only start later.
_NEEDED = ("database", "storage")


class Health(BaseModel):
    """The ability of the service to do its work."""

    status: Literal["ok", "degraded", "unavailable"]
    version: str = VERSION
    parts: dict[str, str] = Field(default={}, description="What it needs: 'ok', or what is wrong with it")


class _Amiss(Exception):
    """A part answers, but not as it should; the text is for everybody."""


class Readiness:
    """Asks the parts that the service needs, all at once; what they said is good for a second.

    Args:
        database: The ledger's.
        storage: Where objects are.
        notifier: The broker's, where there is one.
        turns: Of the requests of this process.
        folder: Where uploads arrive.
    """

    def __init__(
        self, database: Database, storage: Storage, notifier: Notifier | None, turns: Turns, folder: Path
    ) -> None:
        asked: dict[str, Callable[[], None]] = {
            "database": lambda: _check(database),
            "storage": storage.check,
            "disk": lambda: _check_disk(folder),
            "writing": lambda: _check_writing(database, turns),
        }
        if notifier is not None:
            asked["broker"] = notifier.check
        self._probes = {
            name: TimedProbe(ask, patience=_PATIENCE_SECONDS, fresh=_FRESH_SECONDS) for name, ask in asked.items()
        }
        self._said: dict[str, str] = {}

    async def look(self) -> Health:
        """How it is."""
        said = await asyncio.gather(*(self._part(name) for name in self._probes))
        parts = dict(zip(self._probes, said, strict=True))
        if all(state == "ok" for state in said):
            return Health(status="ok", parts=parts)
        fit = all(parts[name] == "ok" for name in _NEEDED)
        return Health(status="degraded" if fit else "unavailable", parts=parts)

    async def _part(self, name: str) -> str:
        fault: Exception | None = None
        try:
            await self._probes[name].awaited()
            said = "ok"
        except TimeoutError:
            said = f"did not answer within {_PATIENCE_SECONDS:g} s"
        except _Amiss as error:
            said = str(error)
        except Exception as error:  # whatever a driver makes of a server that is gone
            said, fault = "does not answer", error
        if said != self._said.get(name, "ok"):
            level = logging.INFO if said == "ok" else logging.WARNING
            log.log(level, "%s: %s", name, said, exc_info=fault)
        self._said[name] = said
        return said


def _readiness(request: Request) -> Readiness:
    return request.app.state.readiness  # type: ignore[no-any-return]


ReadinessDep = Annotated[Readiness, Depends(_readiness)]


@router.get("/healthz")
async def alive() -> Health:
    """The process answers."""
    return Health(status="ok")


@router.get("/readyz", responses={503: {"model": Health}})
async def ready(readiness: ReadinessDep) -> JSONResponse:
    """The process answers, its database has the tables that it needs, its storage is there, and so is its broker.

    `degraded` where there is no more room for uploads, or nobody's turn to write has come for ten seconds.
    """
    health = await readiness.look()
    return JSONResponse(health.model_dump(), status_code=503 if health.status == "unavailable" else 200)


def _check(database: Database) -> None:
    with database.session(readonly=True) as session:
        found = session.scalar(text("SELECT version_num FROM alembic_version"))
    if found is None or found < SCHEMA:
        raise _Amiss(f"has the tables of migration {found}, this version needs {SCHEMA}: run 'posetween db upgrade'")


def _check_disk(folder: Path) -> None:
    if not disk.room(folder):
        kept = disk.reserve(folder)
        raise _Amiss(f"is full but for a reserve of {kept} bytes: no uploads, exports or computed poses are taken in")


def _check_writing(database: Database, turns: Turns) -> None:
    still = max(turns.writing.stands_still(), database.turn.held() if database.turn is not None else 0.0)
    if still > _STILL_SECONDS:
        raise _Amiss(f"one request or process has kept all others from writing for {still:.0f} s")
