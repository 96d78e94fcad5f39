"""A real RTSP server (RFC 2326) of virtual cameras, for tests, the demo and benchmarks.

Routes are ``/NAME/main`` and ``/NAME/sub``; faults ride in the query (see ``faults``). Use it inside a loop
as
``async with VirtualCameras([...]) as server`` or in its own thread with ``start_virtual_cameras([...])``.
"""

from __future__ import annotations

import asyncio
import re
import secrets
import socket
import threading
from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Self, cast
from urllib.parse import urlencode, urlsplit

from beholden.demo import sdp
from beholden.demo.auth import Login, Scheme
from beholden.demo.camera import Playout, Scene, VirtualCamera
from beholden.demo.clip import Clip, read_clip
from beholden.demo.delivery import Carrier, Datagrams, Delivery, Interleaved, SentPicture
from beholden.demo.faults import NO_ANSWER, Asked, Fault, parse_faults
from beholden.demo.identity import TlsIdentity
from beholden.model.errors import BeholdenError

HOST = "127.0.0.1"
REMEMBERED = 100_000
"""Sent pictures kept in memory per stream: close to an hour at 30 a second."""

_METHODS = "OPTIONS, DESCRIBE, SETUP, PLAY, PAUSE, GET_PARAMETER, SET_PARAMETER, TEARDOWN"
_REASONS = {
    200: "OK", 302: "Found", 400: "Bad Request", 401: "Unauthorized", 403: "Forbidden", 404: "Not Found",
    454: "Session Not Found", 455: "Method Not Valid in This State", 461: "Unsupported Transport",
    501: "Not Implemented", 503: "Service Unavailable",
}  # fmt: skip
_TRACK = re.compile(r"/?track(\d+)/?")


@dataclass(frozen=True, slots=True)
class Request:
    """One RTSP request; header names in lower case."""

    method: str
    url: str
    headers: dict[str, str]


class VirtualCameras:
    """The server. ``port`` is the chosen one once entered; ``clips`` are read when it starts. With an
    ``identity`` it speaks rtsps, and nothing else."""

    def __init__(
        self,
        cameras: Sequence[VirtualCamera],
        user: str | None = None,
        password: str | None = None,
        port: int = 0,
        scheme: Scheme = "digest",
        identity: TlsIdentity | None = None,
    ) -> None:
        self.cameras = list(cameras)
        self._identity = identity
        self.port = port
        self.user = user
        self.connections = 0
        self.torn_down = 0
        self._password = password or ""
        self._scheme: Scheme = scheme
        self._server: asyncio.Server | None = None
        self._open: set[_Connection] = set()
        self._playouts: dict[tuple[str, str], Playout] = {}
        self._sent: dict[tuple[str, str], deque[SentPicture]] = {}
        self._totals: Counter[tuple[str, str]] = Counter()
        self._first_asked: dict[str, float] = {}

    async def __aenter__(self) -> Self:
        loop = asyncio.get_running_loop()
        clips: dict[object, Clip] = {}
        for camera in self.cameras:
            scene = Scene(camera.phase, loop.time())
            for stream, path in (("main", camera.main), ("sub", camera.sub)):
                if path is not None:
                    clip = clips[path] if path in clips else clips.setdefault(path, read_clip(path))
                    self._playouts[camera.name, stream] = Playout(camera.name, stream, clip, scene)
                    self._sent[camera.name, stream] = deque(maxlen=REMEMBERED)
        try:
            tls = self._identity.context() if self._identity else None
            self._server = await loop.create_server(lambda: _Connection(self), HOST, self.port, ssl=tls)
        except OSError as error:
            raise BeholdenError(
                "port_in_use",
                f"The virtual cameras cannot listen on port {self.port}: {error.strerror}.",
                "Choose another port.",
            ) from error
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._server is not None
        self._server.close()
        for connection in tuple(self._open):
            connection.hang_up()
        await self._server.wait_closed()

    def url(self, name: str, stream: str = "main", **faults: object) -> str:
        """The address of a stream, without any login. A fault given as True has no value."""
        query = urlencode(
            {key: "" if value is True else str(value) for key, value in faults.items()}, safe=":"
        )
        query = query.replace("=&", "&").removesuffix("=")
        kind = "rtsps" if self._identity else "rtsp"
        return f"{kind}://{HOST}:{self.port}/{name}/{stream}" + (f"?{query}" if query else "")

    def sent_pictures(self, name: str, stream: str = "main") -> list[SentPicture]:
        """What has left so far, oldest first, over all sessions (the last 100 000)."""
        return list(self._sent[name, stream])

    def totals(self) -> dict[tuple[str, str], int]:
        """How many pictures have left so far, by camera and stream."""
        return dict(self._totals)

    def hold(self) -> None:
        """Every camera stops sending and keeps its connections, so that sent and kept can be compared."""
        for playout in self._playouts.values():
            playout.hold()

    def drop_clients(self, name: str | None = None) -> int:
        """Cut every connection (of one camera), as when a switch loses power; returns how many."""
        chosen = [c for c in self._open if name is None or c.camera == name]
        for connection in chosen:
            connection.hang_up()
        return len(chosen)

    def playout(self, name: str, stream: str) -> Playout | None:
        """The stream on that route."""
        return self._playouts.get((name, stream))

    def login(self) -> Login | None:
        """A fresh challenge, or None when no login is asked for."""
        return Login(self.user, self._password, self._scheme) if self.user else None

    def age(self, url: str) -> float:
        """Seconds since this address was first asked for."""
        now = asyncio.get_running_loop().time()
        return now - self._first_asked.setdefault(url, now)

    def record(self, playout: Playout, picture: SentPicture) -> None:
        """Remember a sent picture."""
        key = (playout.name, playout.stream)
        self._sent[key].append(picture)
        self._totals[key] += 1

    def opened(self, connection: _Connection) -> None:
        """A client has connected."""
        self.connections += 1
        self._open.add(connection)

    def closed(self, connection: _Connection) -> None:
        """A client has gone."""
        self._open.discard(connection)


