"""The status page, which is the front page where the page for annotators was not built."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from fastapi import APIRouter
from fastapi.responses import HTMLResponse

from app.health import ReadinessDep
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


@router.get("/", response_class=HTMLResponse, include_in_schema=False)
@router.get("/status", response_class=HTMLResponse, include_in_schema=False)
async def home(readiness: ReadinessDep) -> HTMLResponse:
    """What this is, how it is, and where to go on."""
    health = await readiness.look()
    faults = [f"the {part} {said}" for part, said in health.parts.items() if said != "ok"]
    return HTMLResponse(page(faults))


def page(faults: Sequence[str] = ()) -> str:
    """Source of the front page."""
    health = escape("; ".join(faults)) or "ready"
    return _PAGE.format(mood="bad" if faults else "good", health=health, version=VERSION)
