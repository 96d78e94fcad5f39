"""What handlers need, made once per app and found through the connection."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, ParamSpec, TypeVar, cast

from anyio import CapacityLimiter, to_thread
from fastapi import Depends
from starlette.requests import HTTPConnection

from beholden.access.door import Door, Pass
from beholden.access.refusal import NotPermittedError
from beholden.access.sessions import Sessions
from beholden.access.sign_in import SignIn
from beholden.access.viewer import Viewer
from beholden.catalog import Catalog
from beholden.catalog.secrets import SecretBox
from beholden.catalog.users import User, by_id
from beholden.model.camera import StreamAddress
from beholden.model.errors import BeholdenError
from beholden.model.time import Clock
from beholden.play.footage import Footage
from beholden.web.address import PublicAddress
from beholden.web.health import Health
from beholden.web.news import NewsDesk
from beholden.web.stats import StatsSource
from beholden.web.trial import Trial, Tried

VIEWER = "beholden.viewer"  # the key in an ASGI scope; only web.gate sets it
# Threads that read the catalog for the gate: their own, so that slow work elsewhere cannot shut it.
_GATE_THREADS = 6
_TRIALS_AT_ONCE = 2

P = ParamSpec("P")
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Context:
    """The parts of one web role. ``in_thread`` runs blocking catalog work without holding the loop."""

    data_dir: Path
    catalog: Catalog
    box: SecretBox
    clock: Clock
    door: Door
    sessions: Sessions
    sign_in: SignIn
    stats: StatsSource
    trial: Trial
    footage: Footage
    health: Health
    news: NewsDesk
    address: PublicAddress
    _threads: CapacityLimiter = field(default_factory=lambda: CapacityLimiter(_GATE_THREADS))
    _trials: CapacityLimiter = field(default_factory=lambda: CapacityLimiter(_TRIALS_AT_ONCE))

    async def in_thread(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run catalog work in a thread of its own small pool."""
        return await to_thread.run_sync(lambda: work(*args, **kwargs), limiter=self._threads)

    async def trial_in_thread(self, address: StreamAddress, leave: Pass) -> Tried:
        """Try a camera out; a few at once, in threads of their own, for each takes seconds."""
        return await to_thread.run_sync(
            self.trial.run, address, leave, limiter=self._trials, abandon_on_cancel=True
        )

    def user(self, viewer: Viewer) -> User:
        """The account as it is now, with its rights; NotPermittedError when it is gone. Blocks."""
        with self.catalog.read() as conn:
            user = by_id(conn, viewer.user_id)
        if user is None or user.disabled:
            raise NotPermittedError()
        return user


class NotSignedInError(BeholdenError):
    """There is no live session on this connection."""

    def __init__(self) -> None:
        super().__init__("not_signed_in", "You are not signed in.", "Sign in and try again.")


def context(connection: HTTPConnection) -> Context:
    """The context of the app a request or WebSocket came to."""
    return cast(Context, connection.app.state.context)


def viewer_or_none(connection: HTTPConnection) -> Viewer | None:
    """Who asks, when somebody is signed in. Only for the open routes."""
    return cast("Viewer | None", connection.scope.get(VIEWER))


def viewer(connection: HTTPConnection) -> Viewer:
    """Who asks; NotSignedInError when nobody does. A second lock behind the gate's."""
    found = viewer_or_none(connection)
    if found is None:
        raise NotSignedInError()
    return found


def admin(connection: HTTPConnection) -> Viewer:
    """Who asks, being an administrator; NotPermittedError otherwise."""
    found = viewer(connection)
    if not found.is_admin:
        raise NotPermittedError()
    return found


Ctx = Annotated[Context, Depends(context)]
Who = Annotated[Viewer, Depends(viewer)]
Admin = Annotated[Viewer, Depends(admin)]
Answer = dict[str, Any]
