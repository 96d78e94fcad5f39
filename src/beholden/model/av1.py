"""What an AV1 stream says of itself: OBUs and the sequence header (AV1 bitstream specification, 5.3 to 5.5).

Input comes from a camera and may be anything: every read is bounded, and what makes no sense raises
ValueError.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

SEQUENCE_HEADER, TEMPORAL_DELIMITER, FRAME_HEADER, FRAME = 1, 2, 3, 6
TILE_GROUP, TILE_LIST, PADDING = 4, 8, 15
_HAS_SIZE, _HAS_EXTENSION = 0x02, 0x04
_LONGEST_HEADER = 1024
_BT709, _SRGB, _IDENTITY = 1, 13, 0


@dataclass(frozen=True, slots=True)
class SequenceHeader:
    """The fields that a decoder configuration and a codec's name repeat. ``depth`` is in bits;
    ``subsampling`` (x, y) is (1, 1) for 4:2:0."""

    profile: int
    level: int
    tier: int
    width: int
    height: int
    depth: int
    monochrome: bool
    subsampling: tuple[int, int]
    position: int
    reduced: bool

    @property
    def codec_string(self) -> str:
        """The RFC 6381 name, e.g. ``av01.0.04M.08``."""
        return f"av01.{self.profile}.{self.level:02d}{'H' if self.tier else 'M'}.{self.depth:02d}"


def obu_type(obu: bytes) -> int:
    """obu_type of an OBU; 0 (reserved) for an empty one."""
    return obu[0] >> 3 & 15 if obu else 0


def payload(obu: bytes) -> bytes:
    """An OBU without header, extension and size."""
    start, size = _payload_range(obu)
    return obu[start : start + size]


def sized(obu: bytes) -> bytes:
    """The same OBU with its size in it, as MP4 wants every OBU but the last."""
    if obu[0] & _HAS_SIZE:
        return obu
    start = 2 if obu[0] & _HAS_EXTENSION else 1
    return bytes((obu[0] | _HAS_SIZE,)) + obu[1:start] + leb128(len(obu) - start) + obu[start:]


def unsized(obu: bytes) -> bytes:
    """The same OBU without its size, as RTP wants it."""
    start, size = _payload_range(obu)
    extension = obu[1:2] if obu[0] & _HAS_EXTENSION else b""
    return bytes((obu[0] & ~_HAS_SIZE & 0xFF,)) + extension + obu[start : start + size]


def split(data: bytes) -> Iterator[bytes]:
    """The OBUs of a temporal unit in the low-overhead format, each whole."""
    at = 0
    while at < len(data):
        start, size = _payload_range(data[at : at + 16], len(data) - at)
        yield data[at : at + start + size]
        at += start + size


def leb128(value: int) -> bytes:
    """A number in the format's own variable length, 7 bits a byte, lowest first."""
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def read_leb128(data: bytes, at: int, end: int) -> tuple[int, int]:
    """(the number at ``at``, where it ends)."""
    value = 0
    for index in range(8):
        if at + index >= end:
            break
        value |= (data[at + index] & 0x7F) << 7 * index
        if data[at + index] < 0x80:
            return value, at + index + 1
    raise ValueError("a length is cut or too long")


def begins_sequence(obu: bytes, reduced: bool = False) -> bool:
    """Whether a frame (header) OBU is of a key frame that is shown: decoding can begin there."""
    if obu_type(obu) not in (FRAME, FRAME_HEADER):
        return False
    if reduced:
        return True
    start, _ = _payload_range(obu)
    # show_existing_frame 0, frame_type 0 (KEY_FRAME), show_frame 1
    return len(obu) > start and obu[start] & 0xF0 == 0x10


