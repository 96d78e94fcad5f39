"""The live WebSocket: who may, and for how long; ``live.session`` does the rest."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Coroutine
from typing import Any

import structlog
from anyio import to_thread
from starlette.websockets import WebSocket, WebSocketDisconnect

from beholden.access.door import Pass
from beholden.access.refusal import NotPermittedError
from beholden.catalog import cameras
from beholden.live.choice import Prefer
from beholden.live.hub import Hub
from beholden.live.session import LiveSession, Wish
from beholden.model.access import Action
from beholden.model.camera import StreamRole
from beholden.model.errors import BeholdenError
from beholden.play.ability import Ability
from beholden.web.context import Context, context, viewer

log = structlog.get_logger()

FORBIDDEN, NO_CAMERA, TRY_LATER = 4403, 4404, 1013
_RECHECK_SECONDS = 5.0


async def serve_live(websocket: WebSocket, hub: Hub) -> None:
    """Serve one viewer until they go, or may not watch any more."""
    ctx, camera = context(websocket), int(websocket.path_params["camera"])
    await websocket.accept()
    prefer: Prefer = "sub" if websocket.query_params.get("prefer") == "sub" else "main"
    ability = Ability.parse(websocket.query_params.get("codecs"))
    try:
        leave = await _open(ctx, websocket, camera)
        streams = await to_thread.run_sync(_streams, ctx, camera)
    except NotPermittedError as error:
        await websocket.close(FORBIDDEN, error.message)
        return
    except BeholdenError as error:  # no such camera, or it was removed
        await websocket.close(NO_CAMERA, error.message)
        return
    wish = Wish(camera, ability, prefer, streams)
    session = LiveSession(hub, ctx.clock, websocket, wish, lambda stream: _state(ctx, camera, stream))
    code, reason = await _until_over(session.run(leave), _hold(ctx, leave), _until_gone(websocket))
    if code:
        with contextlib.suppress(RuntimeError, OSError, WebSocketDisconnect):
            await websocket.close(code, reason)


def _streams(ctx: Context, camera: int) -> frozenset[StreamRole]:
    with ctx.catalog.read() as conn:
        config = cameras.get(conn, None, camera)
    return frozenset(role for role in StreamRole if config.address(role) is not None)


async def _open(ctx: Context, websocket: WebSocket, camera: int) -> Pass:
    who, now = viewer(websocket), ctx.clock.now_ms()
    return await to_thread.run_sync(ctx.door.open, who, camera, Action.LIVE, now, None, "live view")


async def _until_over(*works: Coroutine[Any, Any, None]) -> tuple[int, str]:
    """Run side by side until the first ends; the close code and words for that (0: they have gone)."""
    tasks = [asyncio.create_task(work) for work in works]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    except NotPermittedError as error:
        return FORBIDDEN, error.message
    except BeholdenError as error:
        log.info("live view refused", code=error.code, cause=error.message)
        return TRY_LATER, str(error)[:120]
    except (WebSocketDisconnect, OSError, RuntimeError):
        return 0, ""  # a send to a socket that has gone
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    return 0, ""


async def _hold(ctx: Context, leave: Pass) -> None:
    """Until the right is gone."""
    held = True
    while held:
        await asyncio.sleep(_RECHECK_SECONDS)
        held = await to_thread.run_sync(ctx.door.holds, leave)
    raise NotPermittedError("Your account may not see this any more.")


async def _until_gone(websocket: WebSocket) -> None:
    while (await websocket.receive())["type"] != "websocket.disconnect":
        pass


def _state(ctx: Context, camera: int, stream: StreamRole) -> dict[str, object] | None:
    row = ctx.stats.latest().streams.get((camera, stream.name.lower()))
    return dict(row) if row is not None else None
