"""A TCP connection that never blocks: name resolution in a thread, connecting and TLS step by step."""

from __future__ import annotations

import errno
import ipaddress
import os
import socket
import ssl
import threading
from collections import deque
from collections.abc import Iterable
from typing import Protocol

from beholden.ingest.source import SourceError
from beholden.model.camera import StreamState
from beholden.model.gap import GapCause

RESOLVE_SECONDS = 10.0
CONNECT_SECONDS = 5.0
_MOST_ADDRESSES = 4

_Address = tuple[socket.AddressFamily, tuple[str | int, ...]]


class Wire(Protocol):
    """What the RTSP client needs of a connection; ``Connection`` is the real one, ``FakeWire`` the fake."""

    open: bool
    peer: str

    def advance(self, now: float) -> None: ...
    def receive(self, size: int) -> bytes | None: ...
    def send(self, data: bytes) -> None: ...
    def fileno(self) -> int | None: ...
    def wants_write(self) -> bool: ...
    def close(self) -> None: ...


class WireFactory(Protocol):
    """Begins a connection to ``host:port``."""

    def __call__(self, host: str, port: int, now: float, tls: bool = False) -> Wire: ...


class FakeWire:
    """Says the given pieces, one a ``receive``, then nothing; keeps what is sent."""

    def __init__(self, pieces: Iterable[bytes]) -> None:
        self.open = True
        self.peer = "192.0.2.1"
        self.sent = b""
        self.left = deque(pieces)

    def __call__(self, host: str, port: int, now: float, tls: bool = False) -> FakeWire:  # noqa: ARG002
        return self

    def advance(self, now: float) -> None:
        """Nothing to do: it is open."""

    def receive(self, size: int) -> bytes | None:
        if not self.left:
            return None
        piece = self.left.popleft()
        if len(piece) > size:
            self.left.appendleft(piece[size:])
        return piece[:size]

    def send(self, data: bytes) -> None:
        self.sent += data

    def fileno(self) -> int | None:
        return None

    def wants_write(self) -> bool:
        return False

    def close(self) -> None:
        self.open = False


class _Resolver(threading.Thread):
    """getaddrinfo off the loop; abandoned when it takes too long."""

    def __init__(self, host: str, port: int) -> None:
        super().__init__(name="resolve", daemon=True)
        self._host = host
        self._port = port
        self.addresses: list[_Address] = []
        self.done = threading.Event()

    def run(self) -> None:
        try:
            found = socket.getaddrinfo(self._host, self._port, type=socket.SOCK_STREAM)
            self.addresses = [(entry[0], (str(entry[4][0]), *entry[4][1:])) for entry in found]
        except (OSError, UnicodeError):
            pass
        self.done.set()


