"""The serving side of the bus: non-blocking, inside somebody's loop, bounded for each who listens."""

from __future__ import annotations

import contextlib
import errno
import os
import socket
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import structlog

from beholden.bus.messages import BusError, FrameDecoder, JsonMessage, encode_json, error_answer
from beholden.model.camera import StreamRole
from beholden.model.errors import BeholdenError
from beholden.model.media import Track

log = structlog.get_logger()

DEFAULT_QUEUE_BYTES = 4 * 1024 * 1024
# Answers and news are small; one who lets this much of them pile up has stopped reading for good.
_JSON_ALLOWANCE = 4 * 1024 * 1024
_READ_BYTES = 65536
_BUFFERS_PER_WRITE = 64

StreamId = tuple[int, StreamRole]


class Loop(Protocol):
    """What a server needs of the loop it lives in (asyncio's loop has the same four)."""

    def add_reader(self, fd: int, callback: Callable[[], None], /) -> object:
        """Call when the descriptor can be read."""
        ...

    def remove_reader(self, fd: int, /) -> object:
        """Stop doing so."""
        ...

    def add_writer(self, fd: int, callback: Callable[[], None], /) -> object:
        """Call while the descriptor can be written."""
        ...

    def remove_writer(self, fd: int, /) -> object:
        """Stop doing so."""
        ...


@dataclass(slots=True)
class _Queued:
    """One frame to send; ``stream`` is None for JSON, which is never dropped."""

    frame: bytes
    stream: StreamId | None
    picture: bool


class Connection:
    """One client. Frames queue up in bounded memory and leave when the loop finds room.

    When a frame of a stream does not fit any more, what is queued of that stream goes, and the
    stream goes on at its next keyframe after ``dropped`` news. All calls belong to the loop's thread.
    """

    def __init__(self, server: BusServer, peer: socket.socket, limit: int) -> None:
        self._server = server
        self._socket = peer
        self._fd = peer.fileno()
        self._decoder = FrameDecoder()
        self._queue: deque[_Queued] = deque()
        self._queued_bytes = 0
        self._json_bytes = 0
        self._sent_of_first = 0
        self._limit = limit
        self._dropped: dict[StreamId, int] = {}
        self._writing = False
        self.closed = False

    @property
    def queued_bytes(self) -> int:
        """Bytes waiting to be read by the client."""
        return self._queued_bytes + self._json_bytes

    def send_json(self, body: Mapping[str, Any]) -> None:
        """Queue an answer or news; a client that lets 4 MiB of them wait is disconnected."""
        if self.closed:
            return
        frame = encode_json(body)
        if self._json_bytes + len(frame) > _JSON_ALLOWANCE:
            self.close("it stopped reading")
            return
        self._json_bytes += len(frame)
        self._push(_Queued(frame, None, False))

    def send_unit(self, stream: StreamId, track: Track, key: bool, frame: bytes, room: int = 0) -> bool:
        """Queue an encoded UNIT frame, or drop it by the rule above; ``room`` widens the limit (for the
        replay of a GOP). Returns whether it was queued."""
        if self.closed:
            return False
        picture = track is Track.VIDEO
        waiting = stream in self._dropped
        if waiting and not (picture and key):
            self._dropped[stream] += picture
            return False
        if self._queued_bytes and self._queued_bytes + len(frame) > max(self._limit, room):
            self._drop(stream, picture)
            return False
        if waiting:
            self._tell_dropped(stream)
        self._queued_bytes += len(frame)
        self._push(_Queued(frame, stream, picture))
        return True

    def forget(self, stream: StreamId) -> None:
        """Unqueue what a client unsubscribed from."""
        self._unqueue(stream)
        self._dropped.pop(stream, None)

    def close(self, reason: str = "") -> None:
        """Disconnect; the server's ``on_close`` is told once."""
        if self.closed:
            return
        self.closed = True
        if reason:
            log.info("bus client disconnected", cause=reason)
        self._server.loop.remove_reader(self._fd)
        if self._writing:
            self._server.loop.remove_writer(self._fd)
        self._socket.close()
        self._queue.clear()
        self._queued_bytes = self._json_bytes = 0
        self._server.forget(self)

    def on_readable(self) -> None:
        """Read what came and hand requests on."""
        try:
            data = self._socket.recv(_READ_BYTES)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self.close()
            return
        try:
            for message in self._decoder.feed(data):
                if isinstance(message, JsonMessage):
                    self._server.handle(self, message.body)
                if self.closed:
                    return
        except BusError as error:
            self.close(error.message)

    def on_writable(self) -> None:
        """Send as much as fits, many frames a call."""
        try:
            while self._queue:
                buffers = self._buffers()
                sent = self._socket.sendmsg(buffers)
                self._consume(sent)
        except BlockingIOError:
            return
        except OSError:
            self.close()
            return
        self._writing = False
        self._server.loop.remove_writer(self._fd)

    def _buffers(self) -> list[bytes | memoryview]:
        count = min(len(self._queue), _BUFFERS_PER_WRITE)
        buffers: list[bytes | memoryview] = [self._queue[index].frame for index in range(count)]
        if self._sent_of_first:
            buffers[0] = memoryview(self._queue[0].frame)[self._sent_of_first :]
        return buffers

    def _consume(self, sent: int) -> None:
        sent += self._sent_of_first
        while self._queue and sent >= len(self._queue[0].frame):
            done = self._queue.popleft()
            sent -= len(done.frame)
            self._forget_bytes(done)
        self._sent_of_first = sent

    def _forget_bytes(self, item: _Queued) -> None:
        if item.stream is None:
            self._json_bytes -= len(item.frame)
        else:
            self._queued_bytes -= len(item.frame)

    def _push(self, item: _Queued) -> None:
        self._queue.append(item)
        if not self._writing:
            # Not sent here: all that one tick of the loop yields then leaves in one call.
            self._writing = True
            self._server.loop.add_writer(self._fd, self.on_writable)

    def _drop(self, stream: StreamId, picture: bool) -> None:
        lost = self._unqueue(stream) + picture
        self._dropped[stream] = self._dropped.get(stream, 0) + lost

    def _unqueue(self, stream: StreamId) -> int:
        kept: deque[_Queued] = deque()
        lost = 0
        for index, item in enumerate(self._queue):
            half_sent = index == 0 and self._sent_of_first > 0
            if item.stream == stream and not half_sent:
                lost += item.picture
                self._forget_bytes(item)
            else:
                kept.append(item)
        self._queue = kept
        return lost

    def _tell_dropped(self, stream: StreamId) -> None:
        camera, role = stream
        pictures = self._dropped.pop(stream)
        self.send_json(
            {"kind": "dropped", "camera": camera, "stream": role.name.lower(), "pictures": pictures}
        )


