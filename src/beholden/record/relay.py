"""What others may hear of a stream while it is recorded."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from beholden.bus.messages import BusError, describe_format, encode_unit
from beholden.bus.server import Connection
from beholden.model.camera import StreamRole
from beholden.model.media import AccessUnit, StreamFormat, Track

# Room for the first GOP a new listener gets: smart codecs make GOPs of many seconds.
_REPLAY_BYTES = 12 * 1024 * 1024


class Relay:
    """One stream's listeners. ``replay`` gives the units since the newest keyframe when one joins;
    ``on_fast`` is told whether anybody watches live. All calls come from the ingest thread."""

    def __init__(
        self,
        camera: int,
        stream: StreamRole,
        replay: Callable[[], Iterable[AccessUnit]],
        on_fast: Callable[[bool], None],
    ) -> None:
        self._id = (camera, stream)
        self._replay = replay
        self._on_fast = on_fast
        self.listeners: dict[Connection, bool] = {}
        self._waiting: set[Connection] = set()  # for a keyframe
        self._format: StreamFormat | None = None
        self._fast = False

    def subscribe(self, connection: Connection, fast: bool) -> None:
        """Format and newest GOP at once, then what comes. Subscribing again only changes ``fast``."""
        known = connection in self.listeners
        self.listeners[connection] = fast
        self._tell_fast()
        if known:
            return
        self._waiting.add(connection)
        if self._format is None:
            return
        connection.send_json(describe_format(*self._id, self._format))
        for unit in self._replay():
            self._send(connection, unit, encode_unit(*self._id, unit), _REPLAY_BYTES)

    def unsubscribe(self, connection: Connection) -> None:
        """Stop, and unqueue what it has not read; nothing happens for one who did not listen."""
        if self.listeners.pop(connection, None) is None:
            return
        self._waiting.discard(connection)
        connection.forget(self._id)
        self._tell_fast()

    def set_format(self, stream_format: StreamFormat) -> None:
        """The tracks; listeners are told when they differ, and go on at the next keyframe."""
        if stream_format == self._format:
            return
        self._format = stream_format
        news = describe_format(*self._id, stream_format)
        for connection in list(self.listeners):
            connection.send_json(news)
            self._waiting.add(connection)

    def send(self, unit: AccessUnit) -> None:
        """One unit to all; encoded once, and only when somebody listens."""
        if not self.listeners:
            return
        try:
            frame = encode_unit(*self._id, unit)
        except BusError:
            return  # a picture of over 16 MiB is kept on disk and not relayed
        for connection in list(self.listeners):
            self._send(connection, unit, frame, 0)

    def _send(self, connection: Connection, unit: AccessUnit, frame: bytes, room: int) -> None:
        if connection in self._waiting:
            if not unit.key or unit.track is not Track.VIDEO:
                return
            self._waiting.discard(connection)
        connection.send_unit(self._id, unit.track, unit.key, frame, room)

    def _tell_fast(self) -> None:
        fast = any(self.listeners.values())
        if fast != self._fast:
            self._fast = fast
            self._on_fast(fast)
