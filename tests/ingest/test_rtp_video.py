"""Pictures out of RTP packets: H.264 and H.265."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from beholden.ingest.rtp.h264 import H264Depacketiser
from beholden.ingest.rtp.h265 import H265Depacketiser
from beholden.ingest.rtp.video import MAX_PICTURE_BYTES, VideoDepacketiser
from beholden.ingest.source import SourceError

CODECS = pytest.mark.parametrize("codec", ["h264", "h265"])
RELAXED = settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


class Out:
    """A depacketiser and what it gave."""

    def __init__(self, codec: str) -> None:
        self.pictures: list[tuple[int, bool, bytes]] = []
        self.sets: list[tuple[bytes, ...]] = []
        kind: type[VideoDepacketiser] = H264Depacketiser if codec == "h264" else H265Depacketiser
        self.depacketiser = kind(0, 96, self.take, self.sets.append)

    def take(self, stamp: int, key: bool, parts: list[bytes], size: int) -> None:
        sample = b"".join(parts)
        assert len(sample) == size
        self.pictures.append((stamp, key, sample))

    def one_by_one(self, frames: list[bytes]) -> Out:
        for frame in frames:
            self.depacketiser.packet(frame, 4, len(frame))
        return self

    def walked(self, frames: list[bytes]) -> Out:
        self.read(b"".join(frames))
        return self

    def read(self, data: bytes) -> bytes:
        """As a reader does with what one read brought: what is left of it."""
        at = 0
        while True:
            at = self.depacketiser.walk(data, at, len(data))
            end = at + 4 + int.from_bytes(data[at + 2 : at + 4], "big")
            if len(data) - at < 4 or end > len(data):
                return data[at:]
            self.depacketiser.packet(data, at + 4, end)
            at = end

    @property
    def samples(self) -> list[bytes]:
        return [sample for _, _, sample in self.pictures]


def _slices(codec: str, sample: bytes) -> list[bytes]:
    nals = []
    while sample:
        size = 4 + int.from_bytes(sample[:4], "big")
        nals.append(sample[4:size])
        sample = sample[size:]
    return [nal for nal in nals if (nal[0] & 31 <= 5 if codec == "h264" else nal[0] >> 1 & 63 <= 31)]


@CODECS
def test_what_was_sent_comes_out(coded: Callable[..., Any], packetiser: Any, codec: str) -> None:
    """Samples, times, keys and parameter sets are those of the encoder, across a wrap of the numbers."""
    made = coded(codec)
    out = Out(codec).walked(packetiser(codec).stream(made))
    assert out.samples == made.samples()
    assert [(stamp, key) for stamp, key, _ in out.pictures] == [(pts, key) for pts, key, _ in made.pictures]
    assert out.sets[-1] == made.sets
    assert (out.depacketiser.sequence.lost, out.depacketiser.dropped) == (0, 0)


@CODECS
@pytest.mark.parametrize("aggregate", [True, False])
def test_the_fast_and_the_plain_path_agree(
    coded: Callable[..., Any], packetiser: Any, codec: str, aggregate: bool
) -> None:
    """``walk`` is only a quicker ``packet``."""
    frames = packetiser(codec, aggregate_sets=aggregate).stream(coded(codec), repeat=2)
    walked, plain = Out(codec).walked(frames), Out(codec).one_by_one(frames)
    assert walked.pictures == plain.pictures
    assert walked.depacketiser.packets == plain.depacketiser.packets == len(frames)


@CODECS
def test_without_markers_the_time_ends_a_picture(
    coded: Callable[..., Any], packetiser: Any, codec: str
) -> None:
    """All but the last, whose end cannot be known yet."""
    made = coded(codec)
    out = Out(codec).walked(packetiser(codec, marker=False).stream(made))
    assert out.samples == made.samples()[:-1]


def test_markers_inside_a_picture_are_found_out(coded: Callable[..., Any], packetiser: Any) -> None:
    """A camera that marks every slice loses one picture, and then only time counts."""
    made = coded("h264", **{"x264-params": "slices=4"})
    packets = packetiser("h264")
    frames = [
        frame for pts, _, nals in made.pictures for nal in nals for frame in packets.picture([nal], pts)
    ]
    out = Out("h264").walked(frames)
    assert out.samples[1:] == made.samples()[1:-1]
    assert out.depacketiser.dropped == 1


@CODECS
@RELAXED
@given(data=st.data())
def test_a_hole_costs_the_pictures_it_touches_and_no_others(
    coded: Callable[..., Any], packetiser: Any, codec: str, data: st.DataObject
) -> None:
    """Whatever run of packets is lost, all pictures that come out have all slices,
    and every untouched picture comes out as it was."""
    made = coded(codec)
    frames = packetiser(codec, aggregate_sets=False).stream(made)
    first = data.draw(st.integers(1, len(frames) - 2))
    count = data.draw(st.integers(1, min(60, len(frames) - first - 1)))
    whole = Out(codec).one_by_one(frames).pictures
    touched = {int.from_bytes(frame[8:12], "big") for frame in frames[first : first + count]}
    out = Out(codec).walked(frames[:first] + frames[first + count :])
    complete = {tuple(_slices(codec, sample)) for sample in made.samples()}
    assert {tuple(_slices(codec, sample)) for sample in out.samples} <= complete
    untouched = [one for one in whole if one[0] not in touched]
    assert [one for one in out.pictures if one[0] not in touched] == untouched
    assert out.depacketiser.sequence.lost == count


@CODECS
def test_late_and_repeated_packets_are_ignored(
    coded: Callable[..., Any], packetiser: Any, codec: str
) -> None:
    """Each packet twice, and an old one again: nothing changes, nothing is counted as lost."""
    made = coded(codec)
    frames = packetiser(codec).stream(made)
    doubled = [again for at, frame in enumerate(frames) for again in (frame, frame, frames[max(0, at - 20)])]
    out = Out(codec).walked(doubled)
    assert out.samples == made.samples()
    assert out.depacketiser.sequence.lost == 0


@CODECS
def test_extension_csrc_and_padding_are_stepped_over(
    coded: Callable[..., Any], packetiser: Any, codec: str
) -> None:
    """RTP's optional parts do not reach the sample."""
    made = coded(codec)
    dressed = []
    for frame in packetiser(codec).stream(made):
        packet = frame[4:]
        body = (
            bytes((packet[0] | 0x32,))
            + packet[1:12]
            + b"csrcCSRC"
            + b"\xbe\xde\0\1abcd"
            + packet[12:]
            + b"\0\0\0\4"
        )
        dressed.append(b"$\0" + len(body).to_bytes(2, "big") + body)
    assert Out(codec).walked(dressed).samples == made.samples()


