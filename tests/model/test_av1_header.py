"""Sequence headers of every shape: what was written bit by bit is read back, all else is a ValueError."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from beholden.model import av1


@dataclass
class Bits:
    """Writes fields one after the other."""

    text: str = ""
    names: list[str] = field(default_factory=list)

    def put(self, *fields: tuple[int, int]) -> None:
        """(value, width) each."""
        for value, width in fields:
            self.text += f"{value:0{width}b}" if width else ""

    def obu(self) -> bytes:
        """A sequence header OBU with its size."""
        bits = self.text + "1"
        bits += "0" * (-len(bits) % 8)
        body = int(bits, 2).to_bytes(len(bits) // 8, "big")
        return b"\x0a" + av1.leb128(len(body)) + body


@st.composite
def headers(draw: st.DrawFn) -> tuple[bytes, dict[str, object]]:
    """An OBU, and what it says."""
    bits, flag = Bits(), st.integers(0, 1)
    profile, reduced = draw(st.integers(0, 2)), draw(flag)
    bits.put((profile, 3), (reduced, 1), (reduced, 1))
    level, tier = draw(st.integers(0, 23)), 0
    if reduced:
        bits.put((level, 5))
    else:
        tier = _operating_points(bits, draw, level)
    width, height = draw(st.integers(1, 16_384)), draw(st.integers(1, 16_384))
    bits.put((13, 4), (13, 4), (width - 1, 14), (height - 1, 14))
    if not reduced:
        ids = draw(flag)
        bits.put((ids, 1), (0, 7 * ids))
    bits.put((0, 3))
    if not reduced:
        _tools(bits, draw)
    bits.put((0, 3))
    depth, mono, subsampling, position = _colour(bits, draw, profile)
    said = {
        "profile": profile, "level": level, "tier": tier, "width": width, "height": height, "depth": depth,
        "monochrome": mono, "subsampling": subsampling, "position": position, "reduced": bool(reduced),
    }  # fmt: skip
    return bits.obu(), said


def _operating_points(bits: Bits, draw: st.DrawFn, level: int) -> int:
    flag = st.integers(0, 1)
    timing = draw(flag)
    bits.put((timing, 1))
    model = delay = 0
    if timing:
        equal, model = draw(flag), draw(flag)
        bits.put((1, 32), (25, 32), (equal, 1))
        if equal:
            zeros = draw(st.integers(0, 5))
            bits.put((0, zeros), (1, 1), (0, zeros))
        bits.put((model, 1))
    if model:
        delay = draw(st.integers(1, 32))
        bits.put((delay - 1, 5), (1, 32), (3, 5), (3, 5))
    delays, count, tier = draw(flag), draw(st.integers(1, 3)), draw(flag)
    bits.put((delays, 1), (count - 1, 5))
    for point in range(count):
        own = level if point == 0 else draw(st.integers(0, 23))
        bits.put((0, 12), (own, 5))
        if own > 7:
            bits.put((tier, 1))
        if model:
            here = draw(flag)
            bits.put((here, 1), (0, here * (2 * delay + 1)))
        if delays:
            here = draw(flag)
            bits.put((here, 1), (5 * here, 4 * here))
    return tier if level > 7 else 0


def _tools(bits: Bits, draw: st.DrawFn) -> None:
    flag = st.integers(0, 1)
    order, chosen, screen = draw(flag), draw(flag), draw(flag)
    bits.put((0, 4), (order, 1), (0, 2 * order), (chosen, 1))
    if not chosen:
        bits.put((screen, 1))
    if chosen or screen:
        whole = draw(flag)
        bits.put((whole, 1), (0, 1 - whole))
    bits.put((3 * order, 3 * order))


def _colour(bits: Bits, draw: st.DrawFn, profile: int) -> tuple[int, bool, tuple[int, int], int]:
    flag = st.integers(0, 1)
    high, twelve, mono = draw(flag), draw(flag), draw(flag)
    bits.put((high, 1))
    depth = 10 if high else 8
    if profile == 2 and high:
        bits.put((twelve, 1))
        depth = 12 if twelve else 10
    if profile != 1:
        bits.put((mono, 1))
    mono = mono and profile != 1
    described, rgb = draw(flag), draw(flag)
    bits.put((described, 1))
    if described:
        bits.put(*(((1, 8), (13, 8), (0, 8)) if rgb else ((1, 8), (1, 8), (1, 8))))
    if mono:
        bits.put((0, 1))
        return depth, True, (1, 1), 0
    if described and rgb:
        return depth, False, (0, 0), 0
    bits.put((0, 1))
    across, down = (1, 1) if profile == 0 else (0, 0)
    if profile == 2:
        across, down = 1, 0
        if depth == 12:
            across, down = draw(flag), draw(flag)
            bits.put((across, 1), (down, across))
            down = down if across else 0
    position = draw(st.integers(0, 3)) if across and down else 0
    bits.put((position, 2 * (across and down)))
    return depth, False, (across, down), position


@given(headers())
def test_what_was_written_is_read(made: tuple[bytes, dict[str, object]]) -> None:
    """Every field, whatever stands before it."""
    obu, said = made
    found = av1.parse_sequence_header(obu)
    assert {name: getattr(found, name) for name in said} == said
    kind = "H" if said["tier"] else "M"
    assert found.codec_string == f"av01.{said['profile']}.{said['level']:02d}{kind}.{said['depth']:02d}"


@given(headers(), st.data())
def test_a_cut_header_is_told(made: tuple[bytes, dict[str, object]], data: st.DataObject) -> None:
    """Never read past its end."""
    body = av1.payload(made[0])
    cut = body[: data.draw(st.integers(0, max(0, len(body) - 3)))]
    with pytest.raises(ValueError, match="cut"):
        av1.parse_sequence_header(b"\x08" + cut)


@pytest.mark.parametrize(
    ("obu", "why"),
    [
        (b"", "not a sequence header"),
        (b"\x12\x00", "not a sequence header"),
        (b"\x0a\x05ab", "cut"),
        (b"\x0a" + b"\xff" * 9, "length"),
        (b"\x0a\x08\x60" + bytes(7), "impossible"),
    ],
)
def test_what_is_no_header_is_told(obu: bytes, why: str) -> None:
    """Nothing, another OBU, one that is cut, a length without an end, a profile that does not exist."""
    with pytest.raises(ValueError, match=why):
        av1.parse_sequence_header(obu)


def test_a_still_picture_of_a_reduced_header_can_be_entered() -> None:
    """Its frames have no type: all are key frames."""
    frame = b"\x32\x01\x00"
    assert av1.begins_sequence(frame, reduced=True)
    assert not av1.begins_sequence(frame)
    assert not av1.begins_sequence(b"\x22\x01\x10", reduced=True)
    assert av1.begins_sequence(b"\x32\x01\x10")


def test_an_obu_with_an_extension_keeps_it() -> None:
    """Layer numbers stand between header and size."""
    obu = b"\x34\x20body"
    assert av1.sized(obu) == b"\x36\x20\x04body"
    assert av1.unsized(av1.sized(obu)) == obu
    assert av1.payload(obu) == b"body"
