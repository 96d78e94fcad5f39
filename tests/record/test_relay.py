"""Who listens to a stream gets whole GOPs from a keyframe on, and costs nothing when nobody does."""

from __future__ import annotations

from typing import Any, cast

from beholden.bus.server import Connection
from beholden.model.camera import StreamRole
from beholden.model.media import AccessUnit, StreamFormat, Track, VideoFormat
from beholden.record.relay import Relay

SETS = (bytes.fromhex("6764001facd9405005bb0110000003"), bytes.fromhex("68ebe3cb22c0"))
FORMAT = StreamFormat(VideoFormat("h264", 1280, 720, SETS))
OTHER = StreamFormat(VideoFormat("h264", 640, 360, SETS))


class Listener:
    """A connection that notes what it is sent."""

    def __init__(self) -> None:
        self.told: list[str] = []
        self.keys: list[bool] = []
        self.forgotten = 0

    def send_json(self, body: dict[str, Any]) -> None:
        self.told.append(f"{body['kind']} {body['video']['width']}")

    def send_unit(self, _stream: Any, _track: Track, key: bool, _frame: bytes, _room: int) -> None:
        self.keys.append(key)

    def forget(self, _stream: Any) -> None:
        self.forgotten += 1


class Rig:
    """A relay, what it replays, and how it wants to be read."""

    def __init__(self) -> None:
        self.recent: list[AccessUnit] = []
        self.fast: list[bool] = []
        self.relay = Relay(1, StreamRole.MAIN, lambda: self.recent, self.fast.append)

    def join(self, fast: bool = False) -> Listener:
        listener = Listener()
        self.relay.subscribe(cast(Connection, listener), fast)
        return listener

    def leave(self, listener: Listener) -> None:
        self.relay.unsubscribe(cast(Connection, listener))


def _picture(key: bool, size: int = 10) -> AccessUnit:
    return AccessUnit(Track.VIDEO, 90_000, key, (bytes(size),), size, 1000)


def test_a_listener_waits_for_a_keyframe_unless_one_is_at_hand() -> None:
    """With a GOP at hand it starts at once; without, what cannot be decoded is left out."""
    rig = Rig()
    rig.relay.send(_picture(True))
    rig.relay.set_format(FORMAT)
    early = rig.join()
    assert early.told == ["format 1280"]
    for key in (False, True, False):
        rig.relay.send(_picture(key))
    assert early.keys == [True, False]
    rig.recent = [_picture(True), _picture(False)]
    late = rig.join()
    rig.relay.send(_picture(False))
    assert late.keys == [True, False, False]


def test_a_new_format_is_told_and_waits_for_its_keyframe() -> None:
    """Pictures of two formats never follow each other; the same format again is no news."""
    rig = Rig()
    listener = rig.join()
    assert listener.told == []
    rig.relay.set_format(FORMAT)
    rig.relay.send(_picture(True))
    rig.relay.set_format(FORMAT)
    rig.relay.set_format(OTHER)
    rig.relay.send(_picture(False))
    rig.relay.send(_picture(True))
    assert listener.told == ["format 1280", "format 640"]
    assert listener.keys == [True, True]


def test_it_is_read_fast_while_somebody_watches() -> None:
    """One who watches is enough; changing one's mind counts; the last to leave ends it."""
    rig = Rig()
    rig.relay.set_format(FORMAT)
    one, other = rig.join(fast=True), rig.join()
    rig.relay.subscribe(cast(Connection, other), True)
    assert other.told == ["format 1280"], "asking again sends nothing again"
    rig.leave(one)
    assert rig.fast == [True]
    rig.leave(other)
    rig.leave(other)
    assert rig.fast == [True, False]
    assert (one.forgotten, other.forgotten) == (1, 1)
    assert not rig.relay.listeners
    rig.relay.send(_picture(True))
    assert other.keys == []


def test_a_picture_too_large_for_the_bus_is_left_out() -> None:
    """It is kept on disk; the listener goes on with the next."""
    rig = Rig()
    rig.relay.set_format(FORMAT)
    listener = rig.join()
    rig.relay.send(_picture(True, 17 * 1024 * 1024))
    rig.relay.send(_picture(True))
    assert listener.keys == [True]
