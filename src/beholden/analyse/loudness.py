"""How loud a camera's sound is, second by second. Samples are measured and dropped; nothing of what was said
is computed, kept or sent on.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import av
import numpy as np
from av.audio.codeccontext import AudioCodecContext
from av.audio.frame import AudioFrame
from numpy.typing import NDArray

from beholden.analyse.decode import DecodeError
from beholden.model.media import AccessUnit, AudioFormat

SILENT_DB = -90.0
_CODECS = {"aac": "aac", "pcmu": "pcm_mulaw", "pcma": "pcm_alaw", "opus": "opus", "l16": "pcm_s16be"}
_MEMORY_SECONDS = 60.0
_STANDS_OUT_DB = 10.0


class SoundDecoder:
    """Decodes one camera's sound to its power, frame by frame."""

    def __init__(self, sound: AudioFormat) -> None:
        """DecodeError when the format is unusable."""
        self.sound = sound
        try:
            context = av.CodecContext.create(_CODECS[sound.codec], "r")
            assert isinstance(context, AudioCodecContext)
            context.sample_rate = sound.rate
            context.layout = "mono" if sound.channels == 1 else "stereo"
            if sound.config:
                context.extradata = sound.config
        except (av.FFmpegError, ValueError, KeyError) as error:
            raise DecodeError(f"the sound cannot be decoded: {error}") from error
        self._context = context

    def powers(self, unit: AccessUnit) -> Iterator[float]:
        """The mean square of each decoded frame, 0..1 of a full-scale square wave; DecodeError."""
        try:
            frames = list(self._context.decode(av.Packet(unit.data())))
        except (av.FFmpegError, ValueError) as error:
            raise DecodeError(f"a piece of sound could not be decoded: {error}") from error
        for frame in frames:
            samples = _samples(frame)
            if samples.size:
                yield float(np.mean(np.square(samples, dtype=np.float64)))


@dataclass(frozen=True, slots=True)
class LoudSecond:
    """The loudest moment of one second since the epoch, in dB of full scale, 0 the loudest there is.

    ``stands_out``: it is 10 dB above what was usual in the last minute.
    """

    second: int
    level_db: float
    stands_out: bool


class Usual:
    """How loud a place usually is, by its levels of the last minute."""

    def __init__(self) -> None:
        self._level_db: float | None = None

    def is_outdone(self, level_db: float) -> bool:
        """Whether the level of the second that follows stands out, which is then learnt from."""
        usual = self._level_db
        if usual is None:
            self._level_db = level_db
            return False
        # What stands out hardly moves what is usual; a new steady noise is usual after a few minutes.
        self._level_db = usual + (min(level_db, usual + _STANDS_OUT_DB) - usual) / _MEMORY_SECONDS
        return level_db >= usual + _STANDS_OUT_DB


class Loudness:
    """Levels of one camera: put powers with their times in, take whole seconds out."""

    def __init__(self) -> None:
        self._second: int | None = None
        self._loudest = 0.0
        self._usual = Usual()

    def hear(self, at_ms: int, power: float) -> LoudSecond | None:
        """A frame's power; the second before, when this one begins another."""
        second, done = at_ms // 1000, None
        if self._second is not None and second != self._second:
            done = self._finish(self._second)
            self._loudest = 0.0
        self._second = second
        self._loudest = max(self._loudest, power)
        return done

    def _finish(self, second: int) -> LoudSecond:
        level = max(SILENT_DB, 10 * float(np.log10(self._loudest))) if self._loudest > 0 else SILENT_DB
        return LoudSecond(second, level, self._usual.is_outdone(level))


def _samples(frame: AudioFrame) -> NDArray[np.float64]:
    """-1..1, whatever the decoder gives."""
    values = frame.to_ndarray()
    full = 2.0 ** (8 * values.dtype.itemsize - 1) if values.dtype.kind == "i" else 1.0
    return values.astype(np.float64) / full
