"""The gate: nothing behind it is reached without a live session, except four open things.

Open are the pages (static files that hold no data), ``/healthz``, and asking for or making a session.
Paths outside ``/api``, ``/media`` and ``/ws`` never reach the router at all, so a route added there by
mistake is not open but absent.
"""

from __future__ import annotations

import asyncio
import contextlib

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from beholden.access.viewer import Viewer
from beholden.model.errors import BeholdenError
from beholden.web.address import client_ip
from beholden.web.context import VIEWER, Context, NotSignedInError
from beholden.web.cookie import read_token
from beholden.web.number import names_nothing
from beholden.web.refuse import refusal
from beholden.web.same_origin import is_reserved

OPEN = frozenset(
    {("GET", "/healthz"), ("HEAD", "/healthz"), ("GET", "/api/v1/session"), ("POST", "/api/v1/session")}
)
NOT_SIGNED_IN = 4401
RECHECK_SECONDS = 2.0
_GRACE_SECONDS = 2.0


class Gate:
    """Pure ASGI. ``pages`` serves what is open outside the reserved paths."""

    def __init__(self, app: ASGIApp, context: Context, pages: ASGIApp) -> None:
        self._app = app
        self._context = context
        self._pages = pages

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            await self._http(scope, receive, send)
        elif scope["type"] == "websocket":
            await self._websocket(scope, receive, send)
        else:
            await self._app(scope, receive, send)

    async def _http(self, scope: Scope, receive: Receive, send: Send) -> None:
        if not is_reserved(scope["path"]):
            await self._pages(scope, receive, send)
            return
        is_open = (scope["method"], scope["path"]) in OPEN
        # A broken catalog must not silence /healthz, so it is not asked there.
        scope[VIEWER] = None if scope["path"] == "/healthz" else await self._viewer(scope)
        if not is_open and scope[VIEWER] is None:
            await refusal(NotSignedInError())(scope, receive, send)
        elif names_nothing(scope["path"]):
            nothing = BeholdenError("not_found", "There is nothing at this address.")
            await refusal(nothing)(scope, receive, send)
        else:
            await self._app(scope, receive, send)

    async def _websocket(self, scope: Scope, receive: Receive, send: Send) -> None:
        viewer = await self._viewer(scope)
        if viewer is None:
            await receive()
            await send({"type": "websocket.accept"})  # only an accepted socket can be told why it is closed
            await send({"type": "websocket.close", "code": NOT_SIGNED_IN, "reason": "not signed in"})
            return
        scope[VIEWER] = viewer
        await _Watched(self._context, viewer, receive, send).run(self._app, scope)

    async def _viewer(self, scope: Scope) -> Viewer | None:
        token = read_token(scope, self._context.address.is_secure(scope))
        if not token:
            return None
        return await self._context.in_thread(self._context.sessions.find, token, client_ip(scope))


class _Watched:
    """A WebSocket that ends within seconds of its session, whatever its handler is doing."""

    def __init__(self, context: Context, viewer: Viewer, receive: Receive, send: Send) -> None:
        self._context = context
        self._viewer = viewer
        self._receive = receive
        self._send = send
        self._ended = asyncio.Event()
        self._closed = False

    async def run(self, app: ASGIApp, scope: Scope) -> None:
        handler = asyncio.create_task(self._handle(app, scope))
        watch = asyncio.create_task(self._watch())
        try:
            await asyncio.wait({handler, watch}, return_when=asyncio.FIRST_COMPLETED)
            if not handler.done():
                await self._close()
                await asyncio.wait({handler}, timeout=_GRACE_SECONDS)
        finally:
            watch.cancel()
            handler.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await watch
            with contextlib.suppress(asyncio.CancelledError):
                await handler

    async def _handle(self, app: ASGIApp, scope: Scope) -> None:
        await app(scope, self._guarded_receive, self._guarded_send)

    async def _watch(self) -> None:
        """Returns when the session has ended; other processes may end it, so it is asked for again."""
        while True:
            if not await self._context.in_thread(self._context.sessions.lives, self._viewer):
                return
            await asyncio.sleep(RECHECK_SECONDS)

    async def _close(self) -> None:
        self._ended.set()
        if not self._closed:
            self._closed = True
            with contextlib.suppress(OSError, RuntimeError):  # it may be gone already
                await self._send(
                    {"type": "websocket.close", "code": NOT_SIGNED_IN, "reason": "session ended"}
                )

    async def _guarded_send(self, message: Message) -> None:
        if self._ended.is_set():
            raise OSError("the session has ended")  # what ASGI asks of a send after the close
        if message["type"] == "websocket.close":
            self._closed = True
        await self._send(message)

    async def _guarded_receive(self) -> Message:
        if not self._ended.is_set():
            incoming = asyncio.ensure_future(self._receive())
            ended = asyncio.ensure_future(self._ended.wait())
            try:
                await asyncio.wait({incoming, ended}, return_when=asyncio.FIRST_COMPLETED)
                if incoming.done():
                    return incoming.result()
            finally:
                incoming.cancel()
                ended.cancel()
        return {"type": "websocket.disconnect", "code": NOT_SIGNED_IN}
