"""Coded media between a camera and a file: formats and access units.

Video time is 90 kHz ticks since the Unix epoch. Audio time is samples at ``AudioFormat.rate``
since the Unix epoch. Both are site wall time as the ingest clock maps it, so the first number of
a file says when it was filmed.
"""

from __future__ import annotations

import enum
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from beholden.model.av1 import parse_sequence_header

VideoCodec = Literal["h264", "h265", "av1", "mjpeg"]
AudioCodec = Literal["aac", "pcmu", "pcma", "opus", "l16"]

VIDEO_NAMES: dict[VideoCodec, str] = {"h264": "H.264", "h265": "H.265", "av1": "AV1", "mjpeg": "Motion JPEG"}
"""What people call them."""


class Track(enum.IntEnum):
    """Which track of a stream an access unit belongs to."""

    VIDEO = 0
    AUDIO = 1


@dataclass(frozen=True, slots=True)
class VideoFormat:
    """What a decoder must know of a video track.

    ``parameter_sets`` are raw NAL units without start codes or lengths: (SPS, PPS) for H.264,
    (VPS, SPS, PPS) for H.265; for AV1 the sequence header OBU with its size; for Motion JPEG none, since
    every picture carries all it needs. ``width`` and ``height`` are the cropped picture in pixels.
    """

    codec: VideoCodec
    width: int
    height: int
    parameter_sets: tuple[bytes, ...]

    @property
    def codec_string(self) -> str:
        """The RFC 6381 name a browser understands, e.g. ``avc1.640028`` or ``hvc1.1.6.L120.90``.

        ValueError for an AV1 sequence header that makes no sense.
        """
        if self.codec == "h264":
            return "avc1." + self.parameter_sets[0][1:4].hex().upper()
        if self.codec == "av1":
            return parse_sequence_header(self.parameter_sets[0]).codec_string
        if self.codec == "mjpeg":
            return "mp4v.6C"
        return _hevc_codec_string(self.parameter_sets[1])


@dataclass(frozen=True, slots=True)
class AudioFormat:
    """What a decoder must know of an audio track.

    ``rate`` in Hz (48000 for Opus), ``config`` the AudioSpecificConfig for AAC, else empty.
    """

    codec: AudioCodec
    rate: int
    channels: int
    config: bytes = b""

    @property
    def codec_string(self) -> str:
        """The RFC 6381 name; G.711 and L16 have one too, though browsers do not play them from MP4."""
        if self.codec == "aac":
            object_type = self.config[0] >> 3 if self.config else 2
            return f"mp4a.40.{object_type}"
        return {"opus": "opus", "pcmu": "ulaw", "pcma": "alaw", "l16": "twos"}[self.codec]


@dataclass(frozen=True, slots=True)
class StreamFormat:
    """The tracks of one stream as they are now; a change starts a new file."""

    video: VideoFormat
    audio: AudioFormat | None = None


class AccessUnit:
    """One coded picture, or one audio frame, with its time.

    ``parts`` are byte strings that, joined, form the sample as MP4 stores it: for H.264 and H.265
    4-byte-length-prefixed NAL units (parameter sets and access-unit delimiters left out), for AV1 the OBUs
    of a temporal unit with their sizes (no temporal delimiter), for Motion JPEG a whole JPEG file; the raw
    frame for audio (L16: big-endian samples, channels interleaved).
    ``pts`` is in the track's own units (see module). ``duration`` is in the same units for audio and
    0 for video, whose duration is the distance to the next picture.
    ``arrival_ms`` is wall time at which the last byte was read.
    """

    __slots__ = ("arrival_ms", "duration", "key", "parts", "pts", "size", "track")

    def __init__(
        self,
        track: Track,
        pts: int,
        key: bool,
        parts: Sequence[bytes],
        size: int,
        arrival_ms: int,
        duration: int = 0,
    ) -> None:
        self.track = track
        self.pts = pts
        self.key = key
        self.parts = parts
        self.size = size
        self.arrival_ms = arrival_ms
        self.duration = duration

    def data(self) -> bytes:
        """The sample in one piece."""
        return self.parts[0] if len(self.parts) == 1 else b"".join(self.parts)

    def __repr__(self) -> str:
        return f"AccessUnit({self.track.name}, pts={self.pts}, key={self.key}, size={self.size})"


class StreamSink(Protocol):
    """Who receives what a source reads. Calls come in order, from one thread."""

    def on_format(self, stream_format: StreamFormat) -> None:
        """The tracks are known, or have changed; precedes the first access unit of the new format."""
        ...

    def on_access_unit(self, unit: AccessUnit) -> None:
        """One picture or audio frame, in decode order."""
        ...

    def on_discontinuity(self) -> None:
        """Media time jumped (step over 1 s or backwards): the next unit begins a new file."""
        ...


def _hevc_codec_string(sps: bytes) -> str:
    # ISO/IEC 14496-15 Annex E.3: profile, compatibility flags reversed, tier+level, constraints.
    ptl = sps[2:].replace(b"\x00\x00\x03", b"\x00\x00")[1:13]
    space = ("", "A", "B", "C")[ptl[0] >> 6]
    tier = "H" if ptl[0] & 0x20 else "L"
    compatibility = int(f"{int.from_bytes(ptl[1:5], 'big'):032b}"[::-1], 2)
    constraints = ptl[5:11].rstrip(b"\x00")
    tail = "".join(f".{byte:X}" for byte in constraints)
    return f"hvc1.{space}{ptl[0] & 31}.{compatibility:X}.{tier}{ptl[11]}{tail}"
