"""What decoder configuration boxes repeat from the parameter sets (ITU-T H.264 7.3.2.1, H.265 7.3.2.2)."""

from __future__ import annotations

from dataclasses import dataclass

_HIGH_PROFILES = frozenset((100, 110, 122, 144))


@dataclass(frozen=True, slots=True)
class PictureShape:
    """Chroma format (1 = 4:2:0) and bit depths."""

    chroma: int = 1
    luma_depth: int = 8
    chroma_depth: int = 8


class BitReader:
    """Bits of a NAL unit's payload, emulation prevention removed. EOFError past the end."""

    def __init__(self, nal: bytes) -> None:
        data = nal.replace(b"\x00\x00\x03", b"\x00\x00")
        self._bits = int.from_bytes(data, "big")
        self._left = len(data) * 8

    def read(self, count: int) -> int:
        """``count`` bits as an unsigned number."""
        if count > self._left:
            raise EOFError
        self._left -= count
        return (self._bits >> self._left) & ((1 << count) - 1)

    def read_ue(self) -> int:
        """An Exp-Golomb number, ue(v)."""
        zeros = 0
        while not self.read(1):
            zeros += 1
            if zeros > 32:
                raise EOFError
        return (1 << zeros) - 1 + self.read(zeros)


def avc_has_shape(sps: bytes) -> bool:
    """Whether avcC carries the shape for this profile."""
    return sps[1] in _HIGH_PROFILES


def avc_shape(sps: bytes) -> PictureShape:
    """The shape an H.264 SPS declares; 4:2:0, 8 bits when it cannot be read."""
    try:
        bits = BitReader(sps[4:])
        bits.read_ue()  # seq_parameter_set_id
        chroma = bits.read_ue()
        if chroma == 3:
            bits.read(1)
        return PictureShape(chroma & 3, 8 + bits.read_ue(), 8 + bits.read_ue())
    except EOFError:
        return PictureShape()


def hevc_shape(sps: bytes) -> PictureShape:
    """The shape an H.265 SPS declares; 4:2:0, 8 bits when it cannot be read."""
    try:
        bits = BitReader(sps[2:])
        bits.read(4)
        sub_layers = bits.read(3)
        bits.read(1 + 88 + 8)
        present = [(bits.read(1), bits.read(1)) for _ in range(sub_layers)]
        if sub_layers:
            bits.read(2 * (8 - sub_layers))
        for profile, level in present:
            bits.read(88 * profile + 8 * level)
        bits.read_ue()
        chroma = bits.read_ue()
        if chroma == 3:
            bits.read(1)
        bits.read_ue()
        bits.read_ue()
        if bits.read(1):
            for _ in range(4):
                bits.read_ue()
        return PictureShape(chroma & 3, 8 + bits.read_ue(), 8 + bits.read_ue())
    except EOFError:
        return PictureShape()


def hevc_profile(sps: bytes) -> tuple[bytes, int]:
    """(the 12 bytes of general profile, tier and level; the byte of sub-layers and nesting)."""
    data = sps[2:].replace(b"\x00\x00\x03", b"\x00\x00")
    return data[1:13].ljust(12, b"\x00"), data[0] if data else 0
