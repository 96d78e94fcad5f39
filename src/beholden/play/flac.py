"""G.711 and L16 to FLAC: lossless, stateless from frame to frame, and playable by browsers from MP4.

Every block of samples becomes one FLAC frame that needs nothing before it, so converted GOPs join without
priming, padding or a seam.
"""

from __future__ import annotations

import bisect
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
Coding = Literal["ulaw", "alaw", "twos"]


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


def samples_of(data: bytes, coding: Coding) -> Samples:
    """Linear 16-bit samples of recorded sound: G.711, or ``twos`` (16 bits, big endian)."""
    if coding == "twos":
        return np.frombuffer(data, ">i2").astype(np.int16)
    return decode_g711(data, coding)


class FlacEncoder:
    """Encodes blocks of interleaved 16-bit samples, one FLAC frame each."""

    def __init__(self, rate: int, channels: int) -> None:
        self._rate, self._channels = rate, channels
        self._contexts: dict[int, av.AudioCodecContext] = {}

    def encode(self, samples: Samples) -> bytes:
        """One frame of ``len(samples) / channels`` samples a channel (16 to 1039)."""
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
    """A G.711 or L16 track as a FLAC track, run by run."""

    def __init__(self, source: TrackDescription) -> None:
        codings: dict[str, Coding] = {"ulaw": "ulaw", "alaw": "alaw", "twos": "twos"}
        coding = codings.get(source.coding)
        if coding is None:
            raise ValueError(f"not a track of plain samples: {source.coding}")
        self._coding: Coding = coding
        self._step = source.channels * (2 if coding == "twos" else 1)  # bytes of one instant
        self._encoder = FlacEncoder(source.timescale, source.channels)
        self.track = flac_track(source.timescale, source.channels, LARGEST_BLOCK + SMALLEST_BLOCK)

    def convert(self, run: Run) -> Run | None:
        """The same samples at the same times; None when there are too few for a frame."""
        blocks = [block for stretch in _stretches(run, self._step) for block in stretch.blocks()]
        if not blocks:
            return None
        target = Run(AUDIO_TRACK, blocks[0][0])
        ends = [*(start for start, _ in blocks[1:]), max(run.end, blocks[-1][0] + 1)]
        for (start, data), end in zip(blocks, ends, strict=True):
            coded = self._encoder.encode(samples_of(data, self._coding))
            target.samples.append(Sample(coded, max(1, end - start)))
        return target


class _Stretch:
    """Recorded frames without a hole between them, as one string of bytes that knows its times."""

    def __init__(self, step: int) -> None:
        self._step = step
        self._data = bytearray()
        self._starts: list[int] = []  # of each frame, in samples
        self._times: list[int] = []

    def add(self, time: int, data: bytes) -> None:
        self._starts.append(len(self._data) // self._step)
        self._times.append(time)
        self._data += data

    def blocks(self) -> list[tuple[int, bytes]]:
        """(time, bytes) of 16 to about 1024 samples; nothing for a stretch that is shorter than that."""
        count = len(self._data) // self._step
        edges = list(range(0, count, LARGEST_BLOCK))
        if len(edges) > 1 and count - edges[-1] < SMALLEST_BLOCK:
            edges.pop()  # too little to stand alone: the block before it takes it along
        if count < SMALLEST_BLOCK:
            return []
        cut = [edge * self._step for edge in [*edges, count]]
        return [(self._time(edge), bytes(self._data[cut[n] : cut[n + 1]])) for n, edge in enumerate(edges)]

    def _time(self, at: int) -> int:
        frame = bisect.bisect_right(self._starts, at) - 1
        return self._times[frame] + at - self._starts[frame]


def _stretches(run: Run, step: int) -> list[_Stretch]:
    stretches: list[_Stretch] = []
    at, hole = run.time, True
    for sample in run.samples:
        if hole:
            stretches.append(_Stretch(step))
        stretches[-1].add(at, sample.data)
        at += sample.duration
        hole = sample.duration > len(sample.data) // step + _HOLE
    return stretches
