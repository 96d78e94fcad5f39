"""A bus server with a thread of its own, for a role that has no selectors loop."""

from __future__ import annotations

import os
import selectors
import threading
from collections import deque
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from beholden.bus.server import BusServer, Connection


class SelectorLoop:
    """The least loop a server needs. Not thread-safe but for ``call_soon`` and ``stop``."""

    def __init__(self) -> None:
        self._selector = selectors.DefaultSelector()
        self._readers: dict[int, Callable[[], None]] = {}
        self._writers: dict[int, Callable[[], None]] = {}
        self._soon: deque[Callable[[], None]] = deque()
        self._stopping = False
        self._wake_read, self._wake_write = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self.add_reader(self._wake_read, self._drain)

    def add_reader(self, fd: int, callback: Callable[[], None], /) -> None:
        """Call when the descriptor can be read."""
        self._readers[fd] = callback
        self._register(fd)

    def remove_reader(self, fd: int, /) -> None:
        """Stop doing so."""
        self._readers.pop(fd, None)
        self._register(fd)

    def add_writer(self, fd: int, callback: Callable[[], None], /) -> None:
        """Call while the descriptor can be written."""
        self._writers[fd] = callback
        self._register(fd)

    def remove_writer(self, fd: int, /) -> None:
        """Stop doing so."""
        self._writers.pop(fd, None)
        self._register(fd)

    def call_soon(self, callback: Callable[[], None]) -> None:
        """Run a call in the loop's thread; safe from any thread."""
        self._soon.append(callback)
        self._wake()

    def run(self) -> None:
        """Serve until ``stop``."""
        while not self._stopping:
            for key, events in self._selector.select():
                self._dispatch(key.fd, events)
            while self._soon:
                self._soon.popleft()()

    def stop(self) -> None:
        """End ``run``; safe from any thread."""
        self._stopping = True
        self._wake()

    def close(self) -> None:
        """Release descriptors; after ``run`` has ended."""
        self._selector.close()
        os.close(self._wake_read)
        os.close(self._wake_write)

    def _dispatch(self, fd: int, events: int) -> None:
        # A callback may have removed the other one, or another descriptor's.
        if events & selectors.EVENT_READ and (reader := self._readers.get(fd)) is not None:
            reader()
        if events & selectors.EVENT_WRITE and (writer := self._writers.get(fd)) is not None:
            writer()

    def _register(self, fd: int) -> None:
        events = (selectors.EVENT_READ if fd in self._readers else 0) | (
            selectors.EVENT_WRITE if fd in self._writers else 0
        )
        known = fd in self._selector.get_map()
        if events and known:
            self._selector.modify(fd, events)
        elif events:
            self._selector.register(fd, events)
        elif known:
            self._selector.unregister(fd)

    def _wake(self) -> None:
        try:
            os.write(self._wake_write, b"\0")
        except BlockingIOError:
            return  # it is awake already

    def _drain(self) -> None:
        try:
            os.read(self._wake_read, 4096)
        except BlockingIOError:
            return


Answerer = Callable[[dict[str, Any]], Mapping[str, Any] | None]


class ThreadedBusServer:
    """Answers requests and publishes news from a thread of its own.

    ``answer(request)`` runs in that thread and returns the answer or None; a BeholdenError becomes an
    error answer. A client that sends ``{"op": news_op}`` receives what ``publish`` is given from then on.
    """

    def __init__(self, path: Path, answer: Answerer, *, news_op: str = "events") -> None:
        self._answer = answer
        self._news_op = news_op
        self._listeners: set[Connection] = set()
        self._loop = SelectorLoop()
        try:
            self._server = BusServer(path, self._loop, self._on_request, on_close=self._on_close)
        except BaseException:
            self._loop.close()
            raise
        self._thread = threading.Thread(target=self._loop.run, name=f"bus {path.stem}", daemon=True)
        self._thread.start()

    @property
    def path(self) -> Path:
        """The socket it serves."""
        return self._server.path

    def publish(self, news: Mapping[str, Any]) -> None:
        """Send news to all who asked for it; safe from any thread, never blocks."""
        self._loop.call_soon(lambda: self._send(news))

    def close(self) -> None:
        """Disconnect all and end the thread."""
        if not self._thread.is_alive():
            return
        self._loop.call_soon(self._server.close)
        self._loop.call_soon(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _send(self, news: Mapping[str, Any]) -> None:
        for listener in list(self._listeners):
            listener.send_json(news)

    def _on_request(self, connection: Connection, body: dict[str, Any]) -> None:
        if body.get("op") == self._news_op:
            self._listeners.add(connection)
            return
        answer = self._answer(body)
        if answer is not None:
            connection.send_json(answer)

    def _on_close(self, connection: Connection) -> None:
        self._listeners.discard(connection)
