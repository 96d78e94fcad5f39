"""The asking side of the bus, for threads."""

from __future__ import annotations

import socket
import time
from collections import deque
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Protocol, Self

from beholden.bus.messages import BusError, FrameDecoder, JsonMessage, Message, encode_json
from beholden.model.camera import StreamRole

_READ_BYTES = 262_144


class Bus(Protocol):
    """The seam: a connection to one server. Fake: ``beholden.bus.fake.FakeBus``."""

    def request(self, body: Mapping[str, Any], timeout: float = 5.0) -> dict[str, Any]:
        """Ask and wait for the answer whose ``kind`` is the request's ``op``."""
        ...

    def send(self, body: Mapping[str, Any]) -> None:
        """Ask without waiting."""
        ...

    def subscribe(self, camera: int, stream: StreamRole, *, fast: bool = False) -> None:
        """From now on ``messages`` yields this stream too: its format, then units from a keyframe on."""
        ...

    def unsubscribe(self, camera: int, stream: StreamRole) -> None:
        """Stop that."""
        ...

    def receive(self, timeout: float) -> Message | None:
        """The next message, or None when none came in time."""
        ...

    def messages(self, timeout: float) -> Iterator[Message]:
        """Messages as they come, until none came for ``timeout`` seconds."""
        ...

    def close(self) -> None:
        """Disconnect."""
        ...


class BusClient:
    """One connection; used from one thread. Everything raises BusError when the other side is gone;
    connecting again (with a new client) is the caller's."""

    def __init__(self, path: Path, timeout: float = 5.0) -> None:
        self.path = path
        self._decoder = FrameDecoder()
        self._fresh: deque[Message] = deque()  # decoded, in order of arrival
        self._waiting: deque[Message] = deque()  # stepped over while waiting for an answer
        self._socket = _connect(path, timeout)

    @classmethod
    def connect(cls, path: Path, timeout: float = 5.0) -> Self:
        """The same as constructing it; BusError ``bus_unreachable`` when nobody serves the socket."""
        return cls(path, timeout)

    def fileno(self) -> int:
        """The socket's descriptor, for select."""
        return self._socket.fileno()

    def request(self, body: Mapping[str, Any], timeout: float = 5.0) -> dict[str, Any]:
        """Ask and wait for the answer whose ``kind`` is the request's ``op``.

        Other messages that come meanwhile are kept for ``messages``. BusError ``bus_timeout``, or with
        the code of an error answer.
        """
        self.send(body)
        deadline = time.monotonic() + timeout
        others: deque[Message] = deque()
        try:
            while (left := deadline - time.monotonic()) > 0:
                message = self._receive_new(left)
                if isinstance(message, JsonMessage):
                    if message.kind == body.get("op"):
                        return message.body
                    raise_if_error(message.body, body.get("op"))
                if message is not None:
                    others.append(message)
        finally:
            self._waiting.extend(others)
        raise BusError("bus_timeout", f"No answer came from {self.path.stem} within {timeout:g} s.")

    def send(self, body: Mapping[str, Any]) -> None:
        """Ask without waiting."""
        try:
            self._socket.settimeout(5.0)
            self._socket.sendall(encode_json(body))
        except OSError as error:
            raise closed(self.path) from error

    def subscribe(self, camera: int, stream: StreamRole, *, fast: bool = False) -> None:
        """From now on ``messages`` yields this stream too: its format, then units from a keyframe on."""
        self.send({"op": "subscribe", "camera": camera, "stream": stream.name.lower(), "fast": fast})

    def unsubscribe(self, camera: int, stream: StreamRole) -> None:
        """Stop that; units already on their way may still come."""
        self.send({"op": "unsubscribe", "camera": camera, "stream": stream.name.lower()})

    def receive(self, timeout: float) -> Message | None:
        """The next message, or None when none came in time."""
        if self._waiting:
            return self._waiting.popleft()
        return self._receive_new(timeout)

    def messages(self, timeout: float) -> Iterator[Message]:
        """Messages as they come, until none came for ``timeout`` seconds (then look whether to stop, and
        call again). BusError when the other side is gone."""
        while (message := self.receive(timeout)) is not None:
            yield message

    def close(self) -> None:
        """Disconnect."""
        self._socket.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _receive_new(self, timeout: float) -> Message | None:
        deadline = time.monotonic() + timeout
        while not self._fresh:
            left = deadline - time.monotonic()
            if left <= 0:
                return None
            self._fresh.extend(self._decoder.feed(self._read(left)))
        return self._fresh.popleft()

    def _read(self, timeout: float) -> bytes:
        try:
            self._socket.settimeout(timeout)
            data = self._socket.recv(_READ_BYTES)
        except TimeoutError:
            return b""
        except OSError as error:
            raise closed(self.path) from error
        if not data:
            raise closed(self.path)
        return data


def raise_if_error(body: Mapping[str, Any], op: object) -> None:
    """Raise the BusError that an error answer to ``op`` carries."""
    if body.get("kind") == "error" and body.get("op") == op:
        raise BusError(
            str(body.get("code") or "bus_refused"),
            str(body.get("message") or "The request was refused."),
            str(body.get("next_step") or ""),
        )


def closed(path: Path) -> BusError:
    """The error for a connection that ended."""
    return BusError("bus_closed", f"The connection to {path.stem} ended.", "It is started again by itself.")


def unreachable(path: Path) -> BusError:
    """The error for a socket that nobody serves."""
    return BusError(
        "bus_unreachable", f"Nothing answers at {path}.", "Start it with `beholden run --data DIR`."
    )


def _connect(path: Path, timeout: float) -> socket.socket:
    peer = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
    peer.settimeout(timeout)
    try:
        peer.connect(str(path))
    except OSError as error:
        peer.close()
        raise unreachable(path) from error
    return peer
