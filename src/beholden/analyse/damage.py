"""Whether a decoded picture is whole: a decoder conceals what it lacks, and the patches look like motion.

Damage goes on from picture to picture until the next keyframe, though the decoder marks only the first. Of
H.264 it does not even mark that pictures are missing; their numbers tell (ITU-T H.264 7.4.3, ``frame_num``).
"""

from __future__ import annotations

from av.video.frame import PictureType, VideoFrame

from beholden.ingest.nal import BitReader, NalError, h264_frame_number_bits, without_emulation
from beholden.model.media import VideoFormat

_HEADER_BYTES = 24  # of a slice: its number lies within


class Damage:
    """What is known of the pictures that later ones are built on. Calls in order of decoding."""

    def __init__(self, video: VideoFormat) -> None:
        self.lasts = False
        self._bits = _number_bits(video)
        self._number: int | None = None  # of the newest picture that others refer to

    def begin(self, sample: bytes) -> None:
        """The next coded picture, before it is decoded."""
        if self._bits and self._misses(sample):
            self.lasts = True

    def note(self) -> None:
        """A picture could not be decoded."""
        self.lasts = True

    def spares(self, frame: VideoFrame) -> bool:
        """Whether a decoded picture is whole. One that refers to no other ends what was before."""
        if frame.is_corrupt:
            self.lasts = True
        elif frame.key_frame or frame.pict_type == PictureType.I:
            self.lasts = False
        return not self.lasts

    def _misses(self, sample: bytes) -> bool:
        """Whether pictures that this one may refer to never came."""
        kind, referred, number = _slice(sample, self._bits)
        if number is None:
            return False
        before, most = self._number, 1 << self._bits
        if kind == 5 or referred:
            self._number = number
        return kind != 5 and before is not None and number not in (before, (before + 1) % most)


def _number_bits(video: VideoFormat) -> int:
    if video.codec != "h264":
        return 0
    try:
        return h264_frame_number_bits(video.parameter_sets[0])
    except (NalError, IndexError):
        return 0


def _slice(sample: bytes, bits: int) -> tuple[int, bool, int | None]:
    """(type, whether others may refer to it, its number) of the first slice of a sample; no number when none
    can be read."""
    at = 0
    while at + 5 <= len(sample):
        size, header = int.from_bytes(sample[at : at + 4], "big"), sample[at + 4]
        if header & 31 in (1, 5):
            reader = BitReader(without_emulation(sample[at + 5 : at + min(4 + size, _HEADER_BYTES)]))
            try:
                for _ in range(3):  # first macroblock, slice type, parameter set
                    reader.unsigned()
                return header & 31, header & 0x60 > 0, reader.read(bits)
            except NalError:
                break
        at += 4 + size
    return 0, False, None
