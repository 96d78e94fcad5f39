"""Coded media for the record room's tests: really encoded, once a run, as access units."""

from __future__ import annotations

import functools
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import av
import numpy as np
import pytest

from beholden.model.media import (
    AccessUnit,
    AudioCodec,
    AudioFormat,
    StreamFormat,
    Track,
    VideoCodec,
    VideoFormat,
)

START_MS = 1_795_472_104_250
START = START_MS * 90
FPS, WIDTH, HEIGHT = 10, 160, 96
_ENCODERS = {"h264": "libx264", "h265": "libx265"}
_SOUND = {
    "aac": ("aac", 16000),
    "pcmu": ("pcm_mulaw", 8000),
    "pcma": ("pcm_alaw", 8000),
    "opus": ("libopus", 48000),
}

CodedStream = tuple[StreamFormat, list[AccessUnit]]


@pytest.fixture(scope="session")
def coded() -> Callable[..., CodedStream]:
    """``coded(codec, audio, seconds, gop, bframes)`` -> (format, units in order of arrival)."""
    return coded_stream


@functools.cache
def coded_stream(
    codec: VideoCodec = "h264",
    audio: AudioCodec | None = None,
    seconds: int = 3,
    gop: int = 10,
    bframes: int = 0,
) -> CodedStream:
    """A moving square and a tone; times begin at START."""
    video_format, pictures = _encode_video(codec, seconds * FPS, gop, bframes)
    if audio is None:
        return StreamFormat(video_format), pictures
    audio_format, sounds = _encode_audio(audio, seconds)
    merged = sorted(
        [*enumerate_times(pictures, 90_000), *enumerate_times(sounds, audio_format.rate)],
        key=lambda item: item[0],
    )
    return StreamFormat(video_format, audio_format), [unit for _, unit in merged]


def enumerate_times(units: list[AccessUnit], rate: int) -> list[tuple[float, AccessUnit]]:
    """Units with a time of arrival that keeps their order (decode order for pictures)."""
    latest = 0.0
    timed = []
    for unit in units:
        latest = max(latest, unit.pts / rate)
        timed.append((latest, unit))
    return timed


def _encode_video(
    codec: VideoCodec, count: int, gop: int, bframes: int
) -> tuple[VideoFormat, list[AccessUnit]]:
    context: Any = av.CodecContext.create(_ENCODERS[codec], "w")
    context.width, context.height, context.pix_fmt = WIDTH, HEIGHT, "yuv420p"
    context.time_base, context.framerate = Fraction(1, FPS), Fraction(FPS)
    params = f"keyint={gop}:min-keyint={gop}:scenecut=0:bframes={bframes}:repeat-headers=1:log-level=none"
    context.options = {"preset": "ultrafast", f"{_ENCODERS[codec][3:]}-params": params}
    packets = []
    for number in range(count):
        picture = np.full((HEIGHT, WIDTH, 3), 60, np.uint8)
        left = number * 3 % (WIDTH - 20)
        picture[20:50, left : left + 20] = 220
        frame = av.VideoFrame.from_ndarray(picture, format="rgb24").reformat(format="yuv420p")
        frame.pts = number
        packets += context.encode(frame)
    packets += context.encode(None)
    sets: dict[int, bytes] = {}
    units = [_picture(codec, packet, sets) for packet in packets]
    return VideoFormat(codec, WIDTH, HEIGHT, tuple(sets[kind] for kind in sorted(sets))), units


def _picture(codec: VideoCodec, packet: Any, sets: dict[int, bytes]) -> AccessUnit:
    parts: list[bytes] = []
    key = False
    for nal in _nals(bytes(packet)):
        kind = nal[0] & 31 if codec == "h264" else nal[0] >> 1 & 63
        if kind in ((7, 8) if codec == "h264" else (32, 33, 34)):
            sets[kind] = nal
            continue
        if kind in ((6, 9) if codec == "h264" else (35, 39, 40)):
            continue
        key = key or (kind == 5 if codec == "h264" else 16 <= kind <= 21)
        parts += [len(nal).to_bytes(4, "big"), nal]
    pts = START + int(packet.pts) * 90_000 // FPS
    return AccessUnit(Track.VIDEO, pts, key, parts, sum(map(len, parts)), pts // 90)


def _nals(data: bytes) -> list[bytes]:
    return [piece.rstrip(b"\0") for piece in data.split(b"\0\0\1")[1:]]


def _encode_audio(codec: AudioCodec, seconds: int) -> tuple[AudioFormat, list[AccessUnit]]:
    name, rate = _SOUND[codec]
    context: Any = av.CodecContext.create(name, "w")
    context.sample_rate, context.layout = rate, "mono"
    context.format = context.codec.audio_formats[0]
    context.open()
    size = context.frame_size or rate // 50
    units, position = [], 0
    wave = (np.sin(np.arange(seconds * rate) * 440 * 2 * np.pi / rate) * 8000).astype(np.int16)
    resampler = av.AudioResampler(format=context.format, layout="mono", rate=rate)
    packets = []
    for start in range(0, len(wave) - size + 1, size):
        frame = av.AudioFrame.from_ndarray(wave[None, start : start + size], format="s16", layout="mono")
        frame.sample_rate, frame.pts = rate, start
        for ready in resampler.resample(frame):
            packets += context.encode(ready)
    for packet in packets:
        data = bytes(packet)
        pts = START_MS * rate // 1000 + position
        units.append(AccessUnit(Track.AUDIO, pts, True, (data,), len(data), START_MS, size))
        position += size
    config = bytes(context.extradata or b"") if codec == "aac" else b""
    return AudioFormat(codec, rate, 1, config), units