RequestHandler = Callable[[Connection, dict[str, Any]], None]


class BusServer:
    """A listening Unix socket (mode 0600) in a loop. A stale socket file is replaced; one that somebody
    still serves is an error (BusError ``bus_refused``).

    ``on_request(connection, body)`` answers with ``connection.send_json``; a BeholdenError it raises is
    sent as ``{"kind": "error", ...}``.
    """

    def __init__(
        self,
        path: Path,
        loop: Loop,
        on_request: RequestHandler,
        *,
        on_close: Callable[[Connection], None] | None = None,
        queue_bytes: int = DEFAULT_QUEUE_BYTES,
    ) -> None:
        self.path = path
        self.loop = loop
        self._on_request = on_request
        self._on_close = on_close
        self._queue_bytes = queue_bytes
        self._connections: set[Connection] = set()
        self._listener = _listen(path)
        self._identity = _identity(path)
        loop.add_reader(self._listener.fileno(), self._accept)

    @property
    def connections(self) -> frozenset[Connection]:
        """The clients connected now."""
        return frozenset(self._connections)

    def handle(self, connection: Connection, body: dict[str, Any]) -> None:
        """One request from a client (called by its connection)."""
        try:
            self._on_request(connection, body)
        except BeholdenError as error:
            connection.send_json(error_answer(body.get("op"), error))

    def forget(self, connection: Connection) -> None:
        """A client is gone (called by its connection)."""
        self._connections.discard(connection)
        if self._on_close is not None:
            self._on_close(connection)

    def close(self) -> None:
        """Disconnect all and remove the socket file, unless a successor has replaced it."""
        for connection in list(self._connections):
            connection.close()
        self.loop.remove_reader(self._listener.fileno())
        self._listener.close()
        if _identity(self.path) == self._identity:
            self.path.unlink(missing_ok=True)

    def _accept(self) -> None:
        try:
            peer, _ = self._listener.accept()
        except OSError:
            return  # the client has gone again, or no descriptors are left; the next call tries again
        peer.setblocking(False)
        connection = Connection(self, peer, self._queue_bytes)
        self._connections.add(connection)
        self.loop.add_reader(peer.fileno(), connection.on_readable)


def _listen(path: Path) -> socket.socket:
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
    try:
        _remove_stale(path)
        listener.setblocking(False)
        listener.bind(str(path))
        path.chmod(0o600)
        listener.listen(64)
    except OSError as error:
        listener.close()
        raise BusError(
            "bus_refused",
            f"The socket {path} cannot be served: {os.strerror(error.errno or errno.EIO)}.",
            "Make the data directory writable for this user.",
        ) from error
    except BusError:
        listener.close()
        raise
    return listener


def _remove_stale(path: Path) -> None:
    with contextlib.closing(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)) as probe:
        probe.settimeout(1.0)
        try:
            probe.connect(str(path))
        except FileNotFoundError:
            return
        except OSError:
            path.unlink(missing_ok=True)
            return
    raise BusError(
        "bus_refused",
        f"Another Beholden is serving {path} already.",
        "Stop it first, or use another data directory.",
    )


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        found = path.lstat()
    except OSError:
        return None
    return found.st_dev, found.st_ino
