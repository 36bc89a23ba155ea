"""Pages of other origins that may call the API from a browser (CORS), where settings list them."""

from __future__ import annotations

from urllib.parse import urlsplit

from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp

from app.settings import ANY_ORIGIN, Settings

_METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")

#: What a page may send beside what every page may.
_REQUEST_HEADERS = (
    "Authorization", "Content-Digest", "Content-Type", "Idempotency-Key", "If-Match", "If-None-Match", "If-Range",
    "Last-Event-ID", "Range", "Tus-Resumable", "Upload-Checksum", "Upload-Defer-Length", "Upload-Length",
    "Upload-Metadata", "Upload-Offset", "X-HTTP-Method-Override", "X-Request-ID", "X-Requested-With",
)  # fmt: skip

#: What a page may read beside what every page may.
_ANSWER_HEADERS = (
    "Accept-Ranges", "Content-Disposition", "Content-Length", "Content-Range", "ETag", "Location", "Posetween-Video",
    "RateLimit", "RateLimit-Policy", "Retry-After", "Tus-Checksum-Algorithm", "Tus-Extension", "Tus-Max-Size",
    "Tus-Resumable", "Tus-Version", "Upload-Defer-Length", "Upload-Expires", "Upload-Length", "Upload-Metadata",
    "Upload-Offset", "WWW-Authenticate", "X-Frame-Damaged", "X-Request-ID",
)  # fmt: skip

_REMEMBERED_SECONDS = 600  # what a browser was told about an origin


def check(settings: Settings) -> None:
    """See that the origins of the settings let in nobody who was not meant.

    Raises:
        ValueError: Something that is no origin, or every origin beside credentials or beside a service without keys.
    """
    for origin in settings.cors_origins:
        if origin != ANY_ORIGIN and not _is_origin(origin):
            raise ValueError(f"POSETWEEN_CORS_ORIGINS: {origin!r} is no origin such as https://lab.example.org")
    if ANY_ORIGIN not in settings.cors_origins:
        return
    if settings.cors_credentials:
        raise ValueError(
            "POSETWEEN_CORS_ORIGINS: * would let the page of any site act with the cookies of whoever looks at it; list"
            " the origins that may, or set POSETWEEN_CORS_CREDENTIALS=false"
        )
    if not settings.auth:
        raise ValueError(
            "POSETWEEN_CORS_ORIGINS: * would let the page of any site read a service that asks for no key; list the"
            " origins that may, or turn auth on"
        )


def allow(app: ASGIApp, settings: Settings) -> ASGIApp:
    """Have the listed origins let in, in answers to their preflights and to all else."""
    if not settings.cors_origins:
        return app
    return CORSMiddleware(
        app,
        allow_origins=settings.cors_origins,
        allow_methods=_METHODS,
        allow_headers=_REQUEST_HEADERS,
        allow_credentials=settings.cors_credentials,
        expose_headers=_ANSWER_HEADERS,
        max_age=_REMEMBERED_SECONDS,
    )


def _is_origin(text: str) -> bool:
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        return False
    if parts.scheme not in ("http", "https") or not parts.hostname:
        return False
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    default = {"http": 80, "https": 443}[parts.scheme]
    # As browsers write it: in small letters, without the usual port and without a path.
    return port != default and text == f"{parts.scheme}://{host}{'' if port is None else f':{port}'}"
