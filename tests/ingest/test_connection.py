"""One TCP connection: names, addresses that fail, time that runs out, broken ends, and whose fault it is."""

from __future__ import annotations

import contextlib
import errno
import socket
import struct
import time
from collections.abc import Callable, Iterator

import pytest

from beholden.ingest import refusal
from beholden.ingest.connection import CONNECT_SECONDS, RESOLVE_SECONDS, Connection
from beholden.ingest.source import SourceError
from beholden.model.camera import StreamState
from beholden.model.gap import GapCause

Until = Callable[..., None]


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    """A port of this machine that accepts."""
    with socket.create_server(("127.0.0.1", 0)) as made:
        made.settimeout(20)
        yield made


def _connected(
    listener: socket.socket, until: Until, host: str = "127.0.0.1"
) -> tuple[Connection, socket.socket]:
    connection = Connection(host, listener.getsockname()[1], 0.0)
    until(lambda: connection.advance(0.0), lambda: connection.open)
    return connection, listener.accept()[0]


def test_a_name_is_looked_up_and_its_addresses_tried(listener: socket.socket, until: Until) -> None:
    """localhost, of whose addresses one at least does not listen."""
    connection, peer = _connected(listener, until, "localhost")
    with peer:
        assert (connection.peer, connection.local) == ("127.0.0.1", "127.0.0.1")
        assert connection.fileno()
        connection.close()
    assert connection.fileno() is None
    connection.close()


def test_an_unknown_name_is_the_networks_matter(until: Until) -> None:
    """Not the camera's: the gap will say so."""
    connection = Connection("no-such-camera.invalid", 554, 0.0)
    with pytest.raises(SourceError) as caught:
        until(lambda: connection.advance(0.0), lambda: False)
    assert (caught.value.code, caught.value.cause) == ("unknown_name", GapCause.NETWORK)


def test_a_look_up_without_end_is_given_up() -> None:
    """By the time given for it."""
    connection = Connection("no-such-camera.invalid", 554, 0.0)
    with pytest.raises(SourceError) as caught:
        connection.advance(RESOLVE_SECONDS + 1)
    assert caught.value.code == "unknown_name"
    connection.close()


def test_a_host_that_does_not_answer_is_given_up(until: Until) -> None:
    """A port whose queue is full drops what comes, as a host that is off does."""
    with contextlib.ExitStack() as open_ones:
        full = open_ones.enter_context(socket.socket())
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        for _ in range(4):
            other = open_ones.enter_context(socket.socket())
            other.setblocking(False)
            other.connect_ex(full.getsockname())
        time.sleep(0.1)
        connection = Connection("127.0.0.1", full.getsockname()[1], 0.0)
        connection.advance(CONNECT_SECONDS / 2)
        assert not connection.open
        assert connection.wants_write()
        with pytest.raises(SourceError) as caught:
            connection.advance(CONNECT_SECONDS + 1)
        assert (caught.value.state, caught.value.cause) == (StreamState.OFFLINE, GapCause.CAMERA_LOST)
        assert "does not answer" in caught.value.message
        connection.close()


def test_what_the_socket_does_not_take_is_sent_later(listener: socket.socket, until: Until) -> None:
    """Nothing is lost and nobody waits."""
    connection, peer = _connected(listener, until)
    with peer:
        sent = bytes(range(256)) * (1 << 16)
        connection.send(sent)
        assert connection.wants_write()
        got = bytearray()
        peer.settimeout(20)
        while len(got) < len(sent):
            connection.advance(0.0)
            got += peer.recv(1 << 20)
        assert got == sent
        assert not connection.wants_write()
    connection.close()


def test_an_end_that_breaks_is_an_end(listener: socket.socket, until: Until) -> None:
    """A reset reads as the end, and sending into it is told in words."""
    connection, peer = _connected(listener, until)
    assert connection.receive(100) is None
    peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    peer.close()
    until(lambda: None, lambda: connection.receive(100) == b"")
    with pytest.raises(SourceError) as caught:
        until(lambda: connection.send(b"hello"), lambda: False)
    assert caught.value.code == "camera_offline"
    connection.close()


@pytest.mark.parametrize(
    ("failure", "cause", "word"),
    [
        (errno.ECONNREFUSED, GapCause.CAMERA_LOST, "refused"),
        (errno.ETIMEDOUT, GapCause.CAMERA_LOST, "does not answer"),
        (errno.ENETUNREACH, GapCause.NETWORK, "unreachable"),
        (errno.EHOSTUNREACH, GapCause.NETWORK, "no route"),
        (errno.ENETDOWN, GapCause.NETWORK, "down"),
        (errno.EACCES, GapCause.CAMERA_LOST, "permission"),
    ],
)
def test_the_cause_tells_network_from_camera(failure: int, cause: GapCause, word: str) -> None:
    """When connecting, and later."""
    error = refusal.not_reached(failure, "192.0.2.1", 554)
    assert (error.state, error.cause) == (StreamState.OFFLINE, cause)
    assert word in error.message
    assert error.next_step
    assert refusal.broken(OSError(failure, "x")).cause is cause
