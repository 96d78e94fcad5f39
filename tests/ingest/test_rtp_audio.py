"""Audio frames out of RTP packets, and the packet itself."""

from __future__ import annotations

import struct
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from beholden.ingest.rtp.aac import AacDepacketiser, AacLayout, config_rate, frame_samples, make_config
from beholden.ingest.rtp.opus import OpusDepacketiser, packet_samples
from beholden.ingest.rtp.packet import Sequence, parse_header, sender_reports
from beholden.ingest.rtp.pcm import PcmDepacketiser


class Out:
    """Frames as they came: (stamp, frame, samples, hole)."""

    def __init__(self) -> None:
        self.frames: list[tuple[int, bytes, int, bool]] = []

    def __call__(self, stamp: int, frame: bytes, samples: int, hole: bool) -> None:
        self.frames.append((stamp, frame, samples, hole))


def _send(depacketiser: Any, frames: list[bytes]) -> None:
    for frame in frames:
        depacketiser.packet(frame, 4, len(frame))


def _aac(frames: list[bytes], size_bits: int = 13, index_bits: int = 3) -> bytes:
    bits = "".join(f"{len(frame):0{size_bits}b}" + "0" * index_bits for frame in frames)
    length = len(bits)
    bits += "0" * (-length % 8)
    return struct.pack(">H", length) + int(bits, 2).to_bytes(len(bits) // 8, "big") + b"".join(frames)


@given(
    st.lists(st.binary(min_size=1, max_size=60), min_size=1, max_size=12), st.sampled_from([(13, 3), (6, 2)])
)
def test_several_aac_frames_in_a_packet_follow_each_other(frames: list[bytes], bits: tuple[int, int]) -> None:
    """Each 1024 samples after the one before, in both modes, across the wrap of the clock."""
    out = Out()
    header = struct.pack(">BBHII", 0x80, 0x80 | 97, 1, 0xFFFFFF00, 1)
    packet = header + _aac(frames, *bits)
    AacDepacketiser(97, out, AacLayout(*bits, 1024)).packet(packet, 0, len(packet))
    assert [frame for _, frame, _, _ in out.frames] == frames
    assert [stamp for stamp, *_ in out.frames] == [
        (0xFFFFFF00 + 1024 * at) & 0xFFFFFFFF for at in range(len(frames))
    ]


def test_an_aac_frame_over_several_packets_is_joined(packetiser: Any) -> None:
    """Every fragment carries the whole size; the marker is on the last."""
    out, frame = Out(), bytes(range(250))
    packets = packetiser("aac", payload_type=97)
    head = struct.pack(">HH", 16, len(frame) << 3)
    pieces = [packets.frame(head + frame[at : at + 100], 5, at == 200) for at in (0, 100, 200)]
    _send(AacDepacketiser(97, out), pieces)
    assert out.frames == [(5, frame, 1024, False)]


def test_a_lost_fragment_loses_the_frame_and_is_told(packetiser: Any) -> None:
    """The next whole frame says that something was missing before it."""
    out, frame = Out(), bytes(250)
    packets = packetiser("aac", payload_type=97)
    head = struct.pack(">HH", 16, len(frame) << 3)
    pieces = [packets.frame(head + frame[at : at + 100], 5, at == 200) for at in (0, 100, 200)]
    after = packets.frame(_aac([b"whole"]), 1029, True)
    _send(AacDepacketiser(97, out), [pieces[0], pieces[2], after])
    assert [frame for _, frame, _, _ in out.frames] == [b"whole"]


@pytest.mark.parametrize("channels", [1, 2])
def test_g711_lasts_as_long_as_it_has_bytes(packetiser: Any, channels: int) -> None:
    """One byte a sample and channel; a hole is told with the frame after it."""
    out = Out()
    packets = packetiser("pcmu", payload_type=0, sequence=3)
    frames = [packets.frame(bytes(160), 160 * number, False) for number in range(3)]
    _send(PcmDepacketiser(0, out, channels), [frames[0], frames[2]])
    assert [(samples, hole) for _, _, samples, hole in out.frames] == [
        (160 // channels, False),
        (160 // channels, True),
    ]


@pytest.mark.parametrize(
    ("toc", "samples"),
    [(b"\x00", 480), (b"\x18", 2880), (b"\x60", 480), (b"\x78", 960), (b"\x80", 120), (b"\xf8", 960),
     (b"\xf9", 1920), (b"\xfb\x03", 2880), (b"\x1b\x02", 5760), (b"\x1b\x03", 0), (b"\xfb", 0), (b"", 0)],
)  # fmt: skip
def test_opus_duration_is_that_of_its_first_byte(toc: bytes, samples: int) -> None:
    """RFC 6716's table of modes, and its limit of 120 ms."""
    assert packet_samples(toc) == samples


@given(st.lists(st.binary(max_size=80), max_size=20))
def test_random_payloads_never_crash(payloads: list[bytes]) -> None:
    """Frames are never empty and never last no time."""
    out = Out()
    all_kinds = [AacDepacketiser(97, out), PcmDepacketiser(97, out, 2), OpusDepacketiser(97, out)]
    for number, payload in enumerate(payloads):
        packet = struct.pack(">BBHII", 0x80, 97, number, number * 9, 1) + payload
        for kind in all_kinds:
            kind.packet(packet, 0, len(packet))
            kind.packet(payload, 0, len(payload))
    assert all(frame and samples for _, frame, samples, _ in out.frames)


@pytest.mark.parametrize("rate", [8000, 11025, 16000, 44100, 48000, 12345])
def test_a_made_config_says_its_rate(rate: int) -> None:
    """Listed rates by number, others in full."""
    assert config_rate(make_config(rate, 2)) == rate
    assert frame_samples(make_config(rate, 1), rate) == 1024


@given(st.binary(max_size=64))
def test_a_header_is_within_its_packet(data: bytes) -> None:
    """Whatever the bytes, the payload lies inside, and reports parse or do not."""
    header = parse_header(data, 0, len(data))
    if header is not None:
        start, end = header[:2]
        assert 12 <= start <= end <= len(data)
    assert isinstance(sender_reports(data, 0, len(data)), list)


def test_a_sender_report_is_found_in_a_compound_packet() -> None:
    """Behind a receiver report, before a description."""
    empty = struct.pack(">BBHI", 0x80, 201, 1, 9)
    report = struct.pack(">BBHIQIII", 0x80, 200, 6, 7, 1 << 40, 1234, 0, 0)
    text = struct.pack(">BBHI", 0x81, 202, 1, 7)
    data = b"$\1xx" + empty + report + text
    assert sender_reports(data, 4, len(data)) == [(7, 1 << 40, 1234)]


@given(st.lists(st.integers(0, 0xFFFF), max_size=50))
def test_the_sequence_never_counts_backwards(numbers: list[int]) -> None:
    """Any order of numbers leaves a count that only grows."""
    sequence, before = Sequence(), 0
    for number in numbers:
        sequence.accept(number, 1)
        assert sequence.lost >= before
        before = sequence.lost
