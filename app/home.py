"""What answers outside the API: the front page and the health checks."""

from __future__ import annotations

from typing import Literal

from fastapi import APIRouter
from fastapi.responses import HTMLResponse, JSONResponse
from pydantic import BaseModel
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from app.dependencies import DatabaseDep
from app.version import VERSION

router = APIRouter(tags=["health"])

_PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Posetween</title>
<style>
  :root {{ color-scheme: light dark; font: 17px/1.55 system-ui, sans-serif; }}
  body {{ max-width: 40rem; margin: 12vh auto; padding: 0 1.5rem; }}
  h1 {{ margin: 0 0 .2em; font-size: 2.1rem; letter-spacing: -.02em; }}
  .lead {{ font-size: 1.15rem; margin: 0 0 2em; }}
  dl {{ display: grid; grid-template-columns: max-content 1fr; gap: .45em 1.4em; }}
  dt {{ opacity: .65; }} dd {{ margin: 0; }}
  .dot {{ display: inline-block; width: .65em; height: .65em; border-radius: 50%; margin-right: .4em; }}
  .good {{ background: #0a7d4f; }} .bad {{ background: #c22f1d; }}
  code {{ font-size: .9em; }}
</style>
<h1>Posetween</h1>
<p class="lead">Label a few frames of a video. Posetween fills in the poses between them and says how sure it is.</p>
<dl>
  <dt>Health</dt><dd><span class="dot {mood}"></span>{health}</dd>
  <dt>Version</dt><dd>{version}</dd>
  <dt>API</dt><dd><a href="/docs">/docs</a> &middot; <a href="/api/v1/openapi.json">/api/v1/openapi.json</a></dd>
  <dt>Key</dt><dd>send <code>Authorization: Bearer &lt;key&gt;</code>; the first start wrote one
  to <code>admin.key</code> in the data folder</dd>
</dl>
</html>
"""


class Health(BaseModel):
    """Whether the service can do its work."""

    status: Literal["ok", "unavailable"]
    version: str = VERSION


@router.get("/", response_class=HTMLResponse, include_in_schema=False)
def home(database: DatabaseDep) -> HTMLResponse:
    """What this is, how it is, and where to go on."""
    return HTMLResponse(page(fit=_ready(database)))


def page(*, fit: bool) -> str:
    """Source of the front page."""
    health = "ready" if fit else "the database does not answer"
    return _PAGE.format(mood="good" if fit else "bad", health=health, version=VERSION)


@router.get("/healthz")
def alive() -> Health:
    """The process answers."""
    return Health(status="ok")


@router.get("/readyz", responses={503: {"model": Health}})
def ready(database: DatabaseDep) -> JSONResponse:
    """The process answers and reaches its database."""
    fit = _ready(database)
    health = Health(status="ok" if fit else "unavailable")
    return JSONResponse(health.model_dump(), status_code=200 if fit else 503)


def _ready(database: DatabaseDep) -> bool:
    try:
        with database.session(readonly=True) as session:
            session.execute(text("SELECT 1 FROM lab"))
    except SQLAlchemyError:
        return False
    return True
