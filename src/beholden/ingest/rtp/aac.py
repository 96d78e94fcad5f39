"""AAC over RTP (RFC 3640, mpeg4-generic): several access units in a packet, or one over several packets."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from beholden.ingest.rtp.audio import AudioDepacketiser, AudioSink

MAX_FRAME_BYTES: Final = 65_536
_RATES: Final = (96000, 88200, 64000, 48000, 44100, 32000, 24000, 22050, 16000, 12000, 11025, 8000, 7350)
_AAC_LC: Final = 2
_WITH_SBR: Final = (5, 29)


@dataclass(frozen=True, slots=True)
class AacLayout:
    """How AU headers are laid out: bits of the size and of the index (AAC-hbr: 13, 3; AAC-lbr: 6, 2),
    and samples in a frame in units of the RTP clock."""

    size_bits: int = 13
    index_bits: int = 3
    frame_samples: int = 1024


def make_config(rate: int, channels: int) -> bytes:
    """An AudioSpecificConfig for AAC-LC (ISO/IEC 14496-3 1.6.2.1), for cameras that send none."""
    index = _RATES.index(rate) if rate in _RATES else 15
    if index == 15:
        return ((_AAC_LC << 35) | (15 << 31) | (rate << 7) | (channels << 3)).to_bytes(5, "big")
    return ((_AAC_LC << 11) | (index << 7) | (channels << 3)).to_bytes(2, "big")


def config_rate(config: bytes) -> int:
    """The core sampling rate an AudioSpecificConfig states; 0 when it cannot be read."""
    if len(config) < 2:
        return 0
    index = (int.from_bytes(config[:2], "big") >> 7) & 15
    if index == 15 and len(config) >= 5:
        return (int.from_bytes(config[:5], "big") >> 7) & 0xFFFFFF
    return _RATES[index] if index < len(_RATES) else 0


def frame_samples(config: bytes, clock_rate: int) -> int:
    """Samples of one frame counted at the RTP clock: 1024, or 2048 when the clock runs at the rate that
    SBR doubles the core to."""
    core = config_rate(config)
    return 2048 if core and clock_rate == 2 * core else 1024


class AacDepacketiser(AudioDepacketiser):
    """Frames out of mpeg4-generic packets."""

    def __init__(self, payload_type: int, on_frame: AudioSink, layout: AacLayout = AacLayout()) -> None:
        super().__init__(payload_type, on_frame)
        self._layout = layout
        self._hbr = (layout.size_bits, layout.index_bits) == (13, 3)
        self._partial = b""
        self._partial_stamp = -1
        self._partial_size = 0

    def _payload(self, payload: bytes, stamp: int, hole: bool) -> None:
        # What nearly all cameras send: one whole frame a packet, under one header of AAC-hbr.
        if payload[:2] == b"\x00\x10" and self._hbr and len(payload) > 4:
            size = (payload[2] << 5) | (payload[3] >> 3)
            if size == len(payload) - 4:
                self._partial = b""
                self._on_frame(stamp, payload[4:], self._layout.frame_samples, hole)
                return
        sizes, body = self._headers(payload)
        if hole:
            self._partial = b""
        if len(sizes) == 1 and sizes[0] > len(body):
            self._fragment(body, sizes[0], stamp, hole)
            return
        self._partial = b""
        for size in sizes:
            if not size or size > len(body):
                return
            self._on_frame(stamp, body[:size], self._layout.frame_samples, hole)
            body = body[size:]
            stamp = (stamp + self._layout.frame_samples) & 0xFFFFFFFF
            hole = False

    def _headers(self, payload: bytes) -> tuple[list[int], bytes]:
        bits = int.from_bytes(payload[:2], "big")
        length = (bits + 7) // 8
        if len(payload) < 2 + length:
            return [], b""
        block = int.from_bytes(payload[2 : 2 + length], "big") >> (8 * length - bits)
        each = self._layout.size_bits + self._layout.index_bits
        mask = (1 << self._layout.size_bits) - 1
        count = min(bits // each, 64)
        sizes = [
            (block >> (bits - each * (number + 1) + self._layout.index_bits)) & mask
            for number in range(count)
        ]
        return sizes, payload[2 + length :]

    def _fragment(self, body: bytes, size: int, stamp: int, hole: bool) -> None:
        # Each fragment carries the whole frame's size and the same timestamp; the marker is on the last.
        if stamp != self._partial_stamp or size != self._partial_size or not self._partial:
            self._partial = b""
        self._partial_stamp, self._partial_size = stamp, size
        self._partial += body
        if len(self._partial) == size:
            self._on_frame(stamp, self._partial, self._layout.frame_samples, hole)
            self._partial = b""
        elif len(self._partial) > min(size, MAX_FRAME_BYTES):
            self._partial = b""
