"""The real parts of a web role put together: the app, footage and live view, and trials of cameras."""

from __future__ import annotations

import asyncio
from pathlib import Path

from fastapi import FastAPI

from beholden.bus.aio import AsyncBusClient
from beholden.bus.paths import socket_path
from beholden.catalog import Catalog, cameras
from beholden.catalog.secrets import SecretBox
from beholden.live.hub import Hub, RecorderBus
from beholden.play.conversions import Conversions
from beholden.play.spans import Spans
from beholden.play.workshop import ProcessWorkshop
from beholden.redact.stills import Stills
from beholden.web.app import create_app
from beholden.web.camera_trial import CameraTrial
from beholden.web.context import Context
from beholden.web.media import Media, privacy_masks


def compose(data_dir: Path, catalog: Catalog, box: SecretBox, *, public_url: str | None = None) -> FastAPI:
    """The app as it runs."""
    trial = CameraTrial(masks_of=lambda camera: privacy_masks(catalog, camera))
    app = create_app(data_dir, catalog=catalog, box=box, trial=trial, public_url=public_url)
    add_media(app, app.state.context)
    return app


def add_media(app: FastAPI, ctx: Context) -> None:
    """Put the addresses of footage and live view behind the gate of an app."""
    workshop, hiding = ProcessWorkshop(), ProcessWorkshop(waiting=200)  # a page of review shows many stills
    hub = make_hub(ctx)
    media = Media(
        ctx.catalog,
        ctx.door,
        ctx.clock,
        ctx.footage,
        Spans(ctx.footage, ctx.clock),
        workshop,
        Conversions(workshop),
        hub,
        ctx.data_dir / "stills",
        Stills(workshop, hiding),
    )
    app.router.routes.extend(media.routes())
    app.state.closing += [hub.close, workshop.close, hiding.close]


def make_hub(ctx: Context) -> Hub:
    """Live view from the recorder shards of this data directory."""

    async def connect(shard: int) -> RecorderBus:
        return await AsyncBusClient(socket_path(ctx.data_dir, f"recorder-{shard}")).connect()

    def shard_now(camera: int) -> int:
        with ctx.catalog.read() as conn:
            return cameras.get(conn, None, camera).shard

    async def shard_of(camera: int) -> int:
        return await asyncio.to_thread(shard_now, camera)

    return Hub(connect, shard_of)
