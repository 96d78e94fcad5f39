"""Motion JPEG out of RTP packets: whole files again, whatever the camera leaves out."""

from __future__ import annotations

import io
import struct
from collections.abc import Callable
from typing import Any

import av
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from beholden.demo import packetise
from beholden.ingest.nal import NalError
from beholden.ingest.picture_format import picture_format
from beholden.ingest.rtp import jpeg
from beholden.ingest.rtp.mjpeg import MjpegDepacketiser

RELAXED = settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


class Out:
    """A depacketiser and what it gave."""

    def __init__(self) -> None:
        self.pictures: list[tuple[int, bool, bytes]] = []
        self.sets: list[tuple[bytes, ...]] = []
        self.sequence = 65_530
        self.depacketiser = MjpegDepacketiser(0, 26, self.take, self.sets.append)

    def take(self, stamp: int, key: bool, parts: list[bytes], size: int) -> None:
        sample = b"".join(parts)
        assert len(sample) == size
        self.pictures.append((stamp, key, sample))

    def send(
        self, payloads: list[bytes], stamp: int, marker: bool = True, lose: int = -1, extension: bytes = b""
    ) -> None:
        """The packets of one picture; one may be lost; the first may carry an extension."""
        for number, payload in enumerate(payloads):
            more = extension if number == 0 else b""
            ends = marker and number == len(payloads) - 1
            head = struct.pack(">BBHII", 0x90 if more else 0x80, 0x80 * ends | 26, self.sequence, stamp, 7)
            self.sequence = (self.sequence + 1) & 0xFFFF
            if number != lose:
                packet = head + more + payload
                frame = struct.pack(">BBH", 0x24, 0, len(packet)) + packet
                assert self.depacketiser.walk(frame, 0, len(frame)) == len(frame)


def decoded(data: bytes) -> Any:
    """The picture in a JPEG file, by FFmpeg, which may not complain."""
    with av.open(io.BytesIO(data), format="mjpeg") as container:
        (frame,) = container.decode(video=0)
        return frame.to_ndarray(format="rgb24")


@pytest.fixture(scope="module")
def files(clip_factory: Callable[..., Any]) -> list[bytes]:
    """JPEG files as an encoder made them, with restart markers, each many packets."""
    with av.open(str(clip_factory(codec="mjpeg", width=640, height=352, noise=9))) as container:
        return [bytes(packet) for packet in container.demux(video=0) if packet.size]


def without_restarts(payloads: list[bytes]) -> list[bytes]:
    """The same packets as of a camera whose type says that there are no restart markers."""
    return [p[:4] + bytes((p[4] & 63,)) + p[5:8] + p[12:] for p in payloads]


def test_what_was_sent_comes_out(files: list[bytes]) -> None:
    """Every picture is a keyframe, and decodes to what the encoder's own file decodes to."""
    out = Out()
    for number, file in enumerate(files):
        payloads = packetise.jpeg_payloads(file)
        assert len(payloads) > 3
        out.send(payloads, number * 9000)
    assert [(stamp, key) for stamp, key, _ in out.pictures] == [(n * 9000, True) for n in range(len(files))]
    for (_, _, sample), file in zip(out.pictures, files, strict=True):
        assert sample[:2] == jpeg.START
        assert sample[-2:] == jpeg.END
        assert np.array_equal(decoded(sample), decoded(file))
    assert len(out.sets) == 1
    assert picture_format("mjpeg", out.sets[0]).width == 640


def test_tables_by_number_are_those_of_the_standard(files: list[bytes]) -> None:
    """Q 50 is Annex K as it is; 1 and 99 are its ends; reserved numbers have none."""
    luma, chroma = jpeg.tables_of(50)
    assert (luma[0], luma[63], chroma[0], chroma[63]) == (16, 99, 17, 99)
    assert set(jpeg.tables_of(1)[0]) == {255}
    assert max(jpeg.tables_of(99)[0]) <= 2
    assert jpeg.tables_of(0) == jpeg.tables_of(100) == ()
    out = Out()
    payloads = packetise.jpeg_payloads(files[0])
    payloads[0] = payloads[0][:12] + payloads[0][16 + 128 :]
    out.send([p[:5] + b"\x32" + p[6:] for p in payloads], 0)
    assert decoded(out.pictures[0][2]).shape == (352, 640, 3)


def test_tables_that_are_left_out_are_those_sent_before(files: list[bytes]) -> None:
    """For Q 128 to 254; a picture whose tables never came is dropped."""
    payloads = packetise.jpeg_payloads(files[0])
    named = [p[:5] + b"\xc8" + p[6:] for p in payloads]
    bare = [named[0][:12] + bytes(4) + named[0][16 + 128 :], *named[1:]]
    out = Out()
    out.send(bare, 0)
    assert out.pictures == []
    out.send(named, 9000)
    out.send(bare, 18_000)
    assert [stamp for stamp, _, _ in out.pictures] == [9000, 18_000]
    assert out.pictures[0][2] == out.pictures[1][2]


