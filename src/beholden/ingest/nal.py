"""What H.264 and H.265 sequence parameter sets say about the picture.

ITU-T H.264 7.3.2.1.1 and H.265 7.3.2.2. Only what lies before the cropping window is read. Input comes
from a camera and may be anything: every read is bounded, and anything senseless raises ``NalError``.
"""

from __future__ import annotations

from beholden.model.errors import BeholdenError

_LONGEST_SPS = 1024  # bytes looked at; all that precedes the cropping window fits many times over
_LARGEST_SIDE = 16_384
_WITH_CHROMA_INFO = frozenset({100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134, 135})


class NalError(BeholdenError):
    """A parameter set that cannot be what it claims to be."""

    def __init__(self, what: str) -> None:
        super().__init__("bad_parameter_set", f"The camera sent a parameter set that makes no sense: {what}.")


class BitReader:
    """Reads big-endian bits from a NAL unit's payload with emulation bytes already removed."""

    def __init__(self, payload: bytes) -> None:
        self._bits = int.from_bytes(payload, "big")
        self._left = len(payload) * 8

    def read(self, count: int) -> int:
        """The next ``count`` bits as an unsigned number."""
        if count > self._left:
            raise NalError("it ends too early")
        self._left -= count
        return (self._bits >> self._left) & ((1 << count) - 1)

    def unsigned(self) -> int:
        """An Exp-Golomb code ue(v)."""
        zeros = 0
        while not self.read(1):
            zeros += 1
            if zeros > 32:
                raise NalError("a number in it is out of range")
        return (1 << zeros) - 1 + self.read(zeros)

    def signed(self) -> int:
        """An Exp-Golomb code se(v)."""
        code = self.unsigned()
        return (code + 1) // 2 if code & 1 else -(code // 2)


def without_emulation(nal: bytes) -> bytes:
    """The NAL unit without emulation prevention bytes (00 00 03 → 00 00)."""
    return nal.replace(b"\x00\x00\x03", b"\x00\x00")


def h264_size(sps: bytes) -> tuple[int, int]:
    """(width, height) in pixels after cropping of an H.264 SPS with its one-byte header."""
    bits, chroma, _ = _h264_head(sps)
    width = (bits.unsigned() + 1) * 16
    height_units = bits.unsigned() + 1
    frames_only = bits.read(1)
    field_factor = 2 - frames_only
    if not frames_only:
        bits.read(1)
    bits.read(1)
    height = height_units * 16 * field_factor
    if bits.read(1):
        left, right, top, bottom = (bits.unsigned() for _ in range(4))
        width -= (2 if chroma in (1, 2) else 1) * (left + right)
        height -= (2 if chroma == 1 else 1) * field_factor * (top + bottom)
    return _checked(width, height)


def h265_size(sps: bytes) -> tuple[int, int]:
    """(width, height) in pixels after the conformance window of an H.265 SPS with its two-byte header."""
    if len(sps) < 6 or (sps[0] >> 1) & 63 != 33:
        raise NalError("it is not an H.265 SPS")
    bits = BitReader(without_emulation(sps[2:_LONGEST_SPS]))
    bits.read(4)
    sub_layers = bits.read(3)
    bits.read(1)
    bits.read(96)  # general profile, compatibility, constraints, level
    if sub_layers:
        present = [(bits.read(1), bits.read(1)) for _ in range(sub_layers)]
        bits.read(2 * (8 - sub_layers))
        for profile, level in present:
            bits.read(88 * profile + 8 * level)
    bits.unsigned()
    chroma = bits.unsigned()
    if chroma == 3:
        bits.read(1)
    width, height = bits.unsigned(), bits.unsigned()
    if bits.read(1):
        left, right, top, bottom = (bits.unsigned() for _ in range(4))
        width -= (2 if chroma in (1, 2) else 1) * (left + right)
        height -= (2 if chroma == 1 else 1) * (top + bottom)
    return _checked(width, height)


def h264_frame_number_bits(sps: bytes) -> int:
    """How many bits ``frame_num`` has in the slices of an H.264 SPS with its one-byte header; 0 where numbers
    may be left out on purpose, or slices begin in a rarer way."""
    _, chroma, length = _h264_head(sps)
    return 0 if chroma == 3 or length > 16 else length


def _h264_head(sps: bytes) -> tuple[BitReader, int, int]:
    """An H.264 SPS read up to the picture's width: (the rest, chroma format, bits of ``frame_num``, 0 where
    numbers may be left out)."""
    if len(sps) < 4 or sps[0] & 31 != 7:
        raise NalError("it is not an H.264 SPS")
    bits = BitReader(without_emulation(sps[1:_LONGEST_SPS]))
    profile = bits.read(8)
    bits.read(16)
    bits.unsigned()
    chroma = _skip_chroma_info(bits) if profile in _WITH_CHROMA_INFO else 1
    number_bits = bits.unsigned() + 4
    _skip_picture_order(bits)
    bits.unsigned()
    return bits, chroma, 0 if bits.read(1) else number_bits


def h264_profile(sps: bytes) -> str:
    """The profile's name as people know it, e.g. ``High``; the number for rare ones."""
    names = {
        66: "Baseline",
        77: "Main",
        88: "Extended",
        100: "High",
        110: "High 10",
        122: "High 4:2:2",
        244: "High 4:4:4",
    }
    return names.get(sps[1], str(sps[1])) if len(sps) > 1 else ""


def h264_pps_id(pps: bytes) -> int:
    """pic_parameter_set_id of an H.264 PPS with its one-byte header."""
    return BitReader(without_emulation(pps[1:8])).unsigned()


def _skip_chroma_info(bits: BitReader) -> int:
    chroma = bits.unsigned()
    if chroma == 3:
        bits.read(1)
    bits.unsigned()
    bits.unsigned()
    bits.read(1)
    if bits.read(1):
        for index in range(8 if chroma != 3 else 12):
            if bits.read(1):
                _skip_scaling_list(bits, 16 if index < 6 else 64)
    return chroma


def _skip_scaling_list(bits: BitReader, length: int) -> None:
    last = following = 8
    for _ in range(length):
        if following:
            following = (last + bits.signed()) & 255
        last = following or last


def _skip_picture_order(bits: BitReader) -> None:
    kind = bits.unsigned()
    if kind == 0:
        bits.unsigned()
    elif kind == 1:
        bits.read(1)
        bits.signed()
        bits.signed()
        cycle = bits.unsigned()
        if cycle > 255:
            raise NalError("a number in it is out of range")
        for _ in range(cycle):
            bits.signed()


def _checked(width: int, height: int) -> tuple[int, int]:
    if not (0 < width <= _LARGEST_SIDE and 0 < height <= _LARGEST_SIDE):
        raise NalError("the picture size is impossible")
    return width, height
