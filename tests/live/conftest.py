"""Fixtures: a hub over fake buses, and units of drawn clips."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from beholden.bus.fake import FakeAsyncBus
from beholden.bus.messages import BusError
from beholden.demo.clip import read_clip
from beholden.live.hub import Hub
from beholden.model.camera import StreamRole
from beholden.model.media import AccessUnit, AudioFormat, StreamFormat, Track, VideoFormat

EPOCH_TICKS = 1_767_225_600_000 * 90


@dataclass
class Coded:
    """A clip as a recorder relays it."""

    format: StreamFormat
    units: list[AccessUnit]

    @property
    def pictures(self) -> list[AccessUnit]:
        """Only the pictures."""
        return [unit for unit in self.units if unit.track is Track.VIDEO]


@dataclass
class Recorders:
    """Every connection a hub makes, newest last. ``absent`` makes connecting fail."""

    buses: list[FakeAsyncBus] = field(default_factory=list)
    absent: bool = False

    async def connect(self, shard: int) -> FakeAsyncBus:
        """As AsyncBusClient."""
        assert shard == 0
        if self.absent:
            raise BusError("bus_unreachable", "Nobody is there.")
        self.buses.append(FakeAsyncBus())
        return self.buses[-1]

    async def shard_of(self, camera: int) -> int:
        """All in one."""
        return 0

    async def bus(self, camera: int, stream: StreamRole, number: int = -1) -> Any:
        """The fake bus that subscribed to a stream, waited for."""
        for _ in range(2000):
            found = [
                b.inner for b in self.buses if (camera, stream) in b.inner.subscribed and not b.inner.closed
            ]
            if found:
                return found[number]
            await asyncio.sleep(0.01)
        raise AssertionError("nobody subscribed")


class FakeSocket:
    """Notes what is sent; ``hold`` makes sending wait, as a slow network does."""

    def __init__(self) -> None:
        self.texts: list[dict[str, Any]] = []
        self.binary: list[bytes] = []
        self.order: list[str] = []
        self._go = asyncio.Event()
        self._go.set()

    def hold(self) -> None:
        """From now on nothing gets through."""
        self._go.clear()

    def release(self) -> None:
        """It goes on."""
        self._go.set()

    async def send_text(self, data: str) -> None:
        """As a WebSocket."""
        await self._go.wait()
        self.texts.append(json.loads(data))
        self.order.append(self.texts[-1]["kind"])

    async def send_bytes(self, data: bytes) -> None:
        """As a WebSocket."""
        await self._go.wait()
        self.binary.append(data)
        self.order.append("init" if data[:8] == bytes(8) else "fragment")

    @property
    def stream(self) -> bytes:
        """All media in one piece, without arrival times."""
        return b"".join(data[8:] for data in self.binary)


async def until(condition: Any, seconds: float = 30.0) -> None:
    """Wait for a condition."""
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.01)


@pytest.fixture
def recorders() -> Recorders:
    """No recorder yet."""
    return Recorders()


@pytest.fixture
async def hub(recorders: Recorders) -> AsyncIterator[Hub]:
    """A hub, closed after the test."""
    made = Hub(recorders.connect, recorders.shard_of)
    yield made
    await made.close()


@pytest.fixture
def socket() -> FakeSocket:
    """A browser's end."""
    return FakeSocket()


@pytest.fixture
def wait() -> Any:
    """``await wait(condition)``."""
    return until


@pytest.fixture
def coded(clip_factory: Any) -> Any:
    """``coded(codec="h265", audio="aac")`` → a clip of 2 s as units from EPOCH_TICKS on."""

    def make(**choice: Any) -> Coded:
        return _read(clip_factory(**choice))

    return make


def _read(path: Path) -> Coded:
    import av

    clip = read_clip(path)
    units, audio = [], None
    with av.open(str(path)) as container:
        for stream in container.streams.audio:
            known = {"aac": "aac", "pcm_mulaw": "pcmu", "libopus": "opus", "opus": "opus", "pcm_s16be": "l16"}
            name = known[stream.codec_context.name]
            rate = 48_000 if name == "opus" else stream.codec_context.sample_rate
            config = bytes(stream.codec_context.extradata or b"") if name == "aac" else b""
            audio = AudioFormat(name, rate, 1, config)  # type: ignore[arg-type]
        for packet in container.demux():
            if packet.size:
                units += _units(packet, audio)
    units.sort(
        key=lambda unit: unit.pts / (90_000 if unit.track is Track.VIDEO or audio is None else audio.rate)
    )
    video = VideoFormat(clip.video.codec, clip.width, clip.height, clip.video.parameter_sets)  # type: ignore[arg-type]
    return Coded(StreamFormat(video, audio), units)


def _units(packet: Any, audio: AudioFormat | None) -> list[AccessUnit]:
    data = bytes(packet)
    if packet.stream.type == "video":
        pts = EPOCH_TICKS + round(packet.pts * packet.time_base * 90_000)
        return [AccessUnit(Track.VIDEO, pts, packet.is_keyframe, (data,), len(data), pts // 90 + 5)]
    assert audio is not None
    pts = EPOCH_TICKS // 90 * audio.rate // 1000 + round(packet.pts * packet.time_base * audio.rate)
    width = {"pcmu": 1, "l16": 2}.get(audio.codec)
    step = 160 * width if width else len(data)
    found = []
    for at in range(0, len(data), step):
        piece = data[at : at + step]
        length = len(piece) // width if width else round(packet.duration * packet.time_base * audio.rate)
        start = pts + (at // width if width else 0)
        found.append(AccessUnit(Track.AUDIO, start, True, (piece,), len(piece), 0, length))
    return found


@contextlib.asynccontextmanager
async def running(work: Any) -> AsyncIterator[asyncio.Task[Any]]:
    """A task for the length of a block."""
    task = asyncio.create_task(work)
    try:
        yield task
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


@pytest.fixture
def run() -> Any:
    """``async with run(coroutine) as task``."""
    return running