class _Connection(asyncio.Protocol):
    """One client's RTSP connection: at most one session."""

    def __init__(self, server: VirtualCameras) -> None:
        self._server = server
        self._buffer = bytearray()
        self._login = server.login()
        self._session = secrets.token_hex(4).upper()
        self._playout: Playout | None = None
        self._faults: list[Fault] = []
        self._channels: dict[int, int] = {}
        self._sockets: dict[int, tuple[socket.socket, socket.socket]] = {}
        self._clients: dict[int, tuple[str, int, int]] = {}
        self._delivery: Delivery | None = None
        self._patience: asyncio.TimerHandle | None = None

    @property
    def camera(self) -> str:
        """The camera this client asked for, empty before it did."""
        return self._playout.name if self._playout else ""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is one in all but name
        transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._server.opened(self)

    def connection_lost(self, _exc: Exception | None) -> None:
        self._end_session()
        self._server.closed(self)

    def hang_up(self) -> None:
        """Close without a word, as a camera that loses power."""
        self._end_session()
        self._transport.abort()

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        while self._buffer:
            if self._buffer[0] == 0x24:  # the client's RTCP
                size = 4 + int.from_bytes(self._buffer[2:4], "big")
                if len(self._buffer) < max(4, size):
                    return
                del self._buffer[:size]
                continue
            request = self._next_request()
            if request is None:
                return
            self._handle(request)

    def _next_request(self) -> Request | None:
        end = self._buffer.find(b"\r\n\r\n")
        if end < 0:
            return None
        lines = self._buffer[:end].decode("latin-1").split("\r\n")
        headers = {k.strip().lower(): v.strip() for k, _, v in (line.partition(":") for line in lines[1:])}
        length = headers.get("content-length", "0")
        whole = end + 4 + (int(length) if length.isdigit() else 0)
        if len(self._buffer) < whole:
            return None
        del self._buffer[:whole]
        method, _, rest = lines[0].partition(" ")
        return Request(method, rest.rpartition(" ")[0], headers)

    def _handle(self, request: Request) -> None:
        address = _address(request.url)
        self._be_patient()
        status = self._faulty_status(request.method, address)
        if status == NO_ANSWER:
            return
        if status is not None:
            self._reply(request, status)
        elif request.method == "OPTIONS":
            self._reply(request, headers=[f"Public: {_METHODS}"])
        elif self._login and not self._login.accepts(
            request.method, request.headers.get("authorization", "")
        ):
            self._reply(request, 401)
        else:
            self._answer(request, address)

    def _faulty_status(self, method: str, address: str) -> int | None:
        if not self._faults:
            try:
                self._faults = parse_faults(urlsplit(address).query)
            except KeyError:
                return 400
        asked = Asked(method, self._server.age(address))
        for fault in self._faults:
            status = fault.status(asked)
            if status is not None:
                return status
        return None

    def _be_patient(self) -> None:
        # A request shows that somebody is there.
        seconds = max((fault.patience() for fault in self._faults), default=0.0)
        if self._patience is not None:
            self._patience.cancel()
        self._patience = asyncio.get_running_loop().call_later(seconds, self.hang_up) if seconds else None

    def _answer(self, request: Request, address: str) -> None:
        handlers = {
            "DESCRIBE": self._describe, "SETUP": self._setup, "PLAY": self._play, "PAUSE": self._pause,
            "TEARDOWN": self._teardown, "GET_PARAMETER": self._reply, "SET_PARAMETER": self._reply,
        }  # fmt: skip
        self._playout = self._playout or self._find(address)
        handler = handlers.get(request.method)
        if handler is None:
            self._reply(request, 501)
        elif self._playout is None:
            self._reply(request, 404)
        else:
            handler(request)

    def _find(self, address: str) -> Playout | None:
        parts = urlsplit(address).path.strip("/").split("/")
        return self._server.playout(parts[0], parts[1]) if len(parts) == 2 else None

    def _describe(self, request: Request) -> None:
        assert self._playout is not None
        for fault in self._faults:
            location = fault.location(request.url)
            if location:
                self._reply(request, 302, [f"Location: {location}"])
                return
        text = sdp.describe(self._playout.clip, HOST)
        for fault in self._faults:
            text = fault.describe(text, request.url)
        base = request.url if request.url.endswith("/") else request.url + "/"
        self._reply(request, headers=["Content-Type: application/sdp", f"Content-Base: {base}"], body=text)

    def _setup(self, request: Request) -> None:
        assert self._playout is not None
        match = _TRACK.search(request.url)
        track = int(match[1]) if match else 0
        if track >= len(self._playout.clip.tracks):
            self._reply(request, 404)
            return
        chosen = request.headers.get("transport", "").split(",")[0]
        if ("tcp" if "/TCP" in chosen else "udp") in [fault.refuses for fault in self._faults]:
            self._reply(request, 461)
            return
        interleaved = re.search(r"interleaved=(\d+)", chosen)
        ports = re.search(r"client_port=(\d+)(?:-(\d+))?", chosen)
        if "/TCP" in chosen:
            channel = int(interleaved[1]) if interleaved else 2 * track
            self._channels[track] = channel
            answer = f"RTP/AVP/TCP;unicast;interleaved={channel}-{channel + 1}"
        elif ports and "multicast" not in chosen:
            answer = self._setup_udp(track, int(ports[1]), int(ports[2] or int(ports[1]) + 1))
        else:
            self._reply(request, 461)
            return
        ssrc = f"{self._playout.ssrc[track]:08X}"
        patience = max((fault.patience() for fault in self._faults), default=0.0) or 60
        session = f"Session: {self._session};timeout={patience:.0f}"
        self._reply(request, headers=[f"Transport: {answer};ssrc={ssrc}", session])

    def _setup_udp(self, track: int, rtp_port: int, rtcp_port: int) -> str:
        self._sockets[track] = _udp_pair()
        host = self._transport.get_extra_info("peername")[0]
        self._clients[track] = (host, rtp_port, rtcp_port)
        first, second = (each.getsockname()[1] for each in self._sockets[track])
        return f"RTP/AVP;unicast;client_port={rtp_port}-{rtcp_port};server_port={first}-{second}"

    def _play(self, request: Request) -> None:
        if not self._channels and not self._sockets:
            self._reply(request, 455)
            return
        if any(fault.early for fault in self._faults):
            self._start()
            loop = asyncio.get_running_loop()
            loop.call_later(0.3, self._reply, request, 200, [f"Session: {self._session}"])
            return
        self._reply(request, headers=[f"Session: {self._session}", "Range: npt=0.000-"])
        self._start()

    def _start(self) -> None:
        assert self._playout is not None
        if self._delivery is not None:
            return
        rate = next((int(fault.number(2000)) for fault in self._faults if fault.bytes_per_second), 0)
        carrier: Carrier
        if self._sockets:
            carrier = Datagrams(self._sockets, self._clients)
        else:
            carrier = Interleaved(self._transport, self._channels, rate)
        playout = self._playout
        self._delivery = Delivery(
            playout, carrier, self._faults, self._session,
            lambda picture: self._server.record(playout, picture), self._server.playout, self.hang_up,
        )  # fmt: skip
        self._delivery.start()

    def _pause(self, request: Request) -> None:
        if self._delivery is not None:
            self._delivery.stop()
            self._delivery = None
        self._reply(request, headers=[f"Session: {self._session}"])

    def _teardown(self, request: Request) -> None:
        self._server.torn_down += 1
        self._end_session()
        self._reply(request)

    def _end_session(self) -> None:
        if self._patience is not None:
            self._patience.cancel()
        if self._delivery is not None:
            self._delivery.stop()
            self._delivery = None
        for pair in self._sockets.values():
            for each in pair:
                each.close()
        self._sockets, self._channels = {}, {}

    def _reply(
        self, request: Request, status: int = 200, headers: Sequence[str] = (), body: str = ""
    ) -> None:
        if self._transport.is_closing():
            return
        lines = [
            f"RTSP/1.0 {status} {_REASONS.get(status, 'Error')}",
            f"CSeq: {request.headers.get('cseq', '0')}",
        ]
        if status == 401:
            login = self._login or Login("", "", "digest")
            lines += [f"WWW-Authenticate: {challenge}" for challenge in login.challenges()]
        lines += headers
        if body:
            lines.append(f"Content-Length: {len(body.encode())}")
        self._transport.write(("\r\n".join(lines) + "\r\n\r\n" + body).encode())


