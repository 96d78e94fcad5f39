"""``/ws/events``: news for one open page."""

from __future__ import annotations

import asyncio
import contextlib

from starlette.routing import WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

from beholden.web.context import context, viewer
from beholden.web.news import Listener

TRY_AGAIN = 1013


async def events_socket(websocket: WebSocket) -> None:
    """Send news until the page goes. One that does not read is closed and may come back."""
    ctx = context(websocket)
    listener = await ctx.news.join(viewer(websocket))
    try:
        await websocket.accept()
        reading = asyncio.create_task(_until_gone(websocket))
        sending = asyncio.create_task(_send_all(websocket, listener))
        _, pending = await asyncio.wait({reading, sending}, return_when=asyncio.FIRST_COMPLETED)
        for task in pending:
            task.cancel()
        for task in (reading, sending):
            with contextlib.suppress(asyncio.CancelledError, WebSocketDisconnect, RuntimeError):
                await task
    finally:
        ctx.news.leave(listener)


async def _until_gone(websocket: WebSocket) -> None:
    """Pages have nothing to say here; what they send is read and forgotten."""
    while (await websocket.receive())["type"] != "websocket.disconnect":
        pass


async def _send_all(websocket: WebSocket, listener: Listener) -> None:
    while not listener.overrun:
        await websocket.send_text(await listener.queue.get())
    await websocket.close(TRY_AGAIN)


routes = [WebSocketRoute("/ws/events", events_socket)]
