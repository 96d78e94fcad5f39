"""Over the real routes: the look is in the catalog before the first byte of footage is sent."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient
from starlette.types import Message, Receive, Scope, Send

from beholden.catalog import events, looks, segments, volumes
from beholden.catalog.segments import MediaFormat, Segment
from beholden.model.camera import StreamRole
from beholden.model.segment import FragmentEntry, FragmentFlag, SegmentKey, pack_fragments
from beholden.store.volume import Volume
from beholden.web.app import create_app
from beholden.web.compose import add_media
from beholden.web.media import event_still_path

BYTES = b"init" + bytes(range(256)) * 40


@dataclass
class Spy:
    """Notes how many looks there are when an answer begins and when its first bytes leave."""

    site: Any
    app: Any
    seen: list[tuple[str, int]] = field(default_factory=list)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def watching(message: Message) -> None:
            if scope["type"] == "http" and scope["path"].startswith("/media/"):
                self.seen.append((message["type"], len(rows(self.site))))
            await send(message)

        await self.app(scope, receive, watching)


def rows(site: Any) -> list[looks.Look]:
    """All looks, oldest first."""
    with site.catalog.read() as conn:
        return looks.page(conn)[::-1]


@pytest.fixture
def footage(site: Any, tmp_path: Path) -> dict[str, str]:
    """One recorded file and one event still of each camera; addresses by name."""
    now = site.clock.now_ms()
    volume = Volume.create(tmp_path / "footage")
    with site.catalog.write() as conn:
        number = volumes.add(conn, now, volume.uuid, str(volume.path))
    found = {}
    for name in ("gate", "yard"):
        camera = getattr(site, name)
        key = SegmentKey(camera, StreamRole.MAIN, now - 60_000, 0)
        path = volume.path_of(key)
        path.parent.mkdir(parents=True)
        path.write_bytes(BYTES)
        record(site, key, number)
        found[f"{name} file"] = f"/media/segments/{camera}/main/{key.start_ms}-0.mp4"
        found[f"{name} still"] = f"/media/events/{still(site, name)}/still.jpg"
    return found


def record(site: Any, key: SegmentKey, volume: int) -> None:
    """Index a file of one fragment."""
    entry = FragmentEntry(len(BYTES) - 4, 90_000, 25, FragmentFlag.KEY)
    media = MediaFormat(0, b"init", "h264", "avc1.640028", 320, 180, None, None, None)
    with site.catalog.write() as conn:
        number = segments.format_id(conn, media)
        blob = pack_fragments([entry])
        row = Segment(key, key.start_ms + 1000, len(BYTES), volume, number, False, b"\0" * 32, blob)
        segments.close_segment(conn, site.clock.now_ms(), row)


def still(site: Any, name: str) -> int:
    """Store a picture for the camera's event."""
    number: int = getattr(site, f"{name}_event")
    with site.catalog.write() as conn:
        events.update_event(conn, number, still_size=3)
        item = events.get(conn, number)
    assert item is not None
    path = event_still_path(site.directory / "stills", item.event)
    path.parent.mkdir(parents=True)
    path.write_bytes(b"jpg")
    return number


@pytest.fixture
def spy(site: Any, footage: dict[str, str]) -> Spy:
    """The whole app, made when the footage was there, watched from outside."""
    app = create_app(
        site.directory, catalog=site.catalog, box=site.box, trial=site.trial, clock=site.clock,
        stats=site.stats, passwords=site.passwords,
    )  # fmt: skip
    add_media(app, app.state.context)
    return Spy(site, app)


def browser(spy: Spy, name: str) -> TestClient:
    """Somebody signed in, in front of the spy."""
    client = TestClient(spy, base_url="http://127.0.0.1:8484")
    client.cookies.update(spy.site.client(name).cookies)
    return client


@pytest.mark.parametrize("what", ["file", "still"])
def test_the_look_comes_before_the_first_byte(spy: Spy, footage: dict[str, str], what: str) -> None:
    """When the answer begins, the catalog has the look already."""
    answer = browser(spy, "viewer").get(footage[f"gate {what}"])
    assert (answer.status_code, answer.content) == (200, BYTES if what == "file" else b"jpg")
    assert spy.seen[0] == ("http.response.start", 1)
    look = rows(spy.site)[0]
    assert (look.user_name, look.camera, look.action.value) == (
        "viewer", spy.site.gate, "playback" if what == "file" else "still",
    )  # fmt: skip


def test_many_ranges_of_one_file_are_one_look(spy: Spy, footage: dict[str, str]) -> None:
    """As a player reads; ten minutes later it is another."""
    client = browser(spy, "viewer")
    for start in range(0, 5000, 1000):
        answer = client.get(footage["gate file"], headers={"Range": f"bytes={start}-{start + 999}"})
        assert (answer.status_code, answer.content) == (206, BYTES[start : start + 1000])
    assert len(rows(spy.site)) == 1
    spy.site.clock.advance(600)
    client.get(footage["gate file"], headers={"Range": "bytes=0-9"})
    assert len(rows(spy.site)) == 2


@pytest.mark.parametrize("what", ["file", "still"])
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_footage_of_a_camera_one_may_not_see_stays(
    spy: Spy, footage: dict[str, str], what: str, method: str
) -> None:
    """The classes of CVE-2026-33470 and GHSA-74x4-gw64-2mq5: knowing an address opens nothing."""
    answer = browser(spy, "viewer").request(method, footage[f"yard {what}"], headers={"Range": "bytes=0-9"})
    assert answer.status_code in (403, 404)
    assert b"jpg" not in answer.content
    assert BYTES[:4] not in answer.content
    assert rows(spy.site) == []


def test_when_no_look_can_be_written_nothing_is_shown(spy: Spy, footage: dict[str, str]) -> None:
    """A full disk under the catalog stops viewing, not recording."""
    client = browser(spy, "viewer")
    with spy.site.catalog.write() as conn:
        conn.exec_driver_sql("CREATE TRIGGER full BEFORE INSERT ON look BEGIN SELECT RAISE(ABORT, 'x'); END")
    answer = client.get(footage["gate file"])
    assert answer.status_code >= 500
    assert b"init" not in answer.content


@pytest.mark.parametrize(
    "name",
    [
        "../../../secret.key",
        "..%2f..%2fsecret.key",
        "1-0/../../x",
        "1-0%00",
        "-1-0",
        "1-",
        "x-0",
        "9" * 40 + "-0",
    ],
)
def test_names_of_files_are_keys_not_paths(spy: Spy, name: str) -> None:
    """What is not a key is not there; nothing of the request becomes a path."""
    answer = browser(spy, "admin").get(f"/media/segments/{spy.site.gate}/main/{name}.mp4")
    assert answer.status_code in (404, 422)
    assert rows(spy.site) == []
