"""Requests made by other sites' pages are refused, whatever cookie comes with them.

Three checks: the Host must be ours (DNS rebinding), fetch metadata and Origin must not tell of another
site (CSRF, also from another port of the same host, which shares cookies), and bodies must be JSON.
"""

from __future__ import annotations

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from beholden.model.errors import BeholdenError
from beholden.web.address import PublicAddress, same_origin
from beholden.web.refuse import refusal

SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
RESERVED = ("/api", "/media", "/ws", "/healthz")


def is_reserved(path: str) -> bool:
    """Whether a path belongs to the API, footage or sockets, and never to a page."""
    return any(path == prefix or path.startswith(f"{prefix}/") for prefix in RESERVED)


class SameOrigin:
    """Pure ASGI, before the gate."""

    def __init__(self, app: ASGIApp, address: PublicAddress) -> None:
        self._app = app
        self._address = address

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        error = self._objection(scope)
        if error is None:
            await self._app(scope, receive, send)
        elif scope["type"] == "websocket":
            # Before the handshake: a page of another site learns nothing, not even a close code.
            await send({"type": "websocket.close", "code": 1008, "reason": ""})
        else:
            await refusal(error)(scope, receive, send)

    def _objection(self, scope: Scope) -> BeholdenError | None:
        headers = Headers(scope=scope)
        host = headers.get("host", "")
        if not self._address.is_ours(host):
            return _wrong_host()
        if scope["type"] == "websocket":
            return _cross_site() if _other_origin(headers, host) else None
        unsafe = scope["method"] not in SAFE
        if unsafe and (_other_origin(headers, host) or not _own_fetch(headers)):
            return _cross_site()
        if is_reserved(scope["path"]) and not _own_fetch(headers):
            # Reading footage is an act that is recorded: another site's page may not cause it either.
            return _cross_site()
        if unsafe and not _is_json(scope["method"], headers):
            return BeholdenError(
                "not_json", "The request is not JSON.", "Send it with Content-Type: application/json."
            )
        return None


def _other_origin(headers: Headers, host: str) -> bool:
    origins = headers.getlist("origin")
    return any(not same_origin(origin, host) for origin in origins)


def _own_fetch(headers: Headers) -> bool:
    """Browsers say where a request was made (W3C Fetch Metadata); scripts say nothing."""
    return headers.get("sec-fetch-site", "none") in ("same-origin", "none")


def _is_json(method: str, headers: Headers) -> bool:
    kind = headers.get("content-type")
    if kind is None:
        return method == "DELETE" and headers.get("content-length", "0") == "0"
    return kind.partition(";")[0].strip().lower() == "application/json"


def _cross_site() -> BeholdenError:
    return BeholdenError(
        "cross_site", "This request was made by a page of another site.", "Use Beholden's own pages."
    )


def _wrong_host() -> BeholdenError:
    return BeholdenError(
        "wrong_host",
        "This site is not known under the name in the address.",
        "Open it by its IP address, or start it with that name as public_url.",
    )
