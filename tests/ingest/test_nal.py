"""Picture sizes from parameter sets."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from beholden.ingest.nal import (
    NalError,
    h264_frame_number_bits,
    h264_pps_id,
    h264_profile,
    h264_size,
    h265_size,
)


@pytest.mark.parametrize(("width", "height"), [(128, 98), (640, 360), (322, 182), (16, 16)])
def test_the_size_of_h264_is_the_cropped_picture(coded: Callable[..., Any], width: int, height: int) -> None:
    """What an encoder was asked for is what the SPS says, cropping included."""
    assert h264_size(coded("h264", width, height, 1).sets[0]) == (width, height)


@pytest.mark.parametrize("profile", ["baseline", "main", "high"])
def test_the_numbers_of_pictures_have_bits(coded: Callable[..., Any], profile: str) -> None:
    """As many as the encoder chose, x264's four at least; a cut set is an error."""
    sps = coded("h264", 320, 180, 1, profile=profile, preset="medium").sets[0]
    assert 4 <= h264_frame_number_bits(sps) <= 16
    with pytest.raises(NalError):
        h264_frame_number_bits(sps[:5])


@pytest.mark.parametrize("profile", ["baseline", "main", "high"])
def test_the_size_does_not_depend_on_the_profile(coded: Callable[..., Any], profile: str) -> None:
    """The chroma fields that only some profiles carry are read where they are."""
    sps = coded("h264", 322, 182, 1, profile=profile, preset="medium").sets[0]
    assert (h264_size(sps), h264_profile(sps)) == ((322, 182), profile.capitalize())


@pytest.mark.parametrize("extra", ["interlaced=1", "fake-interlaced=1"])
def test_an_interlaced_picture_has_its_full_height(coded: Callable[..., Any], extra: str) -> None:
    """Map units of fields count twice."""
    assert h264_size(coded("h264", 320, 180, 1, **{"x264-params": extra}).sets[0]) == (320, 180)


@pytest.mark.parametrize(("width", "height"), [(128, 98), (640, 360), (322, 182)])
def test_the_size_of_h265_is_within_its_window(coded: Callable[..., Any], width: int, height: int) -> None:
    """The conformance window is cut off."""
    assert h265_size(coded("h265", width, height, 1).sets[1]) == (width, height)


def test_a_pps_tells_its_number(coded: Callable[..., Any]) -> None:
    """The first PPS of an encoder is number 0."""
    assert h264_pps_id(coded("h264").sets[1]) == 0


@pytest.mark.parametrize("read", [h264_size, h265_size])
@given(data=st.binary(max_size=3000))
def test_garbage_gives_a_size_or_a_typed_error(read: Callable[[bytes], tuple[int, int]], data: bytes) -> None:
    """Nothing else can come out, however senseless the bytes."""
    for head in (b"", b"\x67", b"\x42\x01"):
        try:
            width, height = read(head + data)
        except NalError:
            continue
        assert 0 < width <= 16_384
        assert 0 < height <= 16_384


def test_a_mutated_parameter_set_never_crashes(coded: Callable[..., Any]) -> None:
    """Every single flipped bit of a real SPS is survived."""
    for read, sps in ((h264_size, coded("h264").sets[0]), (h265_size, coded("h265").sets[1])):
        for bit in range(len(sps) * 8):
            mutated = bytearray(sps)
            mutated[bit // 8] ^= 1 << bit % 8
            try:
                read(bytes(mutated))
            except NalError:
                continue


def _ue(value: int) -> str:
    digits = f"{value + 1:b}"
    return "0" * (len(digits) - 1) + digits


def _se(value: int) -> str:
    return _ue(2 * value - 1 if value > 0 else -2 * value)


def _sps(profile: int, before: str, order: str, width: int = 20, height: int = 12) -> bytes:
    """An H.264 SPS written field by field: what stands before the frame numbers, and the picture order."""
    bits = _ue(0) + before + _ue(0) + order + _ue(1) + "0" + _ue(width - 1) + _ue(height - 1) + "1100" + "1"
    bits += "0" * (-len(bits) % 8)
    return bytes((0x67, profile, 0, 40)) + int(bits, 2).to_bytes(len(bits) // 8, "big")


@pytest.mark.parametrize(
    ("profile", "before", "order"),
    [
        (66, "", _ue(2)),
        (66, "", _ue(1) + "1" + _se(-3) + _se(4) + _ue(2) + _se(1) + _se(-1)),
        (244, _ue(3) + "0" + _ue(0) + _ue(0) + "01" + ("1" + _se(-8)) * 12, _ue(0) + _ue(4)),
        (100, _ue(1) + _ue(0) + _ue(0) + "01" + "0" * 7 + "1" + _se(1) * 64, _ue(0) + _ue(4)),
    ],
)
def test_rare_fields_are_passed_over_exactly(profile: int, before: str, order: str) -> None:
    """Scaling lists, four chroma planes, every kind of picture order."""
    assert h264_size(_sps(profile, before, order)) == (320, 192)


@pytest.mark.parametrize(
    "sps",
    [
        _sps(66, "", _ue(1) + "1" + _se(0) + _se(0) + _ue(256) + _se(0) * 256),
        _sps(66, "", _ue(2), width=3000),
        b"\x67\x42\x00\x28" + bytes(5) + b"\x01" * 9,
        b"\x67\x42",
    ],
)
def test_impossible_parameter_sets_are_refused(sps: bytes) -> None:
    """Too many picture order cycles, too large a picture, a number without end, nothing at all."""
    with pytest.raises(NalError):
        h264_size(sps)
