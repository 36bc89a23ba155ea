"""Where a browser's request comes from: no other site may use the session of a browser, or a service without keys."""

from __future__ import annotations

from ipaddress import ip_address

from fastapi import Request

from app.errors import Forbidden
from app.settings import ANY_ORIGIN, Settings

SAFE = {"GET", "HEAD", "OPTIONS"}

#: What proxies put into requests that they pass on.
_FORWARDED = ("forwarded", "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto", "x-real-ip", "via")


def check_session(request: Request) -> None:
    """Refuse to change anything on the strength of a cookie unless the browser says that our own page asks for it.

    Browsers say so in ``Sec-Fetch-Site`` (over https and on loopback) or else in ``Origin``; pages cannot set either.

    Raises:
        Forbidden: It says otherwise, or nothing.
    """
    if request.method not in SAFE and _from_here(request) is not True:
        raise Forbidden(
            "a request that changes something with a session cookie must come from a page of this service: the browser"
            " sends 'Sec-Fetch-Site: same-origin' or the 'Origin' of this service; programs send an API key instead"
        )


def check_loopback(request: Request) -> None:
    """Keep other sites out of a service that asks for no key, also those that took on the name of this machine.

    Raises:
        Forbidden: The request is meant for another name than this machine's own, or comes from another site's page.
    """
    if not is_loopback(request.url.hostname or ""):
        raise Forbidden("without authentication this service answers only to 127.0.0.1, [::1] and localhost")
    if request.method not in SAFE and _from_here(request) is False:
        raise Forbidden("without authentication nothing can be changed from another site's page")


def from_this_machine(request: Request) -> bool:
    """Return whether a request was sent on this machine, to this machine, and by no proxy that says that it is one."""
    client = request.client
    return (
        client is not None
        and is_loopback(client.host)
        and is_loopback(request.url.hostname or "")
        and not any(name in request.headers for name in _FORWARDED)
    )


def is_loopback(host: str) -> bool:
    """Return whether a host name or address is only reached from this machine."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _is_listed(request: Request, origin: str) -> bool:
    settings: Settings = request.app.state.settings
    return settings.cors_credentials and origin != ANY_ORIGIN and origin in settings.cors_origins


def _from_here(request: Request) -> bool | None:
    """Whether a page of this service or a listed origin sent it; None when the client does not say, as programs do."""
    site = request.headers.get("sec-fetch-site")
    origin = request.headers.get("origin")
    if origin is not None and _is_listed(request, origin):
        return True
    if site is not None:
        return site == "same-origin"
    return None if origin is None else origin == f"{request.url.scheme}://{request.url.netloc}"
