"""Two neighbouring UDP ports, for RTP and RTCP of one track; and the fake that tests use."""

from __future__ import annotations

import contextlib
import socket
from collections import deque
from typing import Protocol

RECEIVE_BYTES = 4 << 20
"""What the kernel is asked to keep between two reads; it may give less (net.core.rmem_max)."""
_TRIES = 64
_FORCE = getattr(socket, "SO_RCVBUFFORCE", 33)


class Datagrams(Protocol):
    """What ``udp`` needs of two sockets. ``buffer_bytes`` is what the kernel really keeps for RTP."""

    ports: tuple[int, int]
    buffer_bytes: int

    def aim(self, host: str, ports: tuple[int, int]) -> None: ...
    def receive(self, report: bool) -> bytes | None: ...
    def send(self, data: bytes, report: bool) -> None: ...
    def fileno(self) -> int | None: ...
    def close(self) -> None: ...


class BindDatagrams(Protocol):
    """Takes two free neighbouring ports, the first even, at a local address. Raises OSError."""

    def __call__(self, local: str) -> Datagrams: ...


class FakeDatagrams:
    """Gives what is in ``media`` and ``reports``, one a call; keeps what is sent as (report, data)."""

    def __init__(self, ports: tuple[int, int] = (5000, 5001), buffer_bytes: int = RECEIVE_BYTES) -> None:
        self.ports = ports
        self.buffer_bytes = buffer_bytes
        self.media: deque[bytes] = deque()
        self.reports: deque[bytes] = deque()
        self.sent: list[tuple[bool, bytes]] = []
        self.aimed: tuple[str, tuple[int, int]] | None = None
        self.closed = False

    def __call__(self, local: str) -> FakeDatagrams:  # noqa: ARG002 (the contract)
        return self

    def aim(self, host: str, ports: tuple[int, int]) -> None:
        self.aimed = host, ports

    def receive(self, report: bool) -> bytes | None:
        queue = self.reports if report else self.media
        return queue.popleft() if queue else None

    def send(self, data: bytes, report: bool) -> None:
        self.sent.append((report, data))

    def fileno(self) -> int | None:
        return None

    def close(self) -> None:
        self.closed = True


class SocketPair:
    """The real one. Only datagrams from the camera's own address count; nothing here ever blocks."""

    def __init__(self, local: str) -> None:
        self._family = socket.AF_INET6 if ":" in local else socket.AF_INET
        self._pair = self._bind(local)
        self._host = ""
        self._aim: tuple[int, int] | None = None
        self._space = bytearray(65_536)
        port = self._pair[0].getsockname()[1]
        self.ports = (port, port + 1)
        self.buffer_bytes = self._pair[0].getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF)

    def aim(self, host: str, ports: tuple[int, int]) -> None:
        """Whom to hear and where to send to; a port of 0 is one the camera did not tell."""
        self._host = host
        self._aim = ports

    def receive(self, report: bool) -> bytes | None:
        """The next datagram of the camera's; None when there is none."""
        while True:
            try:
                size, source = self._pair[report].recvfrom_into(self._space)
            except OSError:  # nothing there; or the camera's port is closed, which TCP will tell
                return None
            if source[0] == self._host:
                return bytes(memoryview(self._space)[:size])

    def send(self, data: bytes, report: bool) -> None:
        """Send one datagram, or none: UDP promises nothing."""
        if self._aim is not None and self._aim[report]:
            with contextlib.suppress(OSError):
                self._pair[report].sendto(data, (self._host, self._aim[report]))

    def fileno(self) -> int | None:
        """The RTP socket."""
        return self._pair[0].fileno()

    def close(self) -> None:
        """Give the ports back."""
        for each in self._pair:
            each.close()

    def _bind(self, local: str) -> tuple[socket.socket, socket.socket]:
        # RFC 3550 section 11: RTP on an even port, RTCP on the next.
        for _ in range(_TRIES):
            first = self._socket()
            second = self._socket()
            try:
                first.bind((local, 0))
                port = first.getsockname()[1]
                if port % 2 == 0:
                    second.bind((local, port + 1))
                    return first, second
            except OSError as error:
                failure = error
            else:
                failure = OSError("no two neighbouring ports are free")
            first.close()
            second.close()
        raise failure

    def _socket(self) -> socket.socket:
        kind = socket.SOCK_DGRAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC
        made = socket.socket(self._family, kind)
        try:
            made.setsockopt(socket.SOL_SOCKET, _FORCE, RECEIVE_BYTES)
        except PermissionError:
            made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BYTES)
        return made
