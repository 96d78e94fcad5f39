"""AV1 out of RTP packets: aggregation, fragments, loss, cameras that send the sequence header once."""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any

import av
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from beholden.demo import packetise
from beholden.ingest.rtp.av1 import Av1Depacketiser
from beholden.model import av1

RELAXED = settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


class Out:
    """A depacketiser and what it gave."""

    def __init__(self, known: tuple[bytes, ...] = ()) -> None:
        self.pictures: list[tuple[int, bool, bytes]] = []
        self.sets: list[tuple[bytes, ...]] = []
        self.sequence = 65_530
        self.depacketiser = Av1Depacketiser(0, 96, self.take, self.sets.append, known)

    def take(self, stamp: int, key: bool, parts: list[bytes], size: int) -> None:
        sample = b"".join(parts)
        assert len(sample) == size
        self.pictures.append((stamp, key, sample))

    def send(self, payloads: list[bytes], stamp: int, marker: bool = True, lose: int = -1) -> None:
        """The payloads of one temporal unit; one of them may be lost."""
        for number, payload in enumerate(payloads):
            ends = marker and number == len(payloads) - 1
            head = struct.pack(">BBHII", 0x80, 0x80 * ends | 96, self.sequence, stamp, 7)
            self.sequence = (self.sequence + 1) & 0xFFFF
            if number != lose:
                frame = struct.pack(">BBH", 0x24, 0, 12 + len(payload)) + head + payload
                assert self.depacketiser.walk(frame, 0, len(frame)) == len(frame)


@pytest.fixture(scope="module")
def units(clip_factory: Callable[..., Any]) -> list[bytes]:
    """Temporal units as an encoder made them, big enough for many packets; two GOPs."""
    with av.open(str(clip_factory(codec="av1", width=640, height=352, noise=12))) as container:
        return [bytes(packet) for packet in container.demux(video=0) if packet.size]


def kept(unit: bytes) -> bytes:
    """What should be in the sample."""
    return b"".join(av1.sized(obu) for obu in av1.split(unit) if av1.obu_type(obu) != 2)


def test_what_was_sent_comes_out(units: list[bytes]) -> None:
    """Samples, times and keys are those of the encoder, over a wrap of the numbers."""
    out = Out()
    payloads = [packetise.av1_payloads(unit) for unit in units]
    assert max(map(len, payloads)) > 2
    for number, some in enumerate(payloads):
        out.send(some, number * 9000)
    assert [sample for _, _, sample in out.pictures] == [kept(unit) for unit in units]
    assert [stamp for stamp, _, _ in out.pictures] == [n * 9000 for n in range(len(units))]
    assert [n for n, (_, key, _) in enumerate(out.pictures) if key] == [0, 10]
    assert len(out.sets) == 1
    header = av1.parse_sequence_header(out.sets[0][0])
    assert (header.width, header.height, header.depth) == (640, 352, 8)


@pytest.mark.parametrize("count", [0, 1, 2, 3])
def test_each_way_of_counting_elements(clip_factory: Any, count: int) -> None:
    """W says how many elements there are and the last has no length; 0 says that all have one."""
    with av.open(str(clip_factory(codec="av1"))) as container:
        unit = bytes(next(container.demux(video=0)))
    obus = [av1.unsized(obu) for obu in av1.split(unit) if av1.obu_type(obu) != 2][: count or 2]
    padding = bytes((15 << 3,)) + b"pad"
    while len(obus) < count:
        obus.append(padding)
    body = b""
    for number, obu in enumerate(obus):
        body += (b"" if number + 1 == count else av1.leb128(len(obu))) + obu
    out = Out()
    out.send([bytes((count << 4,)) + body], 1)
    real = [obu for obu in obus if obu != padding]
    if len(real) > 1:
        assert [sample for _, _, sample in out.pictures] == [b"".join(map(av1.sized, real))]
    else:
        assert out.pictures == []
        assert len(out.sets) == 1


