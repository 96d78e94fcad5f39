"""A TCP connection that never blocks: name resolution in a thread, connecting and TLS step by step."""

from __future__ import annotations

import errno
import ipaddress
import socket
import ssl
import threading
from collections import deque
from collections.abc import Iterable
from typing import Protocol

from beholden.ingest import refusal, tls

RESOLVE_SECONDS = 10.0
CONNECT_SECONDS = 5.0
_MOST_ADDRESSES = 4

_Address = tuple[socket.AddressFamily, tuple[str | int, ...]]


class Wire(Protocol):
    """What the RTSP client needs of a connection; ``Connection`` is the real one, ``FakeWire`` the fake.

    ``peer`` and ``local`` are the two ends' addresses. ``short_is_all``: after a read that gave less than was
    asked for nothing more is there (with TLS a read gives one record).
    """

    open: bool
    short_is_all: bool
    peer: str
    local: str

    def advance(self, now: float) -> None: ...
    def receive(self, size: int) -> bytes | None: ...
    def send(self, data: bytes) -> None: ...
    def fileno(self) -> int | None: ...
    def wants_write(self) -> bool: ...
    def close(self) -> None: ...


class WireFactory(Protocol):
    """Begins a connection to ``host:port``: over TLS with this choice of ``model.camera.CERTIFICATE``, or
    (None) without."""

    def __call__(self, host: str, port: int, now: float, certificate: str | None = None) -> Wire: ...


class FakeWire:
    """Says the given pieces, one a ``receive``, then nothing; keeps what is sent."""

    def __init__(self, pieces: Iterable[bytes]) -> None:
        self.open = True
        self.short_is_all = True
        self.peer = "192.0.2.1"
        self.local = "127.0.0.1"
        self.sent = b""
        self.left = deque(pieces)

    def __call__(self, host: str, port: int, now: float, certificate: str | None = None) -> FakeWire:  # noqa: ARG002
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

    def __init__(self, host: str, port: int, now: float, certificate: str | None = None) -> None:
        self.host = host
        self.port = port
        self.peer = ""
        self.local = ""
        self.open = False
        self.short_is_all = certificate is None
        self._certificate = certificate
        self._distrusted = ""  # why the certificate was not trusted, while we look which one it is
        self._address: _Address | None = None
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
            raise refusal.broken(error) from None

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
            raise refusal.broken(error) from None
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
                raise refusal.unknown_name(self.host)
            self._next_address(now)
        elif now > self._deadline:
            raise refusal.slow_name(self.host)

    def _next_address(self, now: float) -> None:
        self._address = self._addresses.pop(0)
        self._dial(now)

    def _dial(self, now: float) -> None:
        assert self._address is not None
        family, sockaddr = self._address
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
        if self._distrusted:
            raise refusal.certificate_not_trusted(self._distrusted, "")
        if self._addresses:
            self._next_address(now)
            return
        raise refusal.not_reached(failure, self.host, self.port)

    def _on_connected(self, now: float) -> None:
        assert self._socket is not None
        try:
            self.peer = str(self._socket.getpeername()[0])
            self.local = str(self._socket.getsockname()[0])
        except OSError as error:  # closed again in the meantime
            self._failed(error.errno or 0, now)
            return
        self._connected = True
        if self._certificate is None:
            self.open = True
            self.send(b"")
            return
        context = tls.looking() if self._distrusted else tls.context_of(self._certificate, now)
        self._socket = context.wrap_socket(
            self._socket, server_hostname=self.host, do_handshake_on_connect=False
        )
        self._deadline = now + CONNECT_SECONDS
        self._shake_hands(now)

    def _shake_hands(self, now: float) -> None:
        assert isinstance(self._socket, ssl.SSLSocket)
        assert self._certificate is not None
        try:
            self._socket.do_handshake()
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
            if now > self._deadline:
                raise refusal.no_handshake() from None
            return
        except ssl.SSLCertVerificationError as error:
            self._look_again(error.verify_message, now)
            return
        except OSError as error:
            raise refusal.no_tls(error) from None
        if self._distrusted:
            raise refusal.certificate_not_trusted(self._distrusted, tls.fingerprint(self._socket))
        tls.check(self._socket, self._certificate)
        self.open = True
        self.send(b"")

    def _look_again(self, why: str, now: float) -> None:
        # The failed handshake does not give the certificate: connect once more, taking any and saying
        # nothing, so that a person is told which one to compare and pin.
        assert self._socket is not None
        self._distrusted = why
        self._socket.close()
        self._connected = False
        self._dial(now)


def _literal(host: str, port: int) -> _Address | None:
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return None
    if address.version == 4:
        return socket.AF_INET, (host, port)
    return socket.AF_INET6, (host, port, 0, 0)
