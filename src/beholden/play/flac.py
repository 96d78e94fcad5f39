"""G.711 to FLAC: lossless, stateless from frame to frame, and playable by browsers from MP4.

Every block of samples becomes one FLAC frame that needs nothing before it, so converted GOPs join without
priming, padding or a seam.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Literal

import av
import numpy as np
import numpy.typing as npt

from beholden.play.fragments import Run, Sample
from beholden.play.tracks import TrackDescription, flac_track
from beholden.record.fmp4.boxes import AUDIO_TRACK

LARGEST_BLOCK = 1024
SMALLEST_BLOCK = 16  # RFC 9639, section 9.1.1: smaller only as the last of a stream
_ENCODERS_KEPT = 8
_HOLE = 160  # samples missing after a frame that make a hole; less is the jitter of a camera's clock

Samples = npt.NDArray[np.int16]
Law = Literal["ulaw", "alaw"]


def _ulaw_table() -> Samples:
    # ITU-T G.711, table 2a/2b: sign, 3 bits of exponent, 4 of mantissa, all inverted; bias 33 (here times 4).
    code = ~np.arange(256, dtype=np.int32) & 0xFF
    magnitude = ((((code & 15) << 3) + 132) << ((code >> 4) & 7)) - 132
    return np.where(code & 0x80, -magnitude, magnitude).astype(np.int16)


def _alaw_table() -> Samples:
    # ITU-T G.711, table 1a/1b: every second bit inverted (XOR 0x55).
    code = np.arange(256, dtype=np.int32) ^ 0x55
    exponent, mantissa = (code >> 4) & 7, (code & 15) << 4
    magnitude = np.where(exponent == 0, mantissa + 8, (mantissa + 0x108) << np.maximum(exponent - 1, 0))
    return np.where(code & 0x80, magnitude, -magnitude).astype(np.int16)


_TABLES: dict[str, Samples] = {"ulaw": _ulaw_table(), "alaw": _alaw_table()}


def decode_g711(data: bytes, law: Law) -> Samples:
    """Linear 16-bit samples, as many as ``data`` has bytes."""
    return _TABLES[law][np.frombuffer(data, np.uint8)]


class FlacEncoder:
    """Encodes blocks of interleaved 16-bit samples, one FLAC frame each."""

    def __init__(self, rate: int, channels: int) -> None:
        self._rate, self._channels = rate, channels
        self._contexts: dict[int, av.AudioCodecContext] = {}

    def encode(self, samples: Samples) -> bytes:
        """One frame of ``len(samples) / channels`` samples a channel (16..1024)."""
        size = len(samples) // self._channels
        layout = "mono" if self._channels == 1 else "stereo"
        frame = av.AudioFrame.from_ndarray(
            samples[None, : size * self._channels], format="s16", layout=layout
        )
        frame.sample_rate, frame.time_base, frame.pts = self._rate, Fraction(1, self._rate), 0
        packets = self._context(size, layout).encode(frame)
        return b"".join(bytes(packet) for packet in packets)

    def _context(self, size: int, layout: str) -> av.AudioCodecContext:
        context = self._contexts.pop(size, None)
        if context is None:
            context = av.AudioCodecContext.create("flac", "w")
            context.sample_rate, context.layout, context.format = self._rate, layout, "s16"
            context.time_base = Fraction(1, self._rate)
            context.options = {"frame_size": str(size)}
            context.open()
            while len(self._contexts) >= _ENCODERS_KEPT:
                del self._contexts[next(iter(self._contexts))]
        self._contexts[size] = context
        return context


class FlacConverter:
    """A G.711 track as a FLAC track, run by run."""

    def __init__(self, source: TrackDescription) -> None:
        if source.coding not in _TABLES:
            raise ValueError(f"not a G.711 track: {source.coding}")
        self._law: Law = "ulaw" if source.coding == "ulaw" else "alaw"
        self._channels = source.channels
        self._encoder = FlacEncoder(source.timescale, source.channels)
        self.track = flac_track(source.timescale, source.channels, LARGEST_BLOCK)

    def convert(self, run: Run) -> Run | None:
        """The same samples at the same times; None when there are too few for a frame."""
        target = Run(AUDIO_TRACK, run.time)
        blocks = _blocks(run, self._channels)
        ends = [*(start for start, _ in blocks[1:]), run.end]
        for (start, data), end in zip(blocks, ends, strict=True):
            coded = self._encoder.encode(decode_g711(data, self._law))
            target.samples.append(Sample(coded, max(1, end - start)))
        if not target.samples:
            return None
        target.time = blocks[0][0]
        return target


def _blocks(run: Run, channels: int) -> list[tuple[int, bytes]]:
    """Recorded frames joined and cut to (time, bytes) of 16 to 1024 samples; a block never spans a hole."""
    blocks: list[tuple[int, bytearray]] = []
    at, hole = run.time, True
    for sample in run.samples:
        size = LARGEST_BLOCK * channels
        for start in range(0, len(sample.data), size):
            piece = sample.data[start : start + size]
            if hole or len(blocks[-1][1]) + len(piece) > size:
                blocks.append((at + start // channels, bytearray()))
                hole = False
            blocks[-1][1].extend(piece)
        at += sample.duration
        hole = sample.duration > len(sample.data) // channels + _HOLE
    return [(time, bytes(data)) for time, data in blocks if len(data) >= SMALLEST_BLOCK * channels]
