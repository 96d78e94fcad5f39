"""What the ingest tests share: a sink, coded pictures, a packetiser, a scripted RTSP server."""

from __future__ import annotations

import base64
import contextlib
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from fractions import Fraction

import av
import numpy as np
import pytest

from beholden.model.media import AccessUnit, StreamFormat, Track

MTU = 200  # small, so that small pictures are fragmented too


class Remembering:
    """A StreamSink that keeps everything, in order."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.formats: list[StreamFormat] = []
        self.units: list[AccessUnit] = []

    def on_format(self, stream_format: StreamFormat) -> None:
        self.calls.append("format")
        self.formats.append(stream_format)

    def on_access_unit(self, unit: AccessUnit) -> None:
        self.calls.append("key" if unit.track is Track.VIDEO and unit.key else unit.track.name.lower())
        self.units.append(unit)

    def on_discontinuity(self) -> None:
        self.calls.append("jump")

    @property
    def video(self) -> list[AccessUnit]:
        return [unit for unit in self.units if unit.track is Track.VIDEO]

    @property
    def audio(self) -> list[AccessUnit]:
        return [unit for unit in self.units if unit.track is Track.AUDIO]


@dataclass
class Coded:
    """Pictures of a real encoder: NAL units of each in decode order, its 90 kHz time, whether it is key."""

    codec: str
    width: int
    height: int
    pictures: list[tuple[int, bool, list[bytes]]]
    sets: tuple[bytes, ...]

    def samples(self) -> list[bytes]:
        """Each picture as MP4 stores it: slices and SEI with four-byte lengths."""
        return [
            b"".join(len(nal).to_bytes(4, "big") + nal for nal in nals if self.is_kept(nal))
            for _, _, nals in self.pictures
        ]

    def is_kept(self, nal: bytes) -> bool:
        if self.codec == "h264":
            return 1 <= nal[0] & 31 <= 6
        return nal[0] >> 1 & 63 <= 31 or nal[0] >> 1 & 63 in (39, 40)


def _encode(codec: str, width: int, height: int, count: int, options: dict[str, str]) -> Coded:
    context = av.CodecContext.create({"h264": "libx264", "h265": "libx265"}[codec], "w")
    context.width, context.height, context.pix_fmt = width, height, "yuv420p"
    context.time_base, context.framerate = Fraction(1, 90_000), Fraction(25)
    context.options = {"preset": "ultrafast", **options}
    noise = np.random.default_rng(7).integers(0, 255, (height, width, 3), dtype=np.uint8)
    packets = []
    for number in range(count):
        frame = av.VideoFrame.from_ndarray(np.roll(noise, 8 * number, axis=1), format="rgb24")
        frame.pts, frame.time_base = number * 3600, Fraction(1, 90_000)
        packets += context.encode(frame)
    packets += context.encode(None)
    kinds = (7, 8) if codec == "h264" else (32, 33, 34)
    pictures, sets = [], {}
    for packet in packets:
        nals = [piece.rstrip(b"\0") for piece in bytes(packet).split(b"\0\0\1")]
        nals = [nal for nal in nals if nal]
        for nal in nals:
            kind = nal[0] & 31 if codec == "h264" else nal[0] >> 1 & 63
            if kind in kinds:
                sets.setdefault(kind, nal)
        pictures.append((packet.pts, packet.is_keyframe, nals))
    return Coded(codec, width, height, pictures, tuple(sets[kind] for kind in kinds))


@pytest.fixture(scope="session")
def coded() -> Callable[..., Coded]:
    """``coded(codec="h264", width=128, height=98, count=12, **encoder options)``, each encoded once."""
    kept: dict[object, Coded] = {}

    def get(
        codec: str = "h264", width: int = 128, height: int = 98, count: int = 12, **options: str
    ) -> Coded:
        choice = {"h264": {"g": "6"}, "h265": {"x265-params": "keyint=6:min-keyint=6:log-level=none"}}[codec]
        key = (codec, width, height, count, tuple(options.items()))
        if key not in kept:
            kept[key] = _encode(codec, width, height, count, {**choice, **options})
        return kept[key]

    return get


@dataclass
class Packetiser:
    """Small and its own: RTP in interleaved frames. ``faults`` of the wire are made by the tests."""

    codec: str
    channel: int = 0
    payload_type: int = 96
    sequence: int = 65_530  # wraps soon
    ssrc: int = 0x1234
    marker: bool = True
    aggregate_sets: bool = True
    packets: list[bytes] = field(default_factory=list)

    def frame(self, payload: bytes, stamp: int, marker: bool) -> bytes:
        head = struct.pack(
            ">BBHII",
            0x80,
            self.payload_type | (0x80 if marker else 0),
            self.sequence,
            stamp & 0xFFFFFFFF,
            self.ssrc,
        )
        self.sequence = (self.sequence + 1) & 0xFFFF
        return struct.pack(">BBH", 0x24, self.channel, len(head) + len(payload)) + head + payload

    def picture(self, nals: list[bytes], stamp: int) -> list[bytes]:
        payloads = self.payloads(nals)
        return [
            self.frame(payload, stamp, self.marker and place == len(payloads) - 1)
            for place, payload in enumerate(payloads)
        ]

    def payloads(self, nals: list[bytes]) -> list[bytes]:
        sets = [nal for nal in nals if self._kind(nal) in ((7, 8) if self.codec == "h264" else (32, 33, 34))]
        out: list[bytes] = []
        if self.aggregate_sets and len(sets) > 1:
            head = bytes((24,)) if self.codec == "h264" else bytes((48 << 1, 1))
            out.append(head + b"".join(len(nal).to_bytes(2, "big") + nal for nal in sets))
            nals = [nal for nal in nals if nal not in sets]
        for nal in nals:
            out += [nal] if len(nal) <= MTU else self._fragments(nal)
        return out

    def _kind(self, nal: bytes) -> int:
        return nal[0] & 31 if self.codec == "h264" else nal[0] >> 1 & 63

    def _fragments(self, nal: bytes) -> list[bytes]:
        if self.codec == "h264":
            head, kind, body = bytes(((nal[0] & 0xE0) | 28,)), nal[0] & 31, nal[1:]
        else:
            head, kind, body = bytes(((nal[0] & 0x81) | 49 << 1, nal[1])), nal[0] >> 1 & 63, nal[2:]
        pieces = [body[at : at + MTU] for at in range(0, len(body), MTU)]
        last = len(pieces) - 1
        return [
            head + bytes((kind | (0x80 if place == 0 else 0) | (0x40 if place == last else 0),)) + piece
            for place, piece in enumerate(pieces)
        ]

    def stream(self, coded: Coded, start: int = 0, repeat: int = 1) -> list[bytes]:
        """All pictures as interleaved frames; with ``repeat`` they follow themselves in time."""
        length = 3600 * len(coded.pictures)
        return [
            frame
            for turn in range(repeat)
            for pts, _, nals in coded.pictures
            for frame in self.picture(nals, start + pts + turn * length)
        ]


def sdp_of(coded: Coded, audio: str = "", sprop: bool = True) -> str:
    """A description of this video, and sections of ``audio`` after it."""
    texts = [base64.b64encode(nal).decode() for nal in coded.sets]
    if coded.codec == "h264":
        known = "sprop-parameter-sets=" + ",".join(texts)
    else:
        known = ";".join(
            f"sprop-{name}={text}" for name, text in zip(("vps", "sps", "pps"), texts, strict=True)
        )
    fmtp = f"a=fmtp:96 packetization-mode=1;{known}\r\n" if sprop else ""
    name = coded.codec.upper()
    return (
        "v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\na=control:*\r\n"
        f"m=video 0 RTP/AVP 96\r\na=rtpmap:96 {name}/90000\r\n{fmtp}a=control:track1\r\n{audio}"
    )


Answer = Callable[["Asked"], bytes | None]


@dataclass
class Asked:
    """A request the scripted server got."""

    method: str
    url: str
    headers: dict[str, str]
    connection: socket.socket

    def reply(self, status: str = "200 OK", body: str = "", **headers: str) -> bytes:
        lines = [f"RTSP/1.0 {status}", f"CSeq: {self.headers.get('cseq', '')}"]
        lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
        lines += [f"Content-Length: {len(body.encode())}"] if body else []
        return ("\r\n".join(lines) + "\r\n\r\n" + body).encode()


class ScriptedServer:
    """An RTSP server that answers each method with a function of the test's; the rest as a camera would.

    ``play`` are the bytes sent after the reply to PLAY. A greeting is sent before anything is asked.
    """

    def __init__(self) -> None:
        self.answers: dict[str, Answer] = {}
        self.description = ""
        self.play = b""
        self.greeting = b""
        self.silent = False
        self.hang_up_after_play = False
        self.asked: list[Asked] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._open: list[socket.socket] = []
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        self._threads[0].start()

    @property
    def url(self) -> str:
        return f"rtsp://127.0.0.1:{self.port}/live"

    def methods(self) -> list[str]:
        return [asked.method for asked in self.asked]

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for connection in self._open:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(10)
        for connection in self._open:
            connection.close()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self._open.append(connection)
            thread = threading.Thread(target=self._serve, args=(connection,), daemon=True)
            self._threads.append(thread)
            thread.start()

    def _serve(self, connection: socket.socket) -> None:
        with contextlib.suppress(OSError):
            connection.sendall(self.greeting)
            data = b""
            while True:
                piece = connection.recv(65_536)
                if not piece:
                    break
                if self.silent:
                    continue
                data += piece
                while b"\r\n\r\n" in data:
                    head, _, data = data.partition(b"\r\n\r\n")
                    if not self._answer(head.decode(), connection):
                        connection.shutdown(socket.SHUT_RDWR)
                        return

    def _answer(self, head: str, connection: socket.socket) -> bool:
        first, *lines = head.split("\r\n")
        words = first.split(" ")
        if words[0].startswith("RTSP/"):
            return True
        headers = {
            name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)
        }
        asked = Asked(words[0], words[1], headers, connection)
        self.asked.append(asked)
        answer = self.answers.get(asked.method, self._as_camera)(asked)
        if answer is None:
            return False
        connection.sendall(answer)
        return not (asked.method == "PLAY" and self.hang_up_after_play)

    def _as_camera(self, asked: Asked) -> bytes | None:
        if asked.method == "OPTIONS":
            return asked.reply(Public="OPTIONS, DESCRIBE, SETUP, PLAY, TEARDOWN, GET_PARAMETER")
        if asked.method == "DESCRIBE":
            return asked.reply(body=self.description, Content_Type="application/sdp")
        if asked.method == "SETUP":
            return asked.reply(Transport=asked.headers["transport"], Session="77;timeout=60")
        if asked.method == "PLAY":
            return asked.reply(Session="77") + self.play
        return asked.reply()


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    """A scripted server of the test's own."""
    scripted = ScriptedServer()
    yield scripted
    scripted.close()


@pytest.fixture
def sink() -> Remembering:
    """A sink that remembers."""
    return Remembering()


@pytest.fixture
def make_sink() -> type[Remembering]:
    """Makes sinks that remember, for tests that need several."""
    return Remembering


@pytest.fixture
def packetiser() -> type[Packetiser]:
    """The class that makes interleaved frames."""
    return Packetiser


@pytest.fixture
def describe() -> Callable[..., str]:
    """``describe(coded, audio="", sprop=True)``: a session description."""
    return sdp_of


def _until(poll: Callable[[], object], done: Callable[[], object], seconds: float = 30.0) -> None:
    end = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < end, "what was waited for did not happen"
        poll()
        time.sleep(0.002)


@pytest.fixture
def until() -> Callable[..., None]:
    """``until(poll, done)``: poll again and again until done; fails after a generous while."""
    return _until
