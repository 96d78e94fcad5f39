"""The web role's process: one uvicorn, fast parts, plain errors, a short goodbye."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import structlog
import uvicorn
import uvloop

from beholden.catalog import Catalog
from beholden.catalog.secrets import SecretBox
from beholden.model.errors import BeholdenError
from beholden.web.compose import compose

log = structlog.get_logger()

BEAT_SECONDS = 0.5
_GOODBYE_SECONDS = 2
_LARGEST_WS_MESSAGE = 64 * 1024  # what pages send; what we send is not bounded by it


@dataclass(frozen=True, slots=True)
class WebOptions:
    """Where to listen. ``public_url`` is how browsers reach it behind a proxy; with ``tls_cert`` and
    ``tls_key`` (PEM files) it speaks TLS itself."""

    host: str
    port: int
    public_url: str | None = None
    tls_cert: Path | None = None
    tls_key: Path | None = None


def run_web(
    data_dir: Path, host: str, port: int, heartbeat: Callable[[], None], stop: threading.Event
) -> None:
    """Serve until ``stop`` is set; calls ``heartbeat`` about twice a second while the event loop is alive.

    BeholdenError ``port_in_use``, ``port_refused`` or ``bad_host`` when it cannot listen, CatalogError
    when the catalog cannot be opened.
    """
    serve(data_dir, WebOptions(host, port), heartbeat, stop)


def serve(data_dir: Path, options: WebOptions, heartbeat: Callable[[], None], stop: threading.Event) -> None:
    """``run_web`` with everything that can be chosen; also BeholdenError ``bad_certificate``."""
    catalog = Catalog.open_existing(data_dir)
    try:
        app = compose(data_dir, catalog, SecretBox.open(data_dir), public_url=options.public_url)
        config = uvicorn.Config(
            app,
            loop="uvloop",
            http="httptools",
            ws="websockets-sansio",
            ws_max_size=_LARGEST_WS_MESSAGE,
            ws_per_message_deflate=False,  # video does not shrink
            lifespan="on",
            log_config=None,
            access_log=False,  # query strings are nobody's business
            server_header=False,
            proxy_headers=False,  # no header of a client says who it is
            timeout_keep_alive=30,
            timeout_graceful_shutdown=_GOODBYE_SECONDS,
            ssl_certfile=options.tls_cert,
            ssl_keyfile=options.tls_key,
        )
        _load(config)
        sockets = listen(options.host, options.port)
        log.info("web listens", host=options.host, port=sockets[0].getsockname()[1])
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(_serve(_Server(config), sockets, heartbeat, stop))
    finally:
        catalog.close()


def listen(host: str, port: int) -> list[socket.socket]:
    """Sockets bound to every address of a host name; BeholdenError says why there are none."""
    sockets: list[socket.socket] = []
    try:
        found = socket.getaddrinfo(host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        for family, kind, protocol, _, address in dict.fromkeys(found):
            listener = socket.socket(family, kind, protocol)
            sockets.append(listener)
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:
                listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            listener.bind(address)
            listener.listen(512)
            listener.setblocking(False)
    except (OSError, UnicodeError) as error:
        for listener in sockets:
            listener.close()
        raise _cannot_listen(error, host, port) from error
    return sockets


class _Server(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Signals belong to the process of the role, which sets ``stop``."""
        yield


async def _serve(
    server: _Server, sockets: list[socket.socket], heartbeat: Callable[[], None], stop: threading.Event
) -> None:
    serving = asyncio.create_task(server.serve(sockets))
    while not serving.done():
        heartbeat()
        if stop.is_set():
            server.should_exit = True
        await asyncio.wait({serving}, timeout=BEAT_SECONDS)
    await serving


def _load(config: uvicorn.Config) -> None:
    try:
        config.load()
    except (OSError, ssl.SSLError) as error:
        raise BeholdenError(
            "bad_certificate",
            f"The TLS certificate {config.ssl_certfile} cannot be used: {error.strerror or error}.",
            "Give a PEM certificate with its chain, and its key, both readable by this user.",
        ) from error


def _cannot_listen(error: OSError | UnicodeError, host: str, port: int) -> BeholdenError:
    number = error.errno if isinstance(error, OSError) else None
    if number == errno.EADDRINUSE:
        return BeholdenError(
            "port_in_use",
            f"Port {port} on {host} is in use by another program.",
            "Stop that program, or choose another port with --port.",
        )
    if number in (errno.EACCES, errno.EPERM):
        return BeholdenError(
            "port_refused",
            f"This user may not listen on port {port}.",
            "Choose a port above 1023 with --port, and put a proxy in front for port 80 or 443.",
        )
    return BeholdenError(
        "bad_host",
        f"{host} is not an address of this machine.",
        "Use --host 127.0.0.1 for this machine alone, or --host 0.0.0.0 for all its networks.",
    )