def test_a_unit_with_a_hole_is_dropped_and_the_next_kept(units: list[bytes]) -> None:
    """Whichever packet is lost; the loss is counted."""
    payloads = [packetise.av1_payloads(unit) for unit in units]
    large = next(n for n, some in enumerate(payloads) if n > 0 and len(some) > 2)
    for lose in range(len(payloads[large])):
        out = Out()
        for number, some in enumerate(payloads):
            out.send(some, number * 9000, lose=lose if number == large else -1)
        stamps = [stamp for stamp, _, _ in out.pictures]
        assert stamps == [n * 9000 for n in range(len(units)) if n != large]
        assert (out.depacketiser.dropped, out.depacketiser.sequence.lost) == (1, 1)


def test_a_header_sent_once_is_put_before_every_key_frame(units: list[bytes]) -> None:
    """So that any file can be entered at its keyframes; in band or known beforehand alike."""
    without = b"".join(obu for obu in av1.split(kept(units[10])) if av1.obu_type(obu) != 1)
    out = Out()
    out.send(packetise.av1_payloads(units[0]), 0)
    out.send(packetise.av1_payloads(without), 9000)
    assert [(key, sample) for _, key, sample in out.pictures] == [
        (True, kept(units[0])),
        (True, kept(units[10])),
    ]
    told = Out(out.sets[0])
    told.send(packetise.av1_payloads(without), 9000)
    assert told.pictures[0][1:] == (True, kept(units[10]))


def test_no_key_frame_without_a_sequence_header(units: list[bytes]) -> None:
    """A picture that nobody could decode is no keyframe."""
    out = Out()
    out.send(
        packetise.av1_payloads(b"".join(o for o in av1.split(kept(units[0])) if av1.obu_type(o) != 1)), 0
    )
    assert [key for _, key, _ in out.pictures] == [False]


def test_a_camera_without_markers(units: list[bytes]) -> None:
    """A change of timestamp ends a unit."""
    out = Out()
    for number, unit in enumerate(units[:5]):
        out.send(packetise.av1_payloads(unit), number * 9000, marker=False)
    assert len(out.pictures) == 4


LIES = [b"\x10", b"\x20\x05\x0a", b"\x00" + b"\x80" * 9, b"\x80\x01\x02", b"\x30\x01"]


@pytest.mark.parametrize("payload", LIES)
def test_payloads_that_lie_damage_their_unit_only(units: list[bytes], payload: bytes) -> None:
    """Lengths beyond the packet, elements that are missing, a continuation of nothing."""
    out = Out()
    out.send(packetise.av1_payloads(units[0]), 0)
    first = packetise.av1_payloads(units[1])
    out.send([*first[:-1], payload, first[-1]], 9000)
    out.send(packetise.av1_payloads(units[2]), 18_000)
    assert [stamp for stamp, _, _ in out.pictures][-1] == 18_000
    assert len(out.pictures) in (2, 3)


def test_a_fragment_that_never_ends_is_let_go(units: list[bytes]) -> None:
    """By the next unit, and by a packet that begins anew."""
    big = next(unit for unit in units if len(packetise.av1_payloads(unit)) > 2)
    out = Out()
    out.send(packetise.av1_payloads(units[0]), 0)
    out.send(packetise.av1_payloads(big)[:1], 9000, marker=False)
    out.send([b"\x00\x02\x7a\x00"], 9000, marker=False)
    out.send(packetise.av1_payloads(units[1]), 18_000)
    assert [stamp for stamp, _, _ in out.pictures] == [0, 18_000]
    assert out.depacketiser.dropped == 1


@RELAXED
@given(st.lists(st.binary(max_size=80), max_size=30))
def test_random_payloads_never_crash(payloads: list[bytes]) -> None:
    """Any bytes behind a true header."""
    out = Out()
    for number, payload in enumerate(payloads):
        out.send([payload], number // 3, marker=number % 3 == 2)


@given(st.integers(0, (1 << 56) - 1))
def test_lengths_come_back(value: int) -> None:
    """Every length that eight bytes hold."""
    data = av1.leb128(value)
    assert av1.read_leb128(data, 0, len(data)) == (value, len(data))


@given(st.binary(max_size=100))
def test_any_bytes_as_obus(data: bytes) -> None:
    """They are OBUs that add up to the input, or a ValueError; so is a sequence header."""
    try:
        found = list(av1.split(data))
        assert b"".join(found) == data
        for obu in found:
            assert av1.payload(av1.sized(obu)) == av1.payload(obu) == av1.payload(av1.unsized(obu))
            av1.parse_sequence_header(obu)
    except ValueError:
        return