class Connection:
    """One connection to ``host:port``. Errors are ``SourceError`` with a sentence for people."""

    def __init__(self, host: str, port: int, now: float, tls: bool = False) -> None:
        self.host = host
        self.port = port
        self.peer = ""
        self.open = False
        self._tls = tls
        self._socket: socket.socket | None = None
        self._resolver: _Resolver | None = None
        self._addresses: list[_Address] = []
        self._deadline = now + RESOLVE_SECONDS
        self._connected = False
        self._outbox = b""
        literal = _literal(host, port)
        if literal is not None:
            self._addresses = [literal]
            self._next_address(now)
        else:
            self._resolver = _Resolver(host, port)
            self._resolver.start()

    def advance(self, now: float) -> None:
        """Take the next step towards an open connection, or send what waits."""
        if self._resolver is not None:
            self._await_name(now)
        elif not self._connected:
            self._await_connect(now)
        elif not self.open:
            self._shake_hands(now)
        elif self._outbox:
            self.send(b"")

    def receive(self, size: int) -> bytes | None:
        """What has arrived, at most ``size`` bytes: None for nothing, empty when the camera closed."""
        assert self._socket is not None
        try:
            return self._socket.recv(size)
        except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
            return None
        except (ConnectionError, TimeoutError, ssl.SSLError):
            return b""
        except OSError as error:
            raise self._offline(f"The connection to the camera broke ({_words(error)}).") from None

    def send(self, data: bytes) -> None:
        """Send, keeping what the socket does not take for the next ``advance``."""
        self._outbox += data
        if self._socket is None or not self.open:
            return
        try:
            sent = self._socket.send(self._outbox)
        except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
            return
        except OSError as error:
            raise self._offline(f"The connection to the camera broke ({_words(error)}).") from None
        self._outbox = self._outbox[sent:]

    def fileno(self) -> int | None:
        """The socket's descriptor; None before there is one."""
        return self._socket.fileno() if self._socket is not None else None

    def wants_write(self) -> bool:
        """Whether writability is what it waits for."""
        return self._socket is not None and (not self._connected or (self.open and bool(self._outbox)))

    def close(self) -> None:
        """Close without waiting."""
        self.open = False
        self._resolver = None
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _await_name(self, now: float) -> None:
        assert self._resolver is not None
        if self._resolver.done.is_set():
            self._addresses = self._resolver.addresses[:_MOST_ADDRESSES]
            self._resolver = None
            if not self._addresses:
                raise self._offline(
                    f"The name {self.host} is not known on this network.",
                    "Check the host name, or use the camera's IP address.",
                )
            self._next_address(now)
        elif now > self._deadline:
            raise self._offline(
                f"Looking up the name {self.host} takes too long.", "Use the camera's IP address."
            )

    def _next_address(self, now: float) -> None:
        family, sockaddr = self._addresses.pop(0)
        self._deadline = now + CONNECT_SECONDS
        self._socket = socket.socket(family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        try:
            self._socket.connect(sockaddr)
        except BlockingIOError:
            return
        except OSError as error:
            self._failed(error.errno or 0, now)
            return
        self._on_connected(now)

    def _await_connect(self, now: float) -> None:
        assert self._socket is not None
        failure = self._socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if failure:
            self._failed(failure, now)
            return
        try:
            self._socket.getpeername()
        except OSError:
            if now > self._deadline:
                self._failed(errno.ETIMEDOUT, now)
            return
        self._on_connected(now)

    def _failed(self, failure: int, now: float) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None
        if self._addresses:
            self._next_address(now)
            return
        raise _connect_error(failure, self.host, self.port)

    def _on_connected(self, now: float) -> None:
        assert self._socket is not None
        try:
            self.peer = str(self._socket.getpeername()[0])
        except OSError as error:  # closed again in the meantime
            self._failed(error.errno or 0, now)
            return
        self._connected = True
        if self._tls:
            context = ssl.create_default_context()
            self._socket = context.wrap_socket(
                self._socket, server_hostname=self.host, do_handshake_on_connect=False
            )
            self._deadline = now + CONNECT_SECONDS
            self._shake_hands(now)
        else:
            self.open = True
            self.send(b"")

    def _shake_hands(self, now: float) -> None:
        assert isinstance(self._socket, ssl.SSLSocket)
        try:
            self._socket.do_handshake()
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
            if now > self._deadline:
                raise self._offline("The camera does not finish the TLS handshake.") from None
            return
        except ssl.SSLCertVerificationError as error:
            raise SourceError(
                StreamState.REFUSED,
                GapCause.CAMERA_LOST,
                "certificate_not_trusted",
                f"The camera's certificate is not trusted: {error.verify_message}.",
                "Install its issuer's certificate on this machine, or use rtsp:// on a network you trust.",
            ) from None
        except OSError as error:
            raise self._offline(
                f"No TLS connection can be made ({_words(error)}).", "Check the port, or use rtsp://."
            ) from None
        self.open = True
        self.send(b"")

    def _offline(self, message: str, next_step: str = "Check the camera's power and network.") -> SourceError:
        return SourceError(StreamState.OFFLINE, GapCause.CAMERA_LOST, "camera_offline", message, next_step)


def _literal(host: str, port: int) -> _Address | None:
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return None
    if address.version == 4:
        return socket.AF_INET, (host, port)
    return socket.AF_INET6, (host, port, 0, 0)


def _words(error: OSError) -> str:
    if error.errno and not isinstance(error, ssl.SSLError):
        return os.strerror(error.errno).lower()
    return (error.reason if isinstance(error, ssl.SSLError) else "") or "protocol error"


def _connect_error(failure: int, host: str, port: int) -> SourceError:
    if failure == errno.ECONNREFUSED:
        message = f"Nothing answers at {host} port {port}: the connection was refused."
        next_step = "Check the port (usually 554) and that RTSP is switched on in the camera."
    elif failure == errno.ETIMEDOUT:
        message = f"{host} does not answer."
        next_step = "Check the address, and the camera's power and network."
    else:
        message = f"{host} cannot be reached ({os.strerror(failure).lower()})."
        next_step = "Check the address, and the camera's power and network."
    return SourceError(StreamState.OFFLINE, GapCause.CAMERA_LOST, "camera_offline", message, next_step)
