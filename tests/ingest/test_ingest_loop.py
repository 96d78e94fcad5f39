"""The one thread that drives everything."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from beholden.ingest.loop import IngestLoop
from beholden.model.time import SystemClock


class Stream:
    """A session that reads a socket and remembers when it was polled."""

    def __init__(self, reader: socket.socket | None = None, eager: bool = False) -> None:
        self.reader = reader
        self.eager = eager
        self.polls = 0
        self.failures = 0
        self.data = b""
        self.broken = False

    def poll(self, now: float) -> None:
        self.polls += 1
        if self.broken:
            raise RuntimeError("a fault of ours")
        if self.reader is not None:
            try:
                self.data += self.reader.recv(4096)
            except BlockingIOError:
                return

    def fileno(self) -> int | None:
        return self.reader.fileno() if self.reader is not None else None

    def wants_write(self) -> bool:
        return False

    def fail(self, now: float) -> None:
        self.failures += 1


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    """(reader, writer), not blocking."""
    reader, writer = socket.socketpair()
    reader.setblocking(False)
    with reader, writer:
        yield reader, writer


@pytest.fixture
def running() -> Iterator[Callable[..., IngestLoop]]:
    """``running(tick)`` starts a loop in a thread; it is stopped and closed after the test."""
    started: list[tuple[IngestLoop, threading.Thread]] = []

    def start(tick: float = 0.01, prepare: Callable[[IngestLoop], None] = lambda loop: None) -> IngestLoop:
        loop = IngestLoop(SystemClock(), tick)
        prepare(loop)
        thread = threading.Thread(target=loop.run)
        started.append((loop, thread))
        thread.start()
        return loop

    yield start
    for loop, thread in started:
        loop.stop()
        thread.join(30)
        assert not thread.is_alive()
        loop.close()


Until = Callable[..., None]


def test_sessions_are_polled_on_the_tick(running: Callable[..., IngestLoop], until: Until) -> None:
    """Again and again, with no descriptor needed."""
    stream = Stream()
    running(prepare=lambda loop: loop.add(stream))
    until(lambda: None, lambda: stream.polls > 5)


def test_an_eager_session_is_read_as_data_arrives(
    running: Callable[..., IngestLoop], pair: tuple[socket.socket, socket.socket], until: Until
) -> None:
    """Long before the next tick; one that is not eager waits for it."""
    reader, writer = pair
    stream = Stream(reader, eager=True)
    running(tick=3600, prepare=lambda loop: loop.add(stream))
    for number in range(5):
        writer.send(b"x")
        until(lambda: None, lambda number=number: len(stream.data) == number + 1)


def test_a_session_that_is_eager_no_more_waits_for_the_tick(
    running: Callable[..., IngestLoop], pair: tuple[socket.socket, socket.socket], until: Until
) -> None:
    """After the next poll its descriptor is not watched any longer."""
    reader, writer = pair
    stream = Stream(reader, eager=True)
    loop = running(tick=3600, prepare=lambda loop: loop.add(stream))
    writer.send(b"x")
    until(lambda: None, lambda: stream.data == b"x")
    stream.eager = False
    writer.send(b"y")
    until(lambda: None, lambda: stream.data == b"xy")
    writer.send(b"z")
    woken = threading.Event()
    loop.on_wake = woken.set
    loop.wake()
    assert woken.wait(30)
    assert stream.data == b"xy"


def test_a_fault_in_one_stream_costs_no_other(running: Callable[..., IngestLoop], until: Until) -> None:
    """It is told to fail, and the rest goes on."""
    broken, well = Stream(), Stream()
    broken.broken = True

    def prepare(loop: IngestLoop) -> None:
        loop.add(broken)
        loop.add(well)

    running(prepare=prepare)
    until(lambda: None, lambda: well.polls > 5 and broken.failures > 3)


def test_a_removed_session_is_left_alone(running: Callable[..., IngestLoop], until: Until) -> None:
    """Also when it is removed from within its own loop."""
    gone, well = Stream(), Stream()

    def prepare(loop: IngestLoop) -> None:
        loop.add(gone)
        loop.add(well)
        loop.on_wake = lambda: loop.remove(gone)

    loop = running(prepare=prepare)
    until(lambda: None, lambda: gone.polls > 0)
    loop.wake()
    until(lambda: None, lambda: not loop._sessions or gone not in loop._sessions)
    polls, others = gone.polls, well.polls
    until(lambda: None, lambda: well.polls > others + 5)
    assert gone.polls == polls


def test_a_descriptor_used_again_is_watched_again(running: Callable[..., IngestLoop], until: Until) -> None:
    """A session reconnects and its new socket gets the old number."""
    first = socket.socketpair()
    first[0].setblocking(False)
    stream = Stream(first[0], eager=True)
    loop = running(tick=0.01, prepare=lambda loop: loop.add(stream))
    first[1].send(b"a")
    until(lambda: None, lambda: stream.data == b"a")
    changed = threading.Event()
    second: list[socket.socket] = []

    def drop() -> None:
        stream.reader = None
        for one in first:
            one.close()
        changed.set()

    loop.on_wake = drop
    loop.wake()
    assert changed.wait(30)
    polls = stream.polls
    until(lambda: None, lambda: stream.polls > polls + 1)
    second += socket.socketpair()
    second[0].setblocking(False)
    stream.reader = second[0]
    second[1].send(b"b")
    until(lambda: None, lambda: stream.data == b"ab" and loop._watched)
    stream.reader = None
    polls = stream.polls
    until(lambda: None, lambda: stream.polls > polls + 1)
    for one in second:
        one.close()


def test_readers_and_writers_are_called_back(
    running: Callable[..., IngestLoop], pair: tuple[socket.socket, socket.socket], until: Until
) -> None:
    """A server of the recorder's lives in the same loop; both directions of one descriptor are apart."""
    reader, writer = pair
    got: list[bytes] = []
    could_write = threading.Event()

    def prepare(loop: IngestLoop) -> None:
        def write() -> None:
            loop.remove_writer(reader.fileno())
            could_write.set()

        loop.add_reader(reader.fileno(), lambda: got.append(reader.recv(100)))
        loop.add_writer(reader.fileno(), write)
        loop.on_wake = lambda: loop.remove_reader(reader.fileno())

    loop = running(tick=3600, prepare=prepare)
    assert could_write.wait(30)
    writer.send(b"one")
    until(lambda: None, lambda: got == [b"one"])
    loop.wake()
    until(lambda: None, lambda: not loop._callbacks)
    writer.send(b"two")
    loop.wake = lambda: None  # type: ignore[method-assign]
    assert got == [b"one"]
    del loop.wake


def test_timers_repeat(running: Callable[..., IngestLoop], until: Until) -> None:
    """Every so many seconds, again and again."""
    calls: list[int] = []
    running(prepare=lambda loop: loop.call_every(0.02, lambda: calls.append(1)))
    until(lambda: None, lambda: len(calls) > 3)


def test_the_loop_leaves_nothing_open() -> None:
    """Closing it gives back every descriptor."""
    before = len(list(Path("/proc/self/fd").iterdir()))
    loop = IngestLoop(SystemClock())
    loop.stop()
    loop.run()
    loop.close()
    assert len(list(Path("/proc/self/fd").iterdir())) == before
