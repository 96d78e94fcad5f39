"""Hosts that are no camera."""

from __future__ import annotations

import http.server
import socket
import threading
from collections.abc import Iterator

import pytest


@pytest.fixture(scope="session")
def mute_port() -> Iterator[int]:
    """A host that accepts connections and never says a word."""
    listener = socket.create_server(("127.0.0.1", 0))
    kept: list[socket.socket] = []

    def accept() -> None:
        while True:
            try:
                kept.append(listener.accept()[0])
            except OSError:
                return

    thread = threading.Thread(target=accept, daemon=True)
    thread.start()
    yield listener.getsockname()[1]
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()
    thread.join()
    for each in kept:
        each.close()


class _Mjpeg(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        """A motion-JPEG stream, as old cameras have it."""
        self.send_response(200)
        self.send_header("Content-Type", "multipart/x-mixed-replace; boundary=picture")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Silent."""


@pytest.fixture(scope="session")
def http_port() -> Iterator[int]:
    """A web server with an MJPEG stream, where a camera was expected."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Mjpeg)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server.server_address[1]
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture(scope="session")
def closed_port() -> Iterator[int]:
    """A port that refuses: bound, so that nobody else gets it, and not listening."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield held.getsockname()[1]
