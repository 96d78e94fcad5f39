"""What has changed, told to every open page: events, camera states, health.

The desk compares the catalog and the newest stats with what it told last, once a second and only while
somebody listens. There is one way a change becomes news, whoever made it.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import structlog
from anyio import CapacityLimiter, to_thread

from beholden.access import rights
from beholden.access.viewer import Viewer
from beholden.catalog import Catalog, cameras, events, users
from beholden.catalog.events import EventFilter, Reviewable
from beholden.model.errors import BeholdenError
from beholden.model.time import Clock
from beholden.web.camera_view import read_facts, show_camera
from beholden.web.event_view import show_event
from beholden.web.health import Health
from beholden.web.stats import StatsSource

log = structlog.get_logger()

EVERY_SECONDS = 1.0
QUEUE_MESSAGES = 200
# Events older than the newest few hundred change only by review; pages read those again themselves.
_EVENTS_WATCHED = 300

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class News:
    """One message. ``camera`` None concerns all; ``past`` needs the right to see the camera's past."""

    body: Json
    camera: int | None = None
    past: bool = False


@dataclass(eq=False, slots=True)
class Listener:
    """One open page. ``overrun`` is set when it did not read fast enough and has missed something."""

    viewer: Viewer
    queue: asyncio.Queue[str] = field(default_factory=lambda: asyncio.Queue(QUEUE_MESSAGES))
    overrun: bool = False

    def give(self, text: str) -> None:
        """Hand over one message, or note that there is no room."""
        try:
            self.queue.put_nowait(text)
        except asyncio.QueueFull:
            self.overrun = True


@dataclass(frozen=True, slots=True)
class _View:
    """What one round saw."""

    cameras: dict[int, Json]
    signatures: dict[int, str]
    events: dict[int, Reviewable]
    status: str
    may_see: dict[int, set[int]]  # by user
    may_see_past: dict[int, set[int]]


class NewsDesk:
    """Used from the event loop; its catalog work happens in a thread of its own."""

    def __init__(self, catalog: Catalog, stats: StatsSource, health: Health, clock: Clock) -> None:
        self._catalog = catalog
        self._stats = stats
        self._health = health
        self._clock = clock
        self._listeners: set[Listener] = set()
        self._last: _View | None = None
        self._round = asyncio.Lock()
        self._thread = CapacityLimiter(1)

    async def join(self, viewer: Viewer) -> Listener:
        """From now on this page is told what changes; what is now it reads itself, after this."""
        listener = Listener(viewer)
        if not self._listeners:
            async with self._round:
                self._last = await self._look({viewer.user_id})
        if self._last is not None:
            listener.give(_text({"kind": "health", "status": self._last.status}))
        self._listeners.add(listener)
        return listener

    def leave(self, listener: Listener) -> None:
        """The page is gone."""
        self._listeners.discard(listener)

    async def run(self) -> None:
        """Tell, until cancelled."""
        while True:
            await asyncio.sleep(EVERY_SECONDS)
            try:
                await self.tell()
            except BeholdenError as error:
                log.warning("news cannot be told", cause=str(error))

    async def tell(self) -> None:
        """One round."""
        if not self._listeners:
            self._last = None
            return
        async with self._round:
            view = await self._look({listener.viewer.user_id for listener in self._listeners})
            found = list(_differences(self._last, view)) if self._last is not None else []
            self._last = view
        for news in found:
            text = _text(news.body)
            for listener in self._listeners:
                if _may_hear(view, listener.viewer, news):
                    listener.give(text)

    async def _look(self, user_ids: set[int]) -> _View:
        return await to_thread.run_sync(self._look_now, user_ids, limiter=self._thread)

    def _look_now(self, user_ids: set[int]) -> _View:
        facts, snapshot, now = read_facts(self._catalog), self._stats.latest(), self._clock.now_ms()
        shown = {camera.id: show_camera(camera, facts, snapshot, now) for camera in facts.cameras}
        with self._catalog.read() as conn:
            recent = events.page(conn, EventFilter(), limit=_EVENTS_WATCHED)
            known = cameras.names(conn)
            found = [user for user in (users.by_id(conn, number) for number in user_ids) if user is not None]
        return _View(
            shown,
            {number: _signature(camera) for number, camera in shown.items()},
            {item.event.id: item for item in recent},
            self._health.report().status,
            {user.id: rights.visible(user, known) for user in found},
            {user.id: rights.visible(user, known, rights.PAST) for user in found},
        )


def _differences(before: _View, after: _View) -> Iterator[News]:
    newest = max(before.events, default=0)
    for number, item in sorted(after.events.items()):
        old = before.events.get(number)
        # One that is not among those of last time and not newer than all of them has only come back
        # into view because others were deleted.
        phase = _phase(old, item) if old is not None else ("start" if number > newest else None)
        if phase is not None:
            body = {"kind": "event", "phase": phase, "event": show_event(item)}
            yield News(body, item.event.camera, past=True)
    for number, camera in after.cameras.items():
        if before.signatures.get(number) != after.signatures[number]:
            yield News({"kind": "camera", "camera": camera}, number)
    if before.status != after.status:
        yield News({"kind": "health", "status": after.status})


def _phase(old: Reviewable, new: Reviewable) -> str | None:
    if old == new:
        return None
    return "end" if old.event.end_ms is None and new.event.end_ms is not None else "update"


def _may_hear(view: _View, viewer: Viewer, news: News) -> bool:
    if news.camera is None:
        return True
    allowed = view.may_see_past if news.past else view.may_see
    return news.camera in allowed.get(viewer.user_id, set())


def _signature(camera: Json) -> str:
    """What makes a camera's news: settings and states, not counters that move all the time."""
    state = {name: camera["state"][name] for name in ("state", "reason", "next_step")}
    streams = [
        {name: stream.get(name) for name in ("state", "reason", "codec", "width", "height")}
        for stream in camera["streams"].values()
        if stream is not None
    ]
    rest = {name: value for name, value in camera.items() if name not in ("state", "streams", "kept")}
    return _text({**rest, "state": state, "streams": streams})


def _text(body: Json) -> str:
    return json.dumps(body, separators=(",", ":"), ensure_ascii=False)