def test_private_packets_between_are_no_loss(coded: Callable[..., Any], packetiser: Any) -> None:
    """Data of another payload type on the channel, numbered along or apart, is passed over."""
    made = coded("h264")
    along, apart = packetiser("h264"), packetiser("h264", payload_type=112, sequence=9, ssrc=5)
    frames = []
    for pts, _, nals in made.pictures:
        frames += along.picture(nals, pts)
        along.payload_type = 112
        frames.append(along.frame(b"private", pts, False))
        along.payload_type = 96
        frames.append(apart.frame(b"other", pts, False))
    out = Out("h264").walked(frames)
    assert out.samples == made.samples()
    assert out.depacketiser.sequence.lost == 0


@CODECS
def test_joining_inside_a_picture_gives_the_next_whole_one(
    coded: Callable[..., Any], packetiser: Any, codec: str
) -> None:
    """What lacks its beginning is left out, and is not counted as lost."""
    made = coded(codec)
    packets = packetiser(codec)
    first = packets.picture(made.pictures[0][2], 0)
    rest = [frame for pts, _, nals in made.pictures[1:] for frame in packets.picture(nals, pts)]
    out = Out(codec).walked(first[len(first) // 2 :] + rest)
    assert out.samples == made.samples()[1:]
    assert (out.depacketiser.sequence.lost, out.depacketiser.dropped) == (0, 0)


@CODECS
def test_a_new_resolution_is_told_before_its_first_picture(
    coded: Callable[..., Any], packetiser: Any, codec: str
) -> None:
    """New parameter sets in band come before the picture that needs them."""
    small, large = coded(codec), coded(codec, 320, 180)
    packets = packetiser(codec)
    out = Out(codec).walked(packets.stream(small))
    before = len(out.pictures)
    out.walked(packets.stream(large, start=100_000))
    assert out.sets[-1] == large.sets
    assert out.samples[before:] == large.samples()


def test_sets_and_slices_with_start_codes_in_one_packet(coded: Callable[..., Any], packetiser: Any) -> None:
    """Some cameras send SPS, PPS and slice as one Annex B packet."""
    made = coded("h264")
    packets = packetiser("h264")
    sps, pps = made.sets
    _, _, nals = made.pictures[0]
    slices = [nal for nal in nals if nal[0] & 31 == 5]
    payload = sps + b"\0\0\0\1" + pps + b"\0\0\0\1" + b"\0\0\0\1".join(slices)
    out = Out("h264").one_by_one([packets.frame(payload, 0, True)])
    assert out.sets[-1] == (sps, pps)
    assert out.pictures == [(0, True, b"".join(len(nal).to_bytes(4, "big") + nal for nal in slices))]


def test_a_recovery_point_makes_a_keyframe_of_a_camera_without_idr(packetiser: Any) -> None:
    """SEI 6 with recovery_frame_cnt 0 before an I slice."""
    packets = packetiser("h264")
    intra, inter = b"\x41\x9a" + b"x" * 20, b"\x41\x9a" + b"y" * 20
    frames = packets.picture([b"\x06\x06\x01\xc4\x80", intra], 0) + packets.picture([inter], 3600)
    assert [key for _, key, _ in Out("h264").walked(frames).pictures] == [True, False]


@CODECS
@RELAXED
@given(data=st.data())
def test_mutated_streams_never_crash(
    coded: Callable[..., Any], packetiser: Any, codec: str, data: st.DataObject
) -> None:
    """Flipped bytes anywhere give other pictures or fewer, and afterwards a clean stream is read again."""
    made = coded(codec)
    packets = packetiser(codec)
    raw = bytearray(b"".join(packets.stream(made)))
    for _ in range(data.draw(st.integers(1, 40))):
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    out = Out(codec)
    out.read(bytes(raw))
    before = len(out.pictures)
    out.one_by_one(packets.stream(made, start=1 << 30))
    found, whole = out.samples[before:], made.samples()
    # A flipped timestamp may have taught it to distrust markers: then each picture ends with the next one.
    assert found[-11:] in (whole[-11:], whole[:-1][-11:])


@CODECS
@given(st.lists(st.binary(max_size=60), max_size=30))
def test_random_packets_never_crash(codec: str, packets: list[bytes]) -> None:
    """Random bytes, and random payloads behind a true header: pictures, or the verdict of another codec."""
    out = Out(codec)
    for number, packet in enumerate(packets):
        out.depacketiser.packet(packet, 0, len(packet))
        headed = b"\x80\x60" + number.to_bytes(2, "big") + bytes(8) + packet
        try:
            out.depacketiser.packet(headed, 0, len(headed))
        except SourceError as error:
            assert error.code == "codec_changed"  # noqa: PT017 (the other outcome is as good)
            return


@CODECS
def test_another_codec_in_the_middle_is_told_and_never_kept(
    coded: Callable[..., Any], packetiser: Any, codec: str
) -> None:
    """After a change, packets of the other codec end the pull; none becomes a picture."""
    before, after = coded(codec), coded("h265" if codec == "h264" else "h264", count=24)
    mine, other = packetiser(codec), packetiser(after.codec)
    out = Out(codec).one_by_one(mine.stream(before))
    kept = len(out.samples)
    other.sequence, other.ssrc = mine.sequence, mine.ssrc
    frames = other.stream(after, start=3600 * len(before.pictures))
    with pytest.raises(SourceError) as caught:
        out.one_by_one(frames)
    assert caught.value.code == "codec_changed"
    assert len(out.samples) <= kept + 1  # the last of the former codec ends with the change


@CODECS
def test_an_accident_is_no_change_of_codec(coded: Callable[..., Any], packetiser: Any, codec: str) -> None:
    """A spoilt packet now and then costs its picture and nothing more."""
    made = coded(codec)
    packets = packetiser(codec)
    foreign = b"\x42\x01\x01" if codec == "h264" else b"\x67\x64\x00"
    out = Out(codec)
    for turn in range(10):
        start = turn * 3600 * (len(made.pictures) + 1)
        for pts, _, nals in made.pictures:
            out.one_by_one(packets.picture(nals, start + pts))
        out.one_by_one([packets.frame(foreign, start + 3600 * len(made.pictures), False)])
    assert len(out.samples) == 10 * len(made.pictures)
    assert out.depacketiser.dropped == 9


@CODECS
@pytest.mark.parametrize("size", [1400, 60_000, 3])
def test_a_picture_without_end_is_a_typed_error(packetiser: Any, codec: str, size: int) -> None:
    """Memory is bounded in bytes and in pieces."""
    packets = packetiser(codec)
    head, first, more = (b"\x7c", b"\x85", b"\x05") if codec == "h264" else (b"\x62\x01", b"\x93", b"\x13")
    out = Out(codec)
    out.one_by_one([packets.frame(head + first + b"\x88" * size, 0, False)])
    taken = 0

    def pour() -> None:
        nonlocal taken
        while taken * (size + 40) < 4 * MAX_PICTURE_BYTES:
            chunk = b"".join(packets.frame(head + more + b"x" * size, 0, False) for _ in range(64))
            out.read(chunk)
            taken += 64

    with pytest.raises(SourceError) as caught:
        pour()
    assert caught.value.code == "picture_too_large"
    assert taken * size <= MAX_PICTURE_BYTES + 65 * size