def parse_sequence_header(obu: bytes) -> SequenceHeader:
    """The sequence header in an OBU; ValueError when it is none or makes no sense."""
    if obu_type(obu) != SEQUENCE_HEADER:
        raise ValueError("this is not a sequence header")
    bits = _Bits(payload(obu)[:_LONGEST_HEADER])
    profile = bits.read(3)
    bits.read(1)
    reduced = bool(bits.read(1))
    level, tier = (bits.read(5), 0) if reduced else _operating_points(bits)
    across, down = bits.read(4) + 1, bits.read(4) + 1
    width, height = bits.read(across) + 1, bits.read(down) + 1
    if not reduced and bits.read(1):  # frame_id_numbers_present
        bits.read(4 + 3)
    bits.read(3)  # superblock size, filter intra, intra edge filter
    if not reduced:
        _skip_tools(bits)
    bits.read(3)  # superres, cdef, restoration
    depth, monochrome, subsampling, position = _colour(bits, profile)
    if profile > 2 or width > 16_384 or height > 16_384:
        raise ValueError("the picture size or profile is impossible")
    return SequenceHeader(
        profile, level, tier, width, height, depth, monochrome, subsampling, position, reduced
    )


class _Bits:
    def __init__(self, data: bytes) -> None:
        self._bits = int.from_bytes(data, "big")
        self._left = 8 * len(data)

    def read(self, count: int) -> int:
        if count > self._left:
            raise ValueError("the sequence header is cut")
        self._left -= count
        return self._bits >> self._left & (1 << count) - 1

    def skip_uvlc(self) -> None:
        zeros = 0
        while not self.read(1):
            zeros += 1
        if zeros < 32:
            self.read(zeros)


def _payload_range(obu: bytes, whole: int = -1) -> tuple[int, int]:
    """(start, size) of the payload; ``whole`` is how many bytes there are when ``obu`` is but their start."""
    total = len(obu) if whole < 0 else whole
    if not obu:
        raise ValueError("an OBU is empty")
    start = 2 if obu[0] & _HAS_EXTENSION else 1
    size = total - start
    if obu[0] & _HAS_SIZE:
        size, start = read_leb128(obu, start, len(obu))
    if size < 0 or start + size > total:
        raise ValueError("an OBU is cut")
    return start, size


def _operating_points(bits: _Bits) -> tuple[int, int]:
    model = 0
    timing = bits.read(1)
    if timing:
        bits.read(64)
        if bits.read(1):
            bits.skip_uvlc()
        model = bits.read(1)
    delay_length = 0
    if model:
        delay_length = bits.read(5) + 1
        bits.read(32 + 5 + 5)
    delays = bits.read(1)
    first = (0, 0)
    for point in range(bits.read(5) + 1):
        bits.read(12)
        level = bits.read(5)
        tier = bits.read(1) if level > 7 else 0
        if model and bits.read(1):
            bits.read(2 * delay_length + 1)
        if delays and bits.read(1):
            bits.read(4)
        first = (level, tier) if point == 0 else first
    return first


def _skip_tools(bits: _Bits) -> None:
    bits.read(4)  # interintra, masked, warped, dual filter
    order_hint = bits.read(1)
    if order_hint:
        bits.read(2)
    screen = 2 if bits.read(1) else bits.read(1)  # 2: chosen by each frame
    if screen and not bits.read(1):
        bits.read(1)
    if order_hint:
        bits.read(3)


def _colour(bits: _Bits, profile: int) -> tuple[int, bool, tuple[int, int], int]:
    high = bits.read(1)
    depth = (12 if bits.read(1) else 10) if profile == 2 and high else 10 if high else 8
    monochrome = profile != 1 and bool(bits.read(1))
    colours = tuple(bits.read(8) for _ in range(3)) if bits.read(1) else (2, 2, 2)
    if monochrome:
        return depth, True, (1, 1), 0
    if colours == (_BT709, _SRGB, _IDENTITY):
        return depth, False, (0, 0), 0
    bits.read(1)
    if profile == 0:
        subsampling = (1, 1)
    elif profile == 1:
        subsampling = (0, 0)
    elif depth == 12:
        across = bits.read(1)
        subsampling = (across, bits.read(1) if across else 0)
    else:
        subsampling = (1, 0)
    position = bits.read(2) if subsampling == (1, 1) else 0
    return depth, False, subsampling, position
