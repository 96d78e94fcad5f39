"""The web app, put together."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

from anyio import to_thread
from fastapi import APIRouter, FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.routing import BaseRoute

import beholden
from beholden.access.door import Door
from beholden.access.passwords import Passwords
from beholden.access.sessions import Sessions
from beholden.access.sign_in import SignIn
from beholden.access.throttle import Throttle
from beholden.catalog import Catalog, cameras
from beholden.catalog.secrets import SecretBox
from beholden.model.errors import BeholdenError
from beholden.model.time import Clock, SystemClock
from beholden.play.footage import Footage
from beholden.web import events, refuse, spa
from beholden.web.address import PublicAddress
from beholden.web.api import backtests as backtests_api
from beholden.web.api import cameras as cameras_api
from beholden.web.api import counts as counts_api
from beholden.web.api import events as events_api
from beholden.web.api import health as health_api
from beholden.web.api import holds as holds_api
from beholden.web.api import looks as looks_api
from beholden.web.api import motion as motion_api
from beholden.web.api import places as places_api
from beholden.web.api import playback as playback_api
from beholden.web.api import rules as rules_api
from beholden.web.api import session as session_api
from beholden.web.api import site as site_api
from beholden.web.api import site_mode as site_mode_api
from beholden.web.api import timeline as timeline_api
from beholden.web.api import verdicts as verdicts_api
from beholden.web.api import volumes as volumes_api
from beholden.web.body_limit import BodyLimit
from beholden.web.context import Context
from beholden.web.gate import Gate
from beholden.web.headers import SecurityHeaders
from beholden.web.health import Health
from beholden.web.news import NewsDesk
from beholden.web.same_origin import SameOrigin
from beholden.web.stats import BusStats, StatsSource
from beholden.web.trial import Trial
from beholden.web.volumes import KnownVolumes

MAX_BODY_BYTES = 256 * 1024
# Handlers that read the catalog: as many as it has connections.
_HANDLER_THREADS = 10
_NOUNS = (
    session_api, site_api, cameras_api, timeline_api, playback_api, events_api, health_api, looks_api,
    holds_api, volumes_api, motion_api,
    site_mode_api, places_api, rules_api, verdicts_api, counts_api, backtests_api,
)  # fmt: skip
# FastAPI can export traces; a privacy product must not, whatever the environment says.
_NO_TELEMETRY = {"auto_configure": False, "tracing": False, "metrics": False, "logs": False}


def create_app(
    data_dir: Path,
    *,
    catalog: Catalog,
    box: SecretBox,
    trial: Trial,
    clock: Clock | None = None,
    stats: StatsSource | None = None,
    passwords: Passwords | None = None,
    footage: Footage | None = None,
    public_url: str | None = None,
    static: Path = spa.STATIC,
    routes: Sequence[BaseRoute] = (),
) -> FastAPI:
    """The app over an opened catalog. ``routes`` are further ones behind the gate (footage, live).

    ``app.state.context`` is the Context that handlers find with ``web.context.context(request)``.
    """
    ctx = make_context(
        data_dir,
        catalog=catalog,
        box=box,
        trial=trial,
        clock=clock or SystemClock(),
        stats=stats,
        passwords=passwords,
        footage=footage,
        public_url=public_url,
    )
    app = FastAPI(
        title="Beholden",
        version=beholden.__version__,
        telemetry=_NO_TELEMETRY,  # type: ignore[arg-type]
        openapi_url="/api/v1/openapi.json",
        docs_url=None,  # the stock page loads from elsewhere
        redoc_url=None,
        swagger_ui_oauth2_redirect_url=None,
        redirect_slashes=False,
        lifespan=_lifespan,
        middleware=_layers(ctx, static),
        exception_handlers={
            BeholdenError: refuse.on_beholden_error,
            HTTPException: refuse.on_http_exception,
            RequestValidationError: refuse.on_bad_request,
        },
    )
    app.state.context = ctx
    app.state.closing = []  # awaitable functions to call when the app stops, put there by who adds routes
    api = APIRouter(prefix="/api/v1")
    for noun in _NOUNS:
        api.include_router(noun.router)
    app.include_router(api)
    app.include_router(health_api.open_router)
    app.router.routes.extend([*events.routes, *routes])
    return app


def make_context(
    data_dir: Path,
    *,
    catalog: Catalog,
    box: SecretBox,
    trial: Trial,
    clock: Clock,
    stats: StatsSource | None,
    passwords: Passwords | None,
    footage: Footage | None,
    public_url: str | None,
) -> Context:
    """The parts, each made once."""
    stats = stats or BusStats(data_dir, lambda: _shards(catalog))
    sessions = Sessions(catalog, clock)
    health = Health(data_dir, catalog, stats, clock)
    return Context(
        data_dir=data_dir,
        catalog=catalog,
        box=box,
        clock=clock,
        door=Door(catalog, clock),
        sessions=sessions,
        sign_in=SignIn(catalog, clock, sessions, passwords or Passwords(), Throttle(clock)),
        stats=stats,
        trial=trial,
        footage=footage or Footage(catalog, KnownVolumes(catalog)),
        health=health,
        news=NewsDesk(catalog, stats, health, clock),
        address=PublicAddress.of(public_url),
    )


def _layers(ctx: Context, static: Path) -> list[Middleware]:
    """Outermost first. Pure ASGI, so that footage streams through untouched."""
    return [
        Middleware(SecurityHeaders, address=ctx.address),
        Middleware(refuse.ErrorBoundary),
        Middleware(SameOrigin, address=ctx.address),
        Middleware(Gate, context=ctx, pages=spa.Pages(static)),
        Middleware(BodyLimit, limit=MAX_BODY_BYTES),
    ]


@contextlib.asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    ctx: Context = app.state.context
    to_thread.current_default_thread_limiter().total_tokens = _HANDLER_THREADS
    tasks = [asyncio.create_task(ctx.stats.run()), asyncio.create_task(ctx.news.run())]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for close in app.state.closing:
            await close()


def _shards(catalog: Catalog) -> list[int]:
    with catalog.read() as conn:
        return cameras.shards(conn)
