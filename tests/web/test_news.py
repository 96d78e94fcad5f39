"""``/ws/events``: what changed, to those who may know, bounded for those who do not read."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from beholden.access.viewer import Viewer
from beholden.catalog import events, users
from beholden.model.access import Role
from beholden.model.event import Box, ObjectClass
from beholden.web.context import Context
from beholden.web.news import QUEUE_MESSAGES, Listener
from beholden.web.stats import Snapshot


def desk(site: Any) -> Context:
    """The app's parts."""
    ctx: Context = site.app.state.context
    return ctx


def viewer(site: Any, name: str) -> Viewer:
    """Somebody listening."""
    role = Role.ADMIN if name == "admin" else Role.VIEWER
    return Viewer(getattr(site, name), name, role, 1, "192.0.2.1")


def heard(listener: Listener) -> list[dict[str, Any]]:
    """What has been told so far, taken."""
    found = []
    while not listener.queue.empty():
        found.append(json.loads(listener.queue.get_nowait()))
    return found


def start(site: Any, camera: int) -> int:
    """A new event."""
    now = site.clock.now_ms()
    with site.catalog.write() as conn:
        return events.start_event(conn, camera, ObjectClass.BUS, now, 0.5, Box(0, 0, 1, 1), now)


async def test_an_event_is_told_from_start_to_end(site: Any) -> None:
    """Start, update, end, each once, in the shape of the API."""
    news = desk(site).news
    listener = await news.join(viewer(site, "admin"))
    assert [message["kind"] for message in heard(listener)] == ["health"]
    number = start(site, site.gate)
    await news.tell()
    with site.catalog.write() as conn:
        events.update_event(conn, number, score=0.9, still_size=10)
    await news.tell()
    await news.tell()
    with site.catalog.write() as conn:
        events.end_event(conn, number, site.clock.now_ms() + 1000)
    await news.tell()
    told = heard(listener)
    assert [(message["phase"], message["event"]["id"]) for message in told] == [
        ("start", number), ("update", number), ("end", number),
    ]  # fmt: skip
    assert told[1]["event"]["has_still"]
    assert set(told[0]["event"]) >= {"id", "camera", "kind", "start", "end", "score", "box", "reviewed"}


async def test_nobody_hears_of_cameras_they_may_not_see(site: Any) -> None:
    """Neither events nor states; a right taken away silences at the next round."""
    news = desk(site).news
    listener = await news.join(viewer(site, "viewer"))
    heard(listener)
    start(site, site.yard)
    site.stats.snapshot = Snapshot({}, {0: {}})
    await news.tell()
    assert {message["camera"]["id"] for message in heard(listener) if message["kind"] == "camera"} == {
        site.gate
    }
    with site.catalog.write() as conn:
        users.set_grants(conn, site.viewer, frozenset())
    start(site, site.gate)
    site.stats.snapshot = Snapshot()
    await news.tell()
    assert heard(listener) == []


async def test_counters_that_move_all_the_time_are_no_news(site: Any) -> None:
    """Due and bytes change every second; only states and settings are told."""
    row = {"camera": site.gate, "stream": "main", "state": "live", "since_ms": 1, "last_fragment_ms": 1}
    site.stats.snapshot = Snapshot({(site.gate, "main"): row}, {0: {}})
    news = desk(site).news
    listener = await news.join(viewer(site, "admin"))
    heard(listener)
    site.stats.snapshot = Snapshot({(site.gate, "main"): {**row, "last_fragment_ms": 2, "kbps": 9}}, {0: {}})
    site.clock.advance(10)
    await news.tell()
    assert [message["kind"] for message in heard(listener) if message["kind"] == "camera"] == []
    site.stats.snapshot = Snapshot({(site.gate, "main"): {**row, "state": "offline"}}, {0: {}})
    await news.tell()
    told = [message for message in heard(listener) if message["kind"] == "camera"]
    assert [(message["camera"]["id"], message["camera"]["state"]["state"]) for message in told] == [
        (site.gate, "offline")
    ]


async def test_one_who_does_not_read_is_marked_and_others_go_on(site: Any) -> None:
    """A bounded queue each; the slow page is closed and comes back, memory does not grow."""
    slow, quick = Listener(viewer(site, "admin")), Listener(viewer(site, "admin"))
    for number in range(QUEUE_MESSAGES + 5):
        slow.give(str(number))
        quick.give(str(number))
        quick.queue.get_nowait()
    assert slow.overrun
    assert slow.queue.qsize() == QUEUE_MESSAGES
    assert not quick.overrun


async def test_nothing_is_read_while_nobody_listens(site: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """And the first listener is not told of what was before."""
    news = desk(site).news
    monkeypatch.setattr(news, "_look", lambda _: pytest.fail("read the catalog for nobody"))
    await news.tell()
    monkeypatch.undo()
    start(site, site.gate)
    listener = await news.join(viewer(site, "admin"))
    await news.tell()
    assert [message["kind"] for message in heard(listener)] == ["health"]
    news.leave(listener)


async def test_joining_and_telling_at_once_do_not_collide(site: Any) -> None:
    """Rounds come one after another."""
    news = desk(site).news
    joined = await asyncio.gather(*(news.join(viewer(site, "admin")) for _ in range(5)), news.tell())
    start(site, site.gate)
    await news.tell()
    for listener in joined[:-1]:
        assert "event" in {message["kind"] for message in heard(listener)}


def test_the_socket_tells_what_happens(site: Any) -> None:
    """Through the whole app: an event reaches an open page."""
    with site.client("viewer") as client, site.socket(client, "/ws/events") as socket:
        assert socket.receive_json()["kind"] == "health"
        start(site, site.yard)
        number = start(site, site.gate)
        message = socket.receive_json()
        assert (message["kind"], message["phase"], message["event"]["id"]) == ("event", "start", number)
        socket.send_text("pages may say anything; nobody minds")
