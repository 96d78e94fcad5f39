"""Requests are small: a body that is not is refused before anything is made of it."""

from __future__ import annotations

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from beholden.model.errors import BeholdenError
from beholden.web.refuse import refusal
from beholden.web.same_origin import SAFE


class BodyLimit:
    """Reads the body of an unsafe request whole, up to ``limit`` bytes, and hands it on in one piece.

    Counting what arrives, not only trusting Content-Length: chunked bodies do not tell theirs.
    """

    def __init__(self, app: ASGIApp, limit: int) -> None:
        self._app = app
        self._limit = limit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] in SAFE:
            await self._app(scope, receive, send)
            return
        length = Headers(scope=scope).get("content-length", "0")
        too_large = not length.isdecimal() or len(length) > 12 or int(length) > self._limit
        body = None if too_large else await self._read(receive)
        if body is None:
            await refusal(_too_large())(scope, receive, send)
            return
        given = False

        async def replay() -> Message:
            nonlocal given
            if given:
                return await receive()
            given = True
            return {"type": "http.request", "body": body, "more_body": False}

        await self._app(scope, replay, send)

    async def _read(self, receive: Receive) -> bytes | None:
        parts: list[bytes] = []
        room = self._limit
        while True:
            message = await receive()
            if message["type"] != "http.request":
                return b"".join(parts)  # it has hung up; whoever reads on is told so
            part = message.get("body", b"")
            room -= len(part)
            if room < 0:
                return None
            parts.append(part)
            if not message.get("more_body", False):
                return b"".join(parts)


def _too_large() -> BeholdenError:
    return BeholdenError("too_large", "The request is too large.", "Send less at a time.")