class RunningCameras:
    """A server in its own thread, for tests and programs without a loop."""

    def __init__(self, server: VirtualCameras) -> None:
        self._server = server
        self._ready = threading.Event()
        self._failure: BeholdenError | None = None
        self._thread = threading.Thread(target=self._run, name="virtual-cameras", daemon=True)
        self._thread.start()
        self._ready.wait()
        if self._failure is not None:
            self._thread.join()
            raise self._failure

    @property
    def port(self) -> int:
        """The port it listens on."""
        return self._server.port

    @property
    def connections(self) -> int:
        """How many connections clients have made so far."""
        return self._server.connections

    @property
    def torn_down(self) -> int:
        """How many sessions clients have ended in good order."""
        return self._server.torn_down

    def url(self, name: str, stream: str = "main", **faults: object) -> str:
        """See ``VirtualCameras.url``."""
        return self._server.url(name, stream, **faults)

    def sent_pictures(self, name: str, stream: str = "main") -> list[SentPicture]:
        """See ``VirtualCameras.sent_pictures``."""
        return self._server.sent_pictures(name, stream)

    def drop_clients(self, name: str | None = None) -> int:
        """See ``VirtualCameras.drop_clients``."""

        async def drop() -> int:
            return self._server.drop_clients(name)

        return asyncio.run_coroutine_threadsafe(drop(), self._loop).result()

    def hold(self) -> None:
        """See ``VirtualCameras.hold``."""

        async def hold() -> None:
            self._server.hold()

        asyncio.run_coroutine_threadsafe(hold(), self._loop).result()

    def stop(self) -> None:
        """Close every connection and end the thread; harmless when already stopped."""
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._stopping.set)
            self._thread.join()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _run(self) -> None:
        asyncio.run(self._main())

    async def _main(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._stopping = asyncio.Event()
        try:
            async with self._server:
                self._ready.set()
                await self._stopping.wait()
        except BeholdenError as error:
            self._failure = error
        finally:
            self._ready.set()


def start_virtual_cameras(
    cameras: Sequence[VirtualCamera],
    user: str | None = None,
    password: str | None = None,
    port: int = 0,
    scheme: Scheme = "digest",
    identity: TlsIdentity | None = None,
) -> RunningCameras:
    """Start a server in a thread; raises BeholdenError ``port_in_use`` or ``bad_clip``."""
    return RunningCameras(VirtualCameras(cameras, user, password, port, scheme, identity))


def _address(url: str) -> str:
    """A request's URL without its track part, so that SETUP names the same stream as DESCRIBE."""
    return _TRACK.sub("", url, count=1).rstrip("/")


def _udp_pair() -> tuple[socket.socket, socket.socket]:
    """Two bound UDP sockets on neighbouring ports, the first even, as RTP wants."""
    for _ in range(100):
        first = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        first.setblocking(False)
        first.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)
        first.bind((HOST, 0))
        second = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        second.setblocking(False)
        port = first.getsockname()[1]
        try:
            if port % 2 == 0:
                second.bind((HOST, port + 1))
                return first, second
        except OSError:
            pass  # the neighbour is taken: try another pair
        first.close()
        second.close()
    raise BeholdenError("no_free_ports", "No two neighbouring UDP ports are free.", "Close other programs.")
