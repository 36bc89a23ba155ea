"""Serving the built page: its entry anew each time, everything else for ever, since names change with content."""

from __future__ import annotations

import gzip
import os
from functools import lru_cache
from pathlib import Path

from fastapi import FastAPI
from fastapi.responses import FileResponse
from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

#: Where ``scripts/build_page`` leaves it. Installations without have the status page at ``/``.
BUILT = Path(__file__).parent / "built"

#: The page loads its own files, and asks this service; pictures of frames are decoded from what it was answered.
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; connect-src 'self';"
    " base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)

_FOR_EVER = "public, max-age=31536000, immutable"
_TEXTS = {".css", ".js", ".svg"}


class _Assets(StaticFiles):
    """Files whose names have a digest of what is in them."""

    def file_response(
        self,
        full_path: str | os.PathLike[str],
        stat_result: os.stat_result,
        scope: Scope,
        status_code: int = 200,
    ) -> Response:
        """The answer with a file, packed where the browser takes that, or that the browser has it."""
        answer = super().file_response(full_path, stat_result, scope, status_code)
        if Path(full_path).suffix in _TEXTS:
            answer.headers["Vary"] = "Accept-Encoding"
            if isinstance(answer, FileResponse) and _takes_gzip(Headers(scope=scope)):
                about = {name: answer.headers[name] for name in ("ETag", "Last-Modified", "Vary")}
                packed, kind = _packed(str(full_path)), answer.media_type
                answer = Response(packed, media_type=kind, headers={**about, "Content-Encoding": "gzip"})
        answer.headers["Cache-Control"] = _FOR_EVER
        return answer


def _takes_gzip(headers: Headers) -> bool:
    # A part of a file is a part of what is written, not of what was packed.
    named = [one.replace(" ", "").lower() for one in headers.get("Accept-Encoding", "").split(",")]
    return "range" not in headers and any(one == "gzip" or one.startswith("gzip;q=1") for one in named)


@lru_cache(maxsize=32)
def _packed(path: str) -> bytes:
    return gzip.compress(Path(path).read_bytes(), mtime=0)


def install(app: FastAPI, folder: Path = BUILT) -> bool:
    """Serve the page at ``/``, before anything else that would; tells whether there is one."""
    index = folder / "index.html"
    if not index.is_file():
        return False

    @app.get("/", include_in_schema=False)
    async def page() -> FileResponse:
        return FileResponse(index, media_type="text/html", headers={"Cache-Control": "no-cache"})

    @app.get("/icon.svg", include_in_schema=False)
    async def icon() -> FileResponse:
        return FileResponse(folder / "icon.svg", headers={"Cache-Control": "no-cache"})

    app.mount("/assets", _Assets(directory=folder / "assets"), name="assets")
    return True
