"""A small RTSP client for tests of the virtual cameras: blocking, plain, independent of the product's own."""

from __future__ import annotations

import base64
import hashlib
import re
import socket
import struct
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple
from urllib.parse import urlsplit

import pytest


class Answer(NamedTuple):
    """A reply: status, headers (lower case, several WWW-Authenticate joined by newlines), body."""

    status: int
    headers: dict[str, str]
    body: str


class Rtp(NamedTuple):
    """One received RTP packet; ``order`` counts all messages of the connection."""

    channel: int
    marker: bool
    payload_type: int
    sequence: int
    timestamp: int
    ssrc: int
    payload: bytes


@dataclass
class Client:
    """One RTSP connection. Media lands in ``packets`` and ``reports``, junk between frames in ``junk``."""

    url: str
    packets: list[Rtp] = field(default_factory=list)
    reports: list[bytes] = field(default_factory=list)
    junk: bytes = b""
    closed: bool = False
    media_before_play_reply: int = 0

    def __post_init__(self) -> None:
        parts = urlsplit(self.url)
        self._socket = socket.create_connection((parts.hostname, parts.port), timeout=20)
        self._buffer = b""
        self._sequence = 0
        self._answers: list[Answer] = []
        self.session = ""

    def ask(self, method: str, url: str = "", seconds: float = 20, **headers: str) -> Answer:
        """Send a request and wait for its reply; TimeoutError when none comes, EOFError on a close."""
        self._sequence += 1
        lines = [f"{method} {url or self.url} RTSP/1.0", f"CSeq: {self._sequence}"]
        lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
        if self.session:
            lines.append(f"Session: {self.session}")
        self._socket.sendall(("\r\n".join(lines) + "\r\n\r\n").encode())
        if not self.read(lambda: bool(self._answers), seconds):
            raise EOFError if self.closed else TimeoutError
        return self._answers.pop(0)

    def describe(self, **headers: str) -> str:
        """The session description."""
        answer = self.ask("DESCRIBE", Accept="application/sdp", **headers)
        assert answer.status == 200
        return answer.body

    def play(self, **headers: str) -> None:
        """SETUP of every described track over TCP, then PLAY."""
        sdp = self.describe(**headers)
        for index, control in enumerate(re.findall(r"a=control:(track\d+)", sdp)):
            transport = f"RTP/AVP/TCP;unicast;interleaved={2 * index}-{2 * index + 1}"
            answer = self.ask("SETUP", f"{self.url}/{control}", Transport=transport, **headers)
            assert answer.status == 200
            self.session = answer.headers["session"].partition(";")[0]
        assert self.ask("PLAY", Range="npt=0.000-", **headers).status == 200

    def read(self, until: Callable[[], bool], seconds: float = 20) -> bool:
        """Read until a condition holds; False when the peer closed or time ran out first."""
        end = time.monotonic() + seconds
        while not until():
            left = end - time.monotonic()
            if left <= 0:
                return False
            self._socket.settimeout(left)
            try:
                data = self._socket.recv(65536)
            except TimeoutError:
                return False
            except ConnectionResetError:
                data = b""
            if not data:
                self.closed = True
                return False
            self._buffer += data
            while self._take():
                pass
        return True

    def pictures(self, count: int, seconds: float = 20) -> list[int]:
        """RTP timestamps of the first ``count`` pictures (video is channel 0)."""
        self.read(lambda: len(self._times()) > count, seconds)
        return self._times()[:count]

    def of(self, channel: int) -> list[Rtp]:
        """Packets of one channel."""
        return [packet for packet in self.packets if packet.channel == channel]

    def close(self) -> None:
        self._socket.close()

    def _times(self) -> list[int]:
        return list(dict.fromkeys(packet.timestamp for packet in self.of(0)))

    def _take(self) -> bool:
        data = self._buffer
        if data[:1] == b"$":
            if len(data) < 4 or len(data) < 4 + int.from_bytes(data[2:4], "big"):
                return False
            size = int.from_bytes(data[2:4], "big")
            self._media(data[1], data[4 : 4 + size])
            self._buffer = data[4 + size :]
            return True
        if data[:5] == b"RTSP/":
            end = data.find(b"\r\n\r\n")
            return end >= 0 and self._reply(end)
        if not data:
            return False
        self.junk += data[:1]
        self._buffer = data[1:]
        return True

    def _reply(self, end: int) -> bool:
        lines = self._buffer[:end].decode().split("\r\n")
        headers: dict[str, str] = {}
        for line in lines[1:]:
            name, _, value = line.partition(":")
            known = headers.get(name.lower())
            headers[name.lower()] = value.strip() if known is None else f"{known}\n{value.strip()}"
        size = int(headers.get("content-length", "0"))
        if len(self._buffer) < end + 4 + size:
            return False
        body = self._buffer[end + 4 : end + 4 + size].decode()
        self._buffer = self._buffer[end + 4 + size :]
        if "range" in headers or not self._answers:
            self.media_before_play_reply = len(self.packets)
        self._answers.append(Answer(int(lines[0].split()[1]), headers, body))
        return True

    def _media(self, channel: int, data: bytes) -> None:
        if channel % 2:
            self.reports.append(data)
            return
        _, kind, sequence, timestamp, ssrc = struct.unpack_from(">BBHII", data)
        packet = Rtp(channel, kind >= 0x80, kind & 0x7F, sequence, timestamp, ssrc, data[12:])
        self.packets.append(packet)


def basic(user: str, password: str) -> str:
    """An Authorization header value."""
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


def digest(challenge: str, method: str, url: str, user: str, password: str) -> str:
    """The answer to one Digest challenge (RFC 7616), MD5 without qop or SHA-256 with it."""
    given = dict(re.findall(r'(\w+)="?([^",]+)"?', challenge))
    name = given.get("algorithm", "MD5")
    hashed = {"MD5": hashlib.md5, "SHA-256": hashlib.sha256}[name]

    def digest_of(text: str) -> str:
        return hashed(text.encode()).hexdigest()

    secret = digest_of(f"{user}:{given['realm']}:{password}")
    middle = given["nonce"] + (":00000001:abcd:auth" if "qop" in given else "")
    response = digest_of(f"{secret}:{middle}:{digest_of(f'{method}:{url}')}")
    extra = ', qop=auth, nc=00000001, cnonce="abcd", algorithm=SHA-256' if "qop" in given else ""
    return (
        f'Digest username="{user}", realm="{given["realm"]}", nonce="{given["nonce"]}", '
        f'uri="{url}", response="{response}"{extra}'
    )


@pytest.fixture
def rtsp_client() -> Iterator[Callable[[str], Client]]:
    """``rtsp_client(url)``: a connected client, closed after the test."""
    opened: list[Client] = []

    def connect(url: str) -> Client:
        opened.append(Client(url))
        return opened[-1]

    yield connect
    for client in opened:
        client.close()


@pytest.fixture
def authorize() -> Callable[..., str]:
    """``authorize(challenge, method, url, user, password)`` for Digest, ``authorize(None, …)`` for Basic."""

    def make(challenge: str | None, method: str, url: str, user: str, password: str) -> str:
        return basic(user, password) if challenge is None else digest(challenge, method, url, user, password)

    return make