def test_sixteen_bit_tables_are_carried(files: list[bytes]) -> None:
    """The precision of each table is kept."""
    tables = jpeg.split_tables(bytes(64) + bytes(128), 0b10)
    assert [len(table) for table in tables] == [64, 128]
    body = jpeg.table_segment(tables)[4:]
    assert (len(body), body[0], body[65]) == (2 + 64 + 128, 0x00, 0x11)
    assert jpeg.split_tables(bytes(63), 0) == ()


def test_a_picture_with_a_hole_is_dropped_and_the_next_kept(files: list[bytes]) -> None:
    """Whichever packet is lost."""
    count = len(packetise.jpeg_payloads(files[1]))
    for lose in (0, 1, count - 1):
        out = Out()
        for number, file in enumerate(files[:4]):
            out.send(packetise.jpeg_payloads(file), number * 9000, lose=lose if number == 1 else -1)
        assert [stamp for stamp, _, _ in out.pictures] == [0, 18_000, 27_000]
        assert out.depacketiser.dropped == 1


def test_no_restart_markers_and_4_2_2(files: list[bytes]) -> None:
    """Types 0 and 1 as they are; an unknown type is dropped, not guessed."""
    payloads = packetise.jpeg_payloads(files[0])
    out = Out()
    out.send(without_restarts(payloads), 0)
    out.send([p[:4] + b"\x00" + p[5:] for p in without_restarts(payloads)], 9000)
    out.send([p[:4] + b"\x07" + p[5:] for p in without_restarts(payloads)], 18_000)
    assert [stamp for stamp, _, _ in out.pictures] == [0, 9000]
    frames = [jpeg.segments(sample)[jpeg.SOF0][0] for _, _, sample in out.pictures]
    assert [frame[11] for frame in frames] == [0x22, 0x21]
    assert all(jpeg.DRI not in jpeg.segments(sample) for _, _, sample in out.pictures)
    assert len(out.sets) == 2


def test_pictures_too_large_for_the_format_bring_their_headers(files: list[bytes]) -> None:
    """Width and height 0 in the packet, the JPEG's own segments in the extension (ONVIF)."""
    parts = jpeg.segments(files[0])
    own = b"".join(parts[jpeg.DQT] + parts[jpeg.SOF0])
    own += b"\xff" * (-len(own) % 4)
    for start in (b"\xff\xd8", b"\xff\xff"):
        extension = start + struct.pack(">H", len(own) // 4) + own
        out = Out()
        payloads = [p[:6] + bytes(2) + p[8:] for p in packetise.jpeg_payloads(files[0])]
        out.send(payloads, 0, extension=extension)
        assert np.array_equal(decoded(out.pictures[0][2]), decoded(files[0]))
        out.send(payloads, 9000)
        out.send(payloads, 18_000, extension=b"\x12\x34" + struct.pack(">H", 1) + bytes(4))
        assert len(out.pictures) == 1


def test_a_camera_without_markers_and_one_with_too_many(files: list[bytes]) -> None:
    """A change of timestamp ends a picture; a marker in the middle is found out."""
    out = Out()
    for number, file in enumerate(files[:4]):
        out.send(packetise.jpeg_payloads(file), number * 9000, marker=False)
    assert len(out.pictures) == 3
    out = Out()
    for number, file in enumerate(files[:6]):
        payloads = packetise.jpeg_payloads(file)
        out.send(payloads[:2], number * 9000)
        out.send(payloads[2:], number * 9000)
    good = [sample for stamp, _, sample in out.pictures if stamp >= 18_000]
    assert len(good) >= 3
    assert np.array_equal(decoded(good[0]), decoded(files[2]))


@pytest.mark.parametrize("sets", [(b"",), (b"\xff\xc0\x00\x11\x08\x00\x00\x00\x00",), ()])
def test_senseless_frame_headers(sets: tuple[bytes, ...]) -> None:
    """No size is no format."""
    with pytest.raises(NalError):
        picture_format("mjpeg", sets)


def test_what_rtp_cannot_carry_is_refused_by_the_camera(files: list[bytes]) -> None:
    """RFC 2435 has types for 4:2:0 and 4:2:2 only."""
    at = files[0].index(b"\xff\xc0") + 11
    with pytest.raises(ValueError, match="sampling"):
        packetise.jpeg_payloads(files[0][:at] + b"\x11" + files[0][at + 1 :])


@RELAXED
@given(st.lists(st.binary(max_size=80), max_size=30))
def test_random_payloads_never_crash(payloads: list[bytes]) -> None:
    """Any bytes behind a true header, with and without an extension."""
    out = Out()
    for number, payload in enumerate(payloads):
        own = payload[: len(payload) // 4 * 4]
        extension = b"\xff\xd8" + struct.pack(">H", len(own) // 4) + own if number % 2 else b""
        out.send([payload], number // 3, marker=number % 3 == 2, extension=extension)


@given(st.binary(max_size=80))
def test_any_bytes_as_segments(data: bytes) -> None:
    """What is found lies in the data."""
    for some in jpeg.segments(b"\xff\xd8" + data).values():
        assert all(segment in data for segment in some)
